"""The recipe that leaves out labels which a network contradicts: exchanged sides, joints that are surely elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rdpose.data import annotations
from rdpose.engine import tester
from rdpose.skeletons import COCO_17

WRIST, HIP = COCO_17.joints.index("left_wrist"), COCO_17.joints.index("left_hip")
TORSO = 100.0
"""Pixels from the left hip to the right shoulder of `file`'s people."""


@pytest.fixture
def recipe(recipes: Path):
    import doubt_labels

    return doubt_labels


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three people of all joints, 200 pixels between any two of them; the third one's hips are not labelled."""
    joints = np.stack([200.0 * np.arange(17), np.zeros(17)], axis=1)
    joints[HIP] = joints[COCO_17.joints.index("right_shoulder")] + [0, TORSO]
    rows = []
    for number in (1, 2, 3):
        visible = np.full((17, 1), 2.0)
        visible[list(COCO_17.places(["left_hip", "right_hip"]))] = 0 if number == 3 else 2
        row = {"id": number, "image_id": number, "category_id": 1, "bbox": [0, 0, 60, 60], "area": 900, "iscrowd": 0}
        rows.append(row | {"keypoints": np.concatenate([joints, visible], axis=1).ravel().tolist()})
    categories = [{"id": 1, "name": "person", "keypoints": list(COCO_17.joints), "skeleton": []}]
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 4000, "height": 400} for n in (1, 2, 3)]
    path = tmp_path / "faces.json"
    path.write_text(json.dumps({"images": images, "categories": categories, "annotations": rows}))
    return path


def found_by(people, *, far: float, sure: float) -> tester.Found:
    """The labels found again, but for a wrist that was found `far` off."""
    joints = people.joints.copy()
    joints[:, WRIST, 1] += far
    confidence = np.full(joints.shape[:2], 0.9)
    confidence[:, WRIST] = sure
    return tester.Found(np.arange(len(people)), joints, confidence)


@pytest.mark.parametrize(
    ("far", "sure", "doubted"), [(51, 0.5, True), (49, 0.9, False), (51, 0.49, False), (0, 0.9, False)]
)
def test_a_joint_is_doubted_where_the_network_is_sure_of_another_place(recipe, file, far, sure, doubted) -> None:
    people = annotations.read(file, file.parent, skeleton=COCO_17)
    exchanged, wrong = recipe.doubts(people, found_by(people, far=far, sure=sure))
    assert not exchanged.any()
    assert wrong[:, WRIST].tolist() == [doubted, doubted, False]  # the third has no torso to measure by
    assert wrong.sum() == 2 * doubted


@pytest.mark.parametrize(("count", "left_out"), [(1, False), (2, True)])
def test_whose_sides_look_exchanged_is_doubted_whole(recipe, file: Path, count: int, left_out: bool) -> None:
    people = annotations.read(file, file.parent, skeleton=COCO_17)
    found = found_by(people, far=0, sure=0.9)
    found.joints[0] = -500
    for name in ("elbow", "knee")[:count]:  # two joints each
        left, right = COCO_17.places([f"left_{name}", f"right_{name}"])
        found.joints[0, [left, right]] = people.joints[0, [right, left]]
    exchanged, _ = recipe.doubts(people, found)
    assert exchanged.tolist() == [left_out, False, False]


def test_the_written_file_lacks_what_is_doubted(recipe, file: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    people = annotations.read(file, tmp_path / "lspet/images", skeleton=COCO_17)
    found = found_by(people, far=60, sure=0.9)
    found.joints[1] = found.joints[1, list(COCO_17.flip_order)]
    monkeypatch.setattr(tester, "find_by", lambda *_, **__: (found, None))
    out = tmp_path / "sound.json"
    arguments = [str(file), "--weights", "w.safetensors", "--shared", str(tmp_path), "--out", str(out)]
    monkeypatch.setattr("sys.argv", ["doubt_labels.py", *arguments])
    recipe.main()
    again = annotations.read(out, tmp_path, skeleton=COCO_17)
    assert again.person_id.tolist() == [1, 3]
    assert (again.visible[:, WRIST] > 0).tolist() == [False, True]
    assert (again.visible[0] > 0).sum() == 16
    assert capsys.readouterr().out.strip() == f"{out}: 2 of 3 people; of theirs, 1 joints are left out"
