"""Settings files of either kind, ours or the HRNet family's, with overrides of either kind, mixed.

    request = settings.read("w32_256x192_adam_lr1e-3.yaml", ["TEST.MODEL_FILE", "pose.pth", "train.epochs=5"])
    request.settings.train.epochs, request.weights, request.notes

A family file that leaves a key out gets the family's default for it: HRNet's, or SimpleBaseline's where the file is
written with its keys. Overrides of ours are applied last.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from rdpose import skeletons
from rdpose.compat.translate import Family, context_of, notes, translate
from rdpose.compat.yacs_keys import DEFAULTS, SIMPLE_BASELINE, SIMPLE_BASELINE_DEFAULTS
from rdpose.config import loading
from rdpose.config.schema import Settings

_KEY = re.compile(r"[A-Z][A-Z0-9_]*(\.[A-Z0-9_]+)*")


@dataclass(frozen=True)
class Request:
    """What a settings file and a command line ask for."""

    settings: Settings
    weights: str = ""
    """TEST.MODEL_FILE below DATA_DIR: the weights to test; empty if none are named."""
    bgr: bool | None = None
    """Whether the .pth weights that are tested were trained on BGR pictures; None where nothing says so."""
    notes: tuple[str, ...] = ()
    """Lines that tell which of the family's settings have no meaning here or are met in another way."""


def read(path: str | Path, overrides: Sequence[str] = ()) -> Request:
    """What a settings file (lower-case keys: ours; upper-case: the family's) and its overrides ask for.

    `overrides` are `key=value` with our keys, and `KEY value` (two items) or `KEY=value` with the family's.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not YAML, an unknown key (the nearest known one is named), a value that does not fit.
    """
    tree, _ = loading.read_tree(path)
    ours, theirs = split_overrides(overrides)
    if loading.are_familys(tree):
        return _read_family(path, tree, ours, theirs)
    settings = loading.load(path, ours)
    if not theirs:
        return Request(settings)
    explicit = _typed(theirs, where=str(path))
    family = Family(explicit, context_of(settings), frozenset(explicit))
    tree.setdefault("name", settings.name)
    return _request(path, tree, family, ours)


def _read_family(path: str | Path, tree: Mapping[str, Any], ours: list[str], theirs: dict[str, str]) -> Request:
    flat, defaults = dict(_flatten(tree)) | theirs, DEFAULTS
    if SIMPLE_BASELINE.keys() & (flat.keys() - theirs.keys()):
        flat = {SIMPLE_BASELINE.get(key, key): value for key, value in flat.items()}
        defaults = DEFAULTS | SIMPLE_BASELINE_DEFAULTS
    explicit = _typed(flat, where=str(path))
    family = Family(defaults | explicit, defaults, frozenset(explicit))
    request = _request(path, {"name": Path(path).stem}, family, ours)
    if any(item.startswith("model.variant") for item in ours):
        return request
    variant = (
        f"the file names no variant: {request.settings.model.variant} is taken; model.variant=plain is HRNet's own"
    )
    return replace(request, notes=(*request.notes, variant))


def _request(path: str | Path, tree: dict[str, Any], family: Family, ours: Sequence[str]) -> Request:
    try:
        flat = translate(family)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    for key, value in flat.items():
        _put(tree, key, value)
    for item in ours:
        loading.set_key(tree, item)
    settings = loading.from_tree(tree, where=str(path))
    _check_joints(family, settings, where=str(path))
    bgr = not family["DATASET.COLOR_RGB"] if family.any("DATASET.COLOR_RGB") else None
    return Request(settings, family.path("TEST.MODEL_FILE"), bgr, tuple(notes(family)))


def split_overrides(overrides: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Overrides apart: our `key=value` items, and the family's keys with their values as text."""
    ours: list[str] = []
    theirs: dict[str, str] = {}
    items = iter(overrides)
    for item in items:
        key, equals, value = item.partition("=")
        if not _KEY.fullmatch(key):
            ours.append(item)
            continue
        text = value if equals else next(items, None)
        if text is None:
            raise ValueError(f"override {key} has no value; write `{key} VALUE`")
        theirs[key] = text
    return ours, theirs


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _typed(flat: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """The values as the kinds that the family's defaults have; empty ones are left out."""
    sections = {key.rsplit(".", depth)[0] for key in DEFAULTS for depth in (1, 2) if "." in key}
    typed: dict[str, Any] = {}
    for key, raw in flat.items():
        value = _parse(raw) if isinstance(raw, str) else raw
        if raw is None and (key in DEFAULTS or key in sections):
            continue
        if key not in DEFAULTS:
            near = loading.suggest(key, DEFAULTS)
            raise ValueError(f"{where}: unknown setting {key}" + (f"; did you mean {near}?" if near else ""))
        typed[key] = _fit(value, raw, key, where=where)
    return typed


def _parse(text: str) -> Any:
    """A value from text: YAML's (true, 0.1, [1, 2]), else a Python literal ((0,1), 5e-4), else the text itself."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    try:
        return ast.literal_eval(value) if isinstance(value, str) else value
    except (ValueError, SyntaxError, TypeError):
        return value


def _fit(value: Any, raw: Any, key: str, *, where: str) -> Any:
    default = DEFAULTS[key]
    if isinstance(default, str):
        return loading.as_text(str(raw))
    if key == "GPUS":  # written in every way there is, and of no meaning here
        return value
    if isinstance(default, bool):
        fits, kind = isinstance(value, bool), "true or false"
    elif isinstance(default, list):
        value = list(value) if isinstance(value, tuple) else value
        fits = isinstance(value, list) and all(_is_number(item) == _is_number(default[0]) for item in value)
        kind = "a list of numbers" if _is_number(default[0]) else "a list"
    else:
        fits, kind = _is_number(value), "a number"
    if not fits:
        raise ValueError(f"{where}: {key} = {raw!r} is not {kind}")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _put(tree: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for parent in parents:
        if tree.get(parent) is None:
            tree[parent] = {}
        tree = tree[parent]
    tree[last] = value


def _check_joints(family: Family, settings: Settings, *, where: str) -> None:
    name = settings.data.skeleton
    if "MODEL.NUM_JOINTS" not in family.given or name not in ("coco", "mpii", "crowdpose"):
        return
    expected = skeletons.get(name).num_joints
    if family["MODEL.NUM_JOINTS"] != expected:
        raise ValueError(
            f"{where}: MODEL.NUM_JOINTS = {family['MODEL.NUM_JOINTS']}, but {name} has {expected} joints; "
            "another joint set is named by data.skeleton"
        )
