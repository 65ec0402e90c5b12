"""Files written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from rdpose.io import files


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_files_are_readable_by_whom_the_umask_says(umask: int, mode: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        files.write_json(tmp_path / "new" / "results.json", [1])
    finally:
        os.umask(before)
    path = tmp_path / "new" / "results.json"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert [place.name for place in path.parent.iterdir()] == ["results.json"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_a_library_that_makes_the_file_anew_does_not_hide_it(tmp_path: Path) -> None:
    """As safetensors does: a file of its own, for its owner alone, put in the place of ours."""

    def write(place: Path) -> None:
        place.unlink()
        place.touch(mode=0o600)

    before = os.umask(0o022)
    try:
        files.write_atomically(tmp_path / "weights.safetensors", write)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "weights.safetensors").stat().st_mode) == 0o644


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    files.write_json(path, [1])
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(path, float("nan"))

    def fails(place: Path) -> None:
        place.write_text("half")
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        files.write_atomically(path, fails)
    assert files.read_json(path) == [1]
    assert [place.name for place in tmp_path.iterdir()] == ["results.json"]
