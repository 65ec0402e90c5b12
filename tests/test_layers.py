"""The architecture's rules, walked: imports point down, three laws, no work on import, short files and functions."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "src" / "rdpose"
FILES = sorted(SOURCE.rglob("*.py"))

TIERS = [
    "skeletons geometry heatmaps oks config io utils",
    "models drawing",
    "data structures",
    "checkpoints compat evaluation visualization",
    "backends report",
    "detection",
    "inference",
    "engine export predict",
    "robustness demo",
    "cli",
    "__main__ __init__",
]
"""Rooms, modules and packages right below `rdpose`, the lowest first. None imports another one of its own tier."""
TIER_OF = {name: number for number, names in enumerate(TIERS) for name in names.split()}
MAX_LINES, MAX_FUNCTION_LINES = 300, 40


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def module_of(path: Path) -> str:
    """rdpose.data.people for src/rdpose/data/people.py, rdpose.data for its __init__.py."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def part_of(module: str) -> str:
    """The module or package directly below `rdpose` that a module belongs to."""
    return module.split(".")[1] if "." in module else "__init__"


def imports_of(path: Path) -> Iterator[tuple[str, int]]:
    """Modules that a file imports, also inside functions, with the lines."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                yield (below if below in MODULES else node.module), node.lineno


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_down(path: Path) -> None:
    own = part_of(module_of(path))
    assert own in TIER_OF, f"{own} has no tier; name it here and in docs/architecture.md"
    for module, line in imports_of(path):
        if module.split(".")[0] != "rdpose":
            continue
        part = part_of(module)
        assert part == own or TIER_OF[part] < TIER_OF[own], f"{path}:{line} imports {module}, which is no lower"


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {
        module: {found for found, _ in imports_of(path) if found in MODULES and found != "rdpose"}
        for module, path in MODULES.items()
        if module != "rdpose"
    }
    graphlib.TopologicalSorter(graph).prepare()


def test_the_document_tells_the_same_tiers() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    block = re.search(r"Imports point down only.*?:\n\n((?: {4}.*\n)+)", text)
    assert block is not None
    told = [part.split() for part in block[1].replace("\n", " ").split("|")]
    assert len(told) == len(TIERS)
    for number, names in enumerate(told):
        assert {name: TIER_OF.get(name) for name in names} == dict.fromkeys(names, number)


def test_the_document_lists_every_part() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    layout = text[text.index("## Layout") : text.index("Imports point down only")]
    assert not [part for part in TIER_OF if not re.search(rf"\b{part}(\.py|/)", layout)]


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("models", "rdpose.config"),  # the network never sees the settings
        ("evaluation", "rdpose.models"),  # the metric never sees the network
        ("evaluation", "torch"),
        ("oks.py", "torch"),
        ("geometry.py", "torch"),
    ],
)
def test_laws(package: str, forbidden: str) -> None:
    paths = [path for path in FILES if name_of(path).split("/")[0] == package]
    assert paths
    for path in paths:
        found = [module for module, _ in imports_of(path) if f"{module}.".startswith(f"{forbidden}.")]
        assert not found, f"{path} imports {found}"


def test_a_shipped_network_cannot_hold_what_training_adds() -> None:
    """PDM lives outside of it: nothing that a network is made of imports it."""
    reached, open_modules = set(), ["rdpose.models.builders"]
    while open_modules:
        module = open_modules.pop()
        reached.add(module)
        open_modules += [m for m, _ in imports_of(MODULES[module]) if m in MODULES and m not in reached]
    assert "rdpose.models.rdpose" in reached
    assert not reached & {"rdpose.models.perturbation", "rdpose.engine.training_step", "rdpose.engine.trainer"}


@pytest.mark.parametrize("code", ["import rdpose", "import rdpose.cli"])
def test_importing_loads_no_torch(code: str) -> None:
    heavy = subprocess.check_output(
        [sys.executable, "-c", f"{code}; import sys; print([m for m in ('torch', 'cv2') if m in sys.modules])"]
    )
    assert heavy.decode().strip() == "[]"


def test_help_needs_no_torch() -> None:
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "rdpose", "--help"], capture_output=True, text=True, check=True
    )
    assert "train" in shown.stdout
    imported = {line.rsplit("|", 1)[1].strip() for line in shown.stderr.splitlines() if "|" in line}
    assert "rdpose.cli" in imported
    assert "torch" not in imported


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_and_functions_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1 - docstring_lines(node)
            assert length <= MAX_FUNCTION_LINES, f"{node.name} has {length} lines"


def docstring_lines(node: ast.FunctionDef) -> int:
    text = ast.get_docstring(node, clean=False)
    return 0 if text is None else text.count("\n") + 1
