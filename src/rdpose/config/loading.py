"""Settings from YAML files and `key=value` overrides, with an error that names the nearest known key.

    settings = loading.load("experiments/coco/hrnet/w32_256x192_adam_lr1e-3.yaml", ["train.epochs=20"])
    settings.train.epochs

One file holds one experiment. What it leaves out it has from the file that it names as its `base`, if it names one, and
else the default in `rdpose.config.schema`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from rdpose.config.schema import Group, Settings


def load(path: str | Path, overrides: Iterable[str] = ()) -> Settings:
    """Settings of a YAML file with `key=value` overrides (dotted keys, YAML values).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not YAML, an unknown key (the nearest known one is named), a value that does not fit.
    """
    tree, files = read_tree(path)
    tree.setdefault("name", Path(path).stem)
    for item in overrides:
        set_key(tree, item)
    return from_tree(tree, where=" on ".join(map(str, files)))


def read_tree(path: str | Path, *, above: tuple[Path, ...] = ()) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """A file's settings on top of those of the `base` that it may name (a path from its folder), and these files.

    Args:
        above: the files that are built on this one.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not YAML, `base` is no path, files are built on each other, or are of two kinds.
    """
    file = Path(path)
    tree = read_yaml(file)
    base = tree.pop("base", None)
    if base is None:
        return tree, (file,)
    if not isinstance(base, str):
        raise ValueError(f"{file}: base = {base!r}: name one settings file, by its path from this one's folder")
    if file.resolve() in above:
        raise ValueError(f"{file} is its own base; take `base` out of it, or out of those that it builds on")
    if not (file.parent / base).is_file():
        raise FileNotFoundError(f"{file}: its base {base} is not there; give its path from this file's folder")
    below, files = read_tree(file.parent / base, above=(*above, file.resolve()))
    if tree and below and are_familys(tree) != are_familys(below):
        kinds = "one has this package's keys, one the HRNet family's; write both alike"
        raise ValueError(f"{file} and its base {base}: {kinds}")
    below.pop("name", None)  # which would put this run into the other's folder
    return merged(below, tree), (file, *files)


def are_familys(tree: Mapping[Any, Any]) -> bool:
    """Are these the HRNet family's settings, whose keys are upper-case (`rdpose.compat.settings` reads them)?"""
    return any(isinstance(key, str) and key.isupper() for key in tree)


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """One tree on top of another: groups key by key; lists, a source that names its annotations, and null whole."""
    groups = {key for key in above if isinstance(above[key], Mapping) and isinstance(below.get(key), Mapping)}
    groups -= {key for key in groups if "annotations" in above[key]}
    return {**below, **above, **{key: merged(below[key], above[key]) for key in groups}}


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping that a YAML file holds; empty files and sections hold nothing."""
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"there is no settings file {file}; the shipped ones are in experiments/")
    try:
        tree = yaml.load(file.read_text(encoding="utf-8"), _OnceLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict | None):
        raise ValueError(f"{file} holds a {type(tree).__name__}; expected settings such as `model:` and `train:`")
    return {key: value for key, value in (tree or {}).items() if value is not None}


class _OnceLoader(yaml.SafeLoader):
    """YAML's own loader keeps the last of keys that are written twice, and says nothing."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise yaml.YAMLError(f"{name} stands there twice, again in line {key.start_mark.line + 1}")
            seen.add(name)
        return node


def set_key(tree: dict[str, Any], item: str) -> None:
    """Set one dotted key of `tree` from a "key=value" text: a text as it stands, other values as YAML."""
    key, equals, text = item.partition("=")
    key = key.strip()
    if not equals:
        raise ValueError(f"override {item!r} is not key=value, e.g. train.lr=5e-4")
    if key == "base":
        raise ValueError(f"override {item!r}: a base stands in a settings file; give the base itself as the file")
    try:
        value = as_text(text) if _is_text(key) else yaml.safe_load(text)
    except yaml.YAMLError:
        raise ValueError(f"override {item!r}: the value is not YAML, e.g. 5e-4, true, [1, 2]") from None
    _put(tree, key, value, item)


def replaced(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """Settings with other values of some dotted keys, taken as they are: {"data.root": "my data #1"}."""
    tree = settings.model_dump()
    for key, value in values.items():
        _put(tree, key, value, f"{key}={value}")
    return from_tree(tree, where=", ".join(values))


def as_text(text: str) -> str:
    """A text of a command line: what stands in quotes ('007') without them, everything else as it stands."""
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _put(tree: dict[str, Any], key: str, value: Any, item: str) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise ValueError(f"override {item!r}: {parent} has no settings below it")
    tree[last] = value


def _is_text(key: str, group: type[BaseModel] = Settings) -> bool:
    """Is a dotted key's setting a text, so that 2024, `on` and `my boxes #2` are texts, too?"""
    first, _, rest = key.partition(".")
    kind = group.model_fields[first].annotation if first in group.model_fields else None
    if not rest:
        return kind is str
    # Also the group in `SourceSettings | None`.
    groups = [own for own in (kind, *get_args(kind)) if isinstance(own, type) and issubclass(own, Group)]
    return any(_is_text(rest, own) for own in groups)


def from_tree(tree: Mapping[str, Any], *, where: str) -> Settings:
    """Settings from nested mappings; `where` names their file in errors."""
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise ValueError(f"{where}: {'; '.join(_explain(dict(item)) for item in error.errors())}") from None


def _explain(item: dict[str, Any]) -> str:
    path = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        near = suggest(".".join(part for part in item["loc"] if isinstance(part, str)), known_keys())
        return f"unknown setting {path}" + (f"; did you mean {near}?" if near else "")
    if item["type"] == "string_type":
        return f"{path} = {item['input']!r}: Input should be a text, so write it in quotes"
    if item["type"] == "tuple_type":
        return f"{path} = {item['input']!r}: Input should be a list, as in [1, 2]"
    return f"{path} is missing" if item["type"] == "missing" else f"{path} = {item['input']!r}: {item['msg']}"


def suggest(key: str, known: Iterable[str]) -> str | None:
    """The known key most like `key`; its last part counts if the whole is like none."""
    names = list(known)
    last = {name.rsplit(".", 1)[-1].lower(): name for name in names}
    found = difflib.get_close_matches(key, names, 1, 0.7)
    if not found:
        found = [last[name] for name in difflib.get_close_matches(key.rsplit(".", 1)[-1].lower(), last, 1, 0.6)]
    return found[0] if found else None


def known_keys(group: type[BaseModel] = Settings, prefix: str = "") -> list[str]:
    """Every dotted key that a settings file may set."""
    keys: list[str] = []
    for name, field in group.model_fields.items():
        keys.append(prefix + name)
        # Also the group in `SourceSettings | None` and in `tuple[SourceSettings, ...]`.
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, Group):
                keys += known_keys(kind, f"{prefix}{name}.")
    return keys


def to_yaml(settings: Settings) -> str:
    """All settings as YAML; `load` reads them back."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False)
