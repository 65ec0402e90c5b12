"""Shared fixtures: real data and golden outputs where they are present, small data sets that the tests write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("RDPOSE_SHARED", REPOSITORY.parent / "shared"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real pictures and annotation files; skips where it is not on this machine."""
    if not (SHARED / "data").is_dir():
        pytest.skip("needs ../shared/data (real pictures); set RDPOSE_SHARED to its parent folder")
    return SHARED / "data"


@pytest.fixture(scope="session")
def golden() -> Path:
    """The published implementations' answers, as kept in the tests."""
    return Path(__file__).parent / "golden"
