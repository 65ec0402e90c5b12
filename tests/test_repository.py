"""What is said twice is said alike: versions, what `make` and CI run, the changelog."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]


def text_of(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


VERSION = tomllib.loads(text_of("pyproject.toml"))["project"]["version"]
RELEASED = re.search(rf"^## \[{re.escape(VERSION)}\] - (\d{{4}}-\d\d-\d\d)$", text_of("CHANGELOG.md"), re.MULTILINE)


def test_the_version_comes_from_pyproject() -> None:
    assert metadata.version("rdpose") == VERSION, "an older installation: pip install -e ."
    citation = yaml.safe_load(text_of("CITATION.cff"))
    assert citation["version"] == VERSION
    assert str(citation.get("date-released")) == (RELEASED[1] if RELEASED else "None")


def test_the_changelog_is_in_the_form_of_keep_a_changelog() -> None:
    lines = text_of("CHANGELOG.md").splitlines()
    versions = [line for line in lines if line.startswith("## ")]
    assert versions[0] == "## [Unreleased]"
    for line in versions[1:]:
        assert re.fullmatch(r"## \[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", line)
    kinds = {line for line in lines if line.startswith("### ")}
    assert kinds <= {f"### {kind}" for kind in ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")}
    assert not [line for line in lines if line.startswith("  ")], "one line per change"


@pytest.mark.parametrize("target", ["check", "test", "package"])
def test_ci_runs_what_make_runs(target: str) -> None:
    steps = yaml.safe_load(text_of(".github/workflows/ci.yml"))["jobs"]["test"]["steps"]
    (step,) = (step for step in steps if step.get("name") == target)
    (recipe,) = re.findall(rf"^{target}:.*\n((?:\t.*\n)+)", text_of("Makefile"), re.MULTILINE)
    lines = [line.split("$(BIN)/")[1] for line in recipe.splitlines()]
    assert step["run"].splitlines() == lines


def test_commits_are_checked_by_the_pinned_versions() -> None:
    pins = dict(line.split("==") for line in text_of("constraints.txt").splitlines() if "==" in line)
    repositories = yaml.safe_load(text_of(".pre-commit-config.yaml"))["repos"]
    hooks = {hook["id"]: repository["rev"] for repository in repositories for hook in repository["hooks"]}
    assert hooks["ruff-check"] == hooks["ruff-format"] == f"v{pins['ruff']}"
    assert hooks["codespell"] == f"v{pins['codespell']}"
