"""Who is a person is told alike wherever an annotation file is read: in training, in evaluation, as boxes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rdpose import evaluation
from rdpose.data import annotations, categories, detections
from rdpose.detection import DetectionsFile

JOINTS = ["head", "foot"]
POSE = [12, 12, 2, 20, 30, 2]


def animals_and_people(path: Path, *, person: int, dog: int) -> Path:
    """A picture with a dog at the right and a person at the left; both have joints, the dog more."""
    dogs = {"id": dog, "name": "dog", "keypoints": ["nose", "tail", "paw"]}
    people = {"id": person, "name": "person", "keypoints": JOINTS}
    common = {"image_id": 5, "area": 600, "iscrowd": 0}
    content = {
        "images": [{"id": 5, "file_name": "yard.jpg", "width": 300, "height": 100}],
        "categories": [dogs, people] if dog < person else [people, dogs],
        "annotations": [
            common | {"id": 1, "category_id": dog, "bbox": [200, 10, 30, 30], "keypoints": [210, 20, 2] * 3},
            common | {"id": 2, "category_id": person, "bbox": [10, 10, 20, 30], "keypoints": POSE},
        ],
    }
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(("person", "dog"), [(1, 2), (2, 1), (0, 1)])
def test_all_readers_take_the_same_people(tmp_path: Path, person: int, dog: int) -> None:
    path = animals_and_people(tmp_path / "yard.json", person=person, dog=dog)
    people = annotations.read(path, tmp_path)
    assert people.person_id.tolist() == [2]
    boxes = DetectionsFile.read(path)(np.zeros((100, 300, 3), np.uint8), "yard.jpg").boxes_xyxy
    assert boxes.tolist() == [[10, 10, 30, 40]]
    result = {"image_id": 5, "category_id": people.category_id, "keypoints": POSE, "score": 1.0, "annotation_id": 2}
    assert evaluation.evaluate([result], path).figures["AP"] == pytest.approx(1)
    assert evaluation.misassignment([result], path).num_results == 1


def test_people_of_several_kinds_are_all_people(tmp_path: Path) -> None:
    kinds = [{"id": number, "name": name, "keypoints": JOINTS} for number, name in ((3, "man"), (4, "woman"))]
    person = {"image_id": 5, "area": 600, "iscrowd": 0, "bbox": [10, 10, 20, 30], "keypoints": POSE}
    content = {
        "images": [{"id": 5, "file_name": "yard.jpg", "width": 300, "height": 100}],
        "categories": kinds,
        "annotations": [person | {"id": number, "category_id": number} for number in (3, 4)],
    }
    path = tmp_path / "yard.json"
    path.write_text(json.dumps(content))
    people = annotations.read(path, tmp_path)
    assert (len(people), people.category_id) == (2, 3)
    box = {"image_id": 5, "bbox": [10, 10, 20, 30], "score": 0.9}
    (tmp_path / "boxes.json").write_text(json.dumps([box | {"category_id": number} for number in (3, 4, 5)]))
    assert len(detections.read(tmp_path / "boxes.json", people)) == 2
    results = [{"image_id": 5, "category_id": 3, "keypoints": POSE, "score": score} for score in (1.0, 0.5)]
    assert evaluation.evaluate(results, path).figures["AP"] == pytest.approx(1)


def test_different_joints_without_a_person_are_refused() -> None:
    listed = [{"id": 1, "name": "dog", "keypoints": ["nose"]}, {"id": 2, "name": "cat", "keypoints": ["tail"]}]
    with pytest.raises(ValueError, match=r"yard\.json has categories with different joints and none called person"):
        categories.people(listed, "yard.json")


def test_without_joints_the_person_is_told_by_name() -> None:
    assert categories.people([{"id": 7, "name": "car"}, {"id": 3, "name": "person"}], "x.json")[1] == {3}
    assert categories.people([], "x.json") == ({}, set())
