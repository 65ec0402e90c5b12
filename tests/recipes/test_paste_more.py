"""The recipe that pastes more crowds: both sets are written from real people, and left alone once they are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdpose import skeletons
from rdpose.data import annotations
from rdpose.io import images as picture_files


@pytest.mark.usefixtures("recipes")
def test_both_sets_are_written_once(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import paste_more

    faces = shared_data / "lspet/annotations/lspet_val.json"
    arguments = [str(faces), "--shared", str(shared_data), "--out", str(tmp_path), "--scale", "0.0005"]
    monkeypatch.setattr("sys.argv", ["paste_more.py", *arguments])
    paste_more.main()
    files = {name: tmp_path / f"annotations/person_keypoints_{name}.json" for name in ("lspet", "coco")}
    for name, pictures in (("lspet", 4), ("coco", 2)):
        people = annotations.read(files[name], tmp_path / "images" / name, skeleton=skeletons.COCO_17)
        assert len(people.image_id) == pictures
        assert pictures < len(people) <= 3 * pictures
        assert picture_files.read(people.image_path(pictures - 1)).any()
    written = {file: file.stat().st_mtime_ns for file in files.values()}
    paste_more.main()
    assert {file: file.stat().st_mtime_ns for file in files.values()} == written
