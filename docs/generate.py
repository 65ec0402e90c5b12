"""The pages that the code writes: settings.md, model-zoo.md, and the reference that ends python.md.

    python docs/generate.py

Settings come from the fields of `rdpose.config.schema.Settings` and the text below each; the reference from signatures
and docstrings; the zoo from what is known of public weights, and from benchmarks/backbones.py. A test holds the
committed pages to what this gives.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import rdpose
from rdpose.checkpoints import zoo
from rdpose.config.schema import Settings
from rdpose.inference.tracking import Tracker
from rdpose.structures import read_results

DOCS = Path(__file__).resolve().parent
MARK = "<!-- From here on docs/generate.py writes, from the code. -->\n"
REFERENCE = {
    "rdpose.load": rdpose.load,
    "rdpose.PoseEstimator": rdpose.PoseEstimator,
    "rdpose.Poses": rdpose.Poses,
    "rdpose.draw": rdpose.draw,
    "rdpose.structures.read_results": read_results,
    "rdpose.inference.tracking.Tracker": Tracker,
}
WORDS = {
    "integer": "whole number",
    "number": "number",
    "boolean": "`true`, `false`",
    "string": "text",
    "null": "`null`",
}
"""What JSON schema calls a type, in words."""
ENGINES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
ZOO_HEAD = """# Model zoo

<!-- Written by docs/generate.py from src/rdpose/checkpoints/zoo.py and docs/logs/backbones.json. -->

A name stands for its weights. They are fetched at the first use, and checked by their hash:

```python
import rdpose

estimator = rdpose.load("hrnet_w32_coco_256x192")
poses = estimator("photo.jpg")
```

    rdpose predict street.jpg --weights hrnet_w32_coco_256x192
    rdpose weights hrnet_w32_coco_256x192       # fetch it alone, into models/pytorch

The network inside the package needs no name: see the [model card](model-card.md).

## Weights
Figures are those that the publishers give, with the flip test: AP on COCO val2017 with boxes of an AP of 56.4, AP on
CrowdPose, PCKh@0.5 on MPII. Licences are those of the projects. Weights marked *by hand* lie in a folder that a browser
opens. The numbers in a name are height and width of the crop.
"""
WEIGHTS_HEAD = "| name | published figure | size | address | licence |\n|---|---|---|---|---|"
BACKBONES_HEAD = """
## Backbones
`model.backbone` takes these names. Parameters and multiply-adds are those of the plain network with 17 joints, for one
crop of {width}x{height}. *FDM adds* is the work of the paper's module, in parts of the network's: little where maps
have few channels, as HRNet's, and more where they have many. People per second were measured here
(`benchmarks/backbones.py`, {threads} threads, batches of {batch}, 32-bit numbers, no flip test); `-` was not measured.

| name | parameters | multiply-adds | FDM adds | people/s, torch | people/s, fastest export |
|---|---|---|---|---|---|"""
SETTINGS_HEAD = """# Settings

<!-- Written by docs/generate.py from src/rdpose/config/schema.py. -->

One YAML file describes one experiment; what it leaves out has the default below. Any setting can be given on the
command line, too, after the file:

    rdpose train experiments/coco/hrnet/w32_256x192_adam_lr1e-3.yaml train.batch_size=16 train.lr=5e-4

A file that differs from another in a few settings names it, `base: other.yaml` (a path from its own folder), and holds
these few alone. Lists such as `data.train` are taken whole, and so is a source that names its annotations; `name` is
not inherited.

An unknown key is an error that names the nearest known one. All settings of a run are saved beside its results
(`settings.yaml`) and inside its weights. The HRNet family's files and its `KEY value` overrides are read as well:
what they ask for is translated into these settings, and what has no meaning here is named.
"""


def settings_page() -> str:
    """docs/settings.md."""
    schema = Settings.model_json_schema()
    groups = {key: part for key, part in schema["properties"].items() if "$ref" in part}
    single = {key: part for key, part in schema["properties"].items() if key not in groups}
    parts = [SETTINGS_HEAD, "## The run\n", table(single)]
    for name, part in groups.items():
        group = schema["$defs"][part["$ref"].rsplit("/", 1)[-1]]
        parts += [f"## {name}\n", *([flat(group["description"]) + "\n"] if "description" in group else [])]
        parts.append(table(group["properties"], f"{name}."))
        if name == "data":
            parts += ["### data.test, and each of data.train\n", table(schema["$defs"]["SourceSettings"]["properties"])]
    return "\n".join(parts)


def table(fields: dict[str, dict[str, Any]], prefix: str = "") -> str:
    rows = ["| setting | value | default | |", "|---|---|---|---|"]
    for name, field in fields.items():
        default = f"`{shown(field['default'])}`" if "default" in field else "must be given"
        rows.append(f"| `{prefix}{name}` | {kind(field)} | {default} | {flat(field.get('description', ''))} |")
    return "\n".join(rows) + "\n"


def shown(default: Any) -> str:
    """A default as one writes it in YAML."""
    if isinstance(default, list):
        return f"[{', '.join(map(shown, default))}]"
    words = {"True": "true", "False": "false", "None": "null", "": '""'}
    return words.get(str(default), str(default))


def kind(field: dict[str, Any]) -> str:
    """What a setting takes, from its JSON schema."""
    if "$ref" in field:
        return "a source, as below"
    if "anyOf" in field:
        return " or ".join(kind(part) for part in field["anyOf"])
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field["type"] == "array":
        pair = field.get("prefixItems")
        return f"[{', '.join(kind(item) for item in pair)}]" if pair else f"list: {kind(field['items'])}"
    return " ".join([WORDS[field["type"]], *limits(field)])


def limits(field: dict[str, Any]) -> Iterator[str]:
    """What a number must not go below or above."""
    if field.get("minimum") == 0 and field.get("maximum") == 1:
        yield "0 to 1"
        return
    signs = {"minimum": "&ge;", "exclusiveMinimum": "&gt;", "maximum": "&le;", "exclusiveMaximum": "&lt;"}
    yield from (f"{sign} {field[key]:g}" for key, sign in signs.items() if key in field)


def python_page(page: str) -> str:
    """docs/python.md: what stands above the mark is kept."""
    head = page.split(MARK)[0]
    return head + MARK + "".join(entry(name, thing) for name, thing in REFERENCE.items())


def entry(name: str, thing: Any) -> str:
    """One function, or a class with its columns and methods."""
    text = f"\n### `{name}`\n\n{prose(thing)}"
    if not inspect.isclass(thing):
        return f"\n### `{name}`\n\n{header(thing)}{prose(thing)}"
    columns = [f"- `{key}`: {flat(about)}\n" for key, about in attributes(thing).items()]
    return text + "".join(["\n", *columns] if columns else []) + "".join(methods(thing))


def methods(kind: type) -> Iterator[str]:
    """The public methods of a class, in their order."""
    for key, raw in vars(kind).items():
        method = raw.fget if isinstance(raw, property) else getattr(raw, "__func__", raw)
        public = not key.startswith("_") or key in ("__call__", "__getitem__")
        if public and inspect.isfunction(method) and method.__doc__:
            called = "" if isinstance(raw, property) else header(method)
            yield f"\n#### `{kind.__name__}.{key}`\n\n{called}{prose(method)}"


def header(function: Any) -> str:
    """A function's first lines, as they stand in the source."""
    source = textwrap.dedent(inspect.getsource(function))
    node = ast.parse(source).body[0]
    assert isinstance(node, ast.FunctionDef)
    lines = source.splitlines()[node.lineno - 1 : node.body[0].lineno - 1]
    return "```python\n" + "\n".join(lines).removesuffix(":") + "\n```\n\n"


def attributes(kind: type) -> dict[str, str]:
    """A dataclass's columns and the text below each."""
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(node, ast.ClassDef)
    return {
        field.target.id: text.value.value
        for field, text in pairwise(node.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }


def prose(thing: Any) -> str:
    """A docstring as Markdown: its sections become lists."""
    parts = re.split(r"^(Args|Returns|Raises):\n", inspect.getdoc(thing) or "", flags=re.MULTILINE)
    text = parts[0].strip() + "\n"
    for section, body in zip(parts[1::2], parts[2::2], strict=True):
        inside, *after = re.split(r"\n\n(?=\S)", body.rstrip())
        text += f"\n**{section}**\n\n{items(textwrap.dedent(inside), section)}\n"
        text += "".join(f"\n{paragraph}\n" for paragraph in after)
    return text


def items(text: str, section: str) -> str:
    """`name: what it is` of each line that is not indented, as a list; what is returned stays a paragraph."""
    if section == "Returns":
        return flat(text)
    named = (flat(item).partition(": ") for item in re.split(r"\n(?=\S)", text))
    return "\n".join(f"- `{name}`: {about}" for name, _, about in named)


def flat(text: str) -> str:
    """Text in one line, as a table or a list takes it."""
    return " ".join(text.replace("|", "\\|").split())


def zoo_page() -> str:
    """docs/model-zoo.md."""
    measured = json.loads((DOCS / "logs/backbones.json").read_text(encoding="utf-8"))
    width, height = measured["size"]
    parts = [ZOO_HEAD, WEIGHTS_HEAD, *map(weights_row, zoo.PUBLIC.values())]
    head = BACKBONES_HEAD.format(width=width, height=height, batch=measured["batch"], threads=measured["threads"])
    return "\n".join([*parts, head, *(backbone_row(*one) for one in measured["backbones"].items())]) + "\n"


def weights_row(known: zoo.PublicWeights) -> str:
    place = f"[by hand]({known.address})" if known.by_hand else f"[file]({known.address})"
    figure = known.figure or "to train from"
    return f"| `{known.name}` | {figure} | {known.megabytes} MB | {place} | {known.licence} |"


def backbone_row(name: str, row: dict[str, Any]) -> str:
    rates = dict(row.get("people_per_second", {}))
    own = f"{rates.pop('torch'):.1f}" if rates else "-"
    engine = max(rates, key=rates.__getitem__) if rates else ""
    fastest = f"{rates[engine]:.1f} ({ENGINES[engine]})" if engine else "-"
    work = f"{row['parameters'] / 1e6:.1f} M | {row['multiply_adds'] / 1e9:.2f} G | {row['fdm_multiply_adds']:.2%}"
    return f"| `{name}` | {work} | {own} | {fastest} |"


def main() -> None:
    (DOCS / "model-zoo.md").write_text(zoo_page(), encoding="utf-8")
    (DOCS / "settings.md").write_text(settings_page(), encoding="utf-8")
    python = DOCS / "python.md"
    python.write_text(python_page(python.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
