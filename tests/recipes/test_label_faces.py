"""The recipe that gives Leeds Sports faces: what lies at a labelled head is kept, and labelled joints stay theirs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rdpose import skeletons
from rdpose.data import annotations

JOINTS = [*skeletons.COCO_17.joints[5:], "head", "neck"]


@pytest.fixture
def recipe(recipes: Path):
    import label_faces

    return label_faces


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two people of 14 joints; the second one's head top is not labelled."""
    people = []
    for number, head_visible in enumerate((2, 0), start=1):
        keypoints = [value for place in range(12) for value in (10 + place, 40 + place, 2)]
        keypoints += [50, 10, head_visible, 50, 30, 2]
        people.append(
            {"id": number, "image_id": number, "category_id": 1, "bbox": [0, 0, 60, 60], "area": 900, "iscrowd": 0}
            | {"keypoints": keypoints, "num_keypoints": 13}
        )
    content = {
        "images": [{"id": n, "file_name": f"{n}.jpg", "width": 64, "height": 64} for n in (1, 2)],
        "categories": [{"id": 1, "name": "person", "keypoints": JOINTS, "skeleton": []}],
        "annotations": people,
    }
    path = tmp_path / "lspet.json"
    path.write_text(json.dumps(content))
    return path


def test_a_joint_is_kept_within_reach_of_a_labelled_head(recipe, file: Path) -> None:
    people = annotations.read(file, file.parent, skeleton=skeletons.COCO_17)
    middle, length = recipe.heads(json.loads(file.read_text()), people)
    assert middle[0].tolist() == [50, 20]
    assert length.tolist() == [20, 0]
    face = np.array([[[50, 20], [50 + 13.9, 20], [50, 20 + 14.1]]] * 2, np.float32)
    assert recipe.at_head(face, middle, length).tolist() == [[True, True, False], [False] * 3]


def test_the_written_file_has_faces_and_the_labels_that_there_were(recipe, file: Path, tmp_path: Path) -> None:
    people = annotations.read(file, file.parent, skeleton=skeletons.COCO_17)
    labelled = people.joints.copy()
    people.joints[0, 0], people.visible[0, 0] = (48, 21), 2
    out = tmp_path / "faces.json"
    out.write_text(json.dumps(recipe.with_joints(json.loads(file.read_text()), people)))
    again = annotations.read(out, file.parent, skeleton=skeletons.COCO_17)
    assert again.joints[0, 0].tolist() == [48, 21]
    assert (again.visible > 0).sum(axis=1).tolist() == [13, 12]
    assert np.array_equal(again.joints[:, 5:], labelled[:, 5:])


def test_people_whose_eyes_contradict_their_torso_are_left_out(recipe, file: Path, tmp_path: Path) -> None:
    """Shoulders and hips of the fixture have left before right; the second person's eyes are the other way round."""
    people = annotations.read(file, file.parent, skeleton=skeletons.COCO_17)
    people.joints[:, 1:3], people.visible[:, 1:3] = [[[40, 20], [45, 25]], [[45, 25], [40, 20]]], 2
    assert recipe.contradicting(people).tolist() == [False, True]
    kept = tmp_path / "kept.json"
    content = recipe.with_joints(json.loads(file.read_text()), recipe.without_contradictions(people))
    kept.write_text(json.dumps(content))
    assert annotations.read(kept, file.parent, skeleton=skeletons.COCO_17).person_id.tolist() == [1]
    people.joints[..., 1] = 90 - people.joints[..., 1]  # on their heads: both stay, one without a face
    assert (recipe.without_contradictions(people).visible[:, :5] > 0).sum(axis=1).tolist() == [2, 0]
    assert not recipe.contradicting(people).any()
