"""The recipe that picks people seen from behind, however they are turned, and the figures by view."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rdpose.data import annotations
from rdpose.engine import tester
from rdpose.skeletons import COCO_17

TORSO = {"left_shoulder": (12, -25), "right_shoulder": (-12, -25), "left_hip": (8, 25), "right_hip": (-8, 25)}
"""Facing the camera: what is left is on the picture's right."""


def row(number: int, degrees: float, *, behind: bool, hidden: str = "") -> dict:
    """An annotation of four joints, turned."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    keypoints = np.zeros((17, 3))
    for name, place in TORSO.items():
        side = (-1 if behind else 1, 1)
        spot = np.array([[cos, -sin], [sin, cos]]) @ np.multiply(place, side) + 50
        keypoints[COCO_17.joints.index(name)] = (*spot, 0 if name == hidden else 2)
    ids = {"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, "num_keypoints": 4}
    return ids | {"bbox": [10, 10, 80, 80], "area": 6400, "keypoints": keypoints.ravel().tolist()}


def written(rows: list[dict], path: Path) -> Path:
    """A COCO file of these people, each in a picture of its own."""
    images = [{"id": row["image_id"], "file_name": "x.jpg", "width": 100, "height": 100} for row in rows]
    categories = [{"id": 1, "name": "person", "keypoints": list(COCO_17.joints), "skeleton": []}]
    path.write_text(json.dumps({"images": images, "categories": categories, "annotations": rows}))
    return path


@pytest.mark.usefixtures("recipes")
def test_people_seen_from_behind_are_kept_with_their_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import from_behind

    rows = [row(1 + 2 * n, angle, behind=False) for n, angle in enumerate((0, 90, 150, 250))]
    rows += [row(2 + 2 * n, angle, behind=True) for n, angle in enumerate((0, 80, 180, 300))]
    rows.append(row(9, 0, behind=True, hidden="left_hip"))
    path, out = written(rows, tmp_path / "all.json"), tmp_path / "behind.json"
    monkeypatch.setattr("sys.argv", ["from_behind.py", str(path), "--out", str(out)])
    from_behind.main()
    found = json.loads(out.read_text())
    assert sorted(one["id"] for one in found["annotations"]) == [2, 4, 6, 8]
    assert sorted(image["id"] for image in found["images"]) == [2, 4, 6, 8]
    assert found["categories"] == json.loads(path.read_text())["categories"]


@pytest.mark.usefixtures("recipes")
def test_figures_by_view_count_left_found_right(tmp_path: Path) -> None:
    import shipped_figures

    rows = [row(1, 0, behind=False), row(2, 10, behind=False), row(3, 0, behind=True), row(4, 180, behind=True)]
    people = annotations.read(written(rows, tmp_path / "all.json"), tmp_path, skeleton=COCO_17)
    joints = people.joints.copy()
    joints[2] = joints[2, list(COCO_17.flip_order)]
    joints[3, COCO_17.joints.index("left_hip")] += 90
    found = tester.Found(np.arange(4), joints, np.ones((4, 17)))
    assert [line.strip() for line in shipped_figures.by_view(found, people)] == [
        "facing: 100.0 %; left found right 0 of 2",
        "from behind: 0.0 %; left found right 1 of 1",
        "upside down: 75.0 %; left found right 0 of 1",
    ]
