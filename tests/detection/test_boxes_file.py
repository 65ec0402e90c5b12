"""Boxes of a file are found by a picture's name or number."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from rdpose.detection import DetectionsFile

PICTURE = np.zeros((50, 60, 3), np.uint8)
BOX = [10, 20, 30, 25]
ANNOTATIONS = {
    "images": [{"id": 7, "file_name": "train/street.jpg"}],
    "annotations": [
        {"image_id": 7, "category_id": 1, "bbox": BOX},
        {"image_id": 7, "category_id": 1, "bbox": BOX, "iscrowd": 1},
    ],
}


def row(**keys: object) -> dict:
    return {"category_id": 1, "bbox": BOX, "score": 0.5} | keys


@pytest.mark.parametrize(
    ("content", "name", "image_id"),
    [
        ([row(image_id=785)], "val/000000000785.jpg", 785),
        ([row(image_id=785)], "COCO_val2014_000000000785.jpg", 785),
        ([row(file_name="street.jpg")], "street.jpg", None),
        ([row(file_name="a/street.jpg")], "a/street.jpg", None),
        ([row(file_name="street.jpg")], "b/street.jpg", None),
        ([row(file_name="street.jpg")], "pictures.zip@street.jpg", None),
        ([row(file_name="a/street.jpg", image_id=3)], "pictures.zip@a/street.jpg", 3),
        ([row(file_name="street.jpg", image_id=3)], "street.jpg", 3),
        ([row(image_id="street.jpg")], "street.jpg", None),
        ([row(image_id=12)], "12", 12),
        ([row(image_id=12)], "street.mp4/12", 12),
        ([row(file_name="street.mp4", image_id=12), row(file_name="other.mp4", image_id=12)], "street.mp4/12", None),
        ([row(file_name="street.mp4", image_id=12)], "videos/street.mp4/12", None),
        ([row(file_name="street.mp4")], "videos/street.mp4/12", None),
        ([row(file_name="clips/street.mp4", image_id=12)], "street.mp4/12", None),
        ([row(image_id="12")], "street.mp4/12", 12),
        ([row(image_id=785.0, category_id=1.0)], "val/000000000785.jpg", 785),
        ([row(image_id="000000000785", category_id="1")], "val/000000000785.jpg", 785),
        ([row(image_id=float("nan"), file_name="street.jpg")], "street.jpg", None),
        ([row(file_name="street")], "val/street.jpg", None),
        ([row(file_name="val/street")], "val/street.jpg", None),
        ([row(file_name="street", image_id=3.0)], "val/street.jpg", 3),
        ([row(file_name="street.jpg", image_id="a")], "street.jpg", "a"),
        ([row(file_name="000012")], "000012.jpg", None),
        ([row(file_name="street.mp4", image_id=12.0)], "street.mp4/12", None),
        ([row(file_name="000012.jpg")], "street.mp4/000012.jpg", None),
        ([row(file_name="val\\street.jpg")], "val/street.jpg", None),
        ([row(file_name="val\\street.jpg", image_id=3)], "street.jpg", 3),
        (ANNOTATIONS, "street.jpg", 7),
        (ANNOTATIONS, "train/street.jpg", 7),
    ],
)
def test_a_picture_is_found(tmp_path: Path, content: object, name: str, image_id: object) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(content))
    file = DetectionsFile.read(path)
    assert name in file
    assert file.image_id(name) == image_id
    boxes, scores = file(PICTURE, name)
    assert boxes.tolist() == [[10, 20, 40, 45]]
    assert len(scores) == 1


@pytest.mark.parametrize(
    ("listed", "person"),
    [
        ([(0, "car"), (1, "bus")], 1),  # COCO's number
        ([(0, "car"), (5, "Person")], 5),
        ([(0, "pedestrian")], 0),
        ([(0, "street"), (1, "pedestrian")], 1),
        ([], 1),
    ],
)
def test_people_of_files_without_joints(tmp_path: Path, listed: list[tuple[int, str]], person: int) -> None:
    rows = [row(image_id=7, category_id=number) for number in (0, 1, 5)]
    categories = [{"id": number, "name": name} for number, name in listed]
    content = {"images": ANNOTATIONS["images"], "annotations": rows, "categories": categories}
    rows[(0, 1, 5).index(person)]["bbox"] = [1, 2, 3, 4]
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    assert DetectionsFile.read(tmp_path / "boxes.json")(PICTURE, "street.jpg").boxes_xyxy.tolist() == [[1, 2, 4, 6]]


def test_boxes_of_one_video_are_not_anothers() -> None:
    file = DetectionsFile([row(file_name="street.mp4", image_id=number) for number in range(3)])
    assert "street.mp4/2" in file
    assert "street.mp4/3" not in file
    assert "other.mp4/2" not in file


@pytest.mark.parametrize("name", ["photo7.jpg", "7.jpg", "other/photo.jpg"])
def test_a_picture_that_the_annotations_do_not_list_has_nobody(tmp_path: Path, name: str) -> None:
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(ANNOTATIONS))
    file = DetectionsFile.read(path)
    assert name not in file
    assert file.image_id(name) is None
    assert file.image_id("7") == 7  # the frame of a video


def test_a_number_that_the_file_gives_to_another_name_is_not_guessed() -> None:
    rows = [row(image_id=0, file_name="IMG_0.jpg"), row(image_id=1, file_name="IMG_2.jpg"), row(image_id=5)]
    file = DetectionsFile(rows)
    found = {name: file.image_id(name) for name in ("IMG_0.jpg", "IMG_1.jpg", "IMG_2.jpg", "IMG_5.jpg")}
    assert found == {"IMG_0.jpg": 0, "IMG_1.jpg": None, "IMG_2.jpg": 1, "IMG_5.jpg": 5}
    assert "IMG_1.jpg" not in file
    assert "IMG_1" not in file


def test_boxes_of_a_whole_video_are_not_those_of_a_picture_called_after_it() -> None:
    assert "street.mp4.jpg" not in DetectionsFile([row(file_name="street.mp4")])


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([], "it is empty, without a single row"),
        ([row(image_id=1, category_id=0)] * 4, "all 4 rows are of category 0, people are 1; write"),
        (
            [row(image_id=1, category_id=0)] * 2 + [row(image_id=1, iscrowd=1)],
            r"2 rows .* 0, 1 rows are groups \(iscrowd",
        ),
        ([row(image_id=1, category_id=0), row(image_id=1)], None),
    ],
)
def test_why_a_file_has_nobody(rows: list[dict], fault: str | None) -> None:
    found = DetectionsFile(rows).fault
    assert found is None if fault is None else re.match(fault, str(found))


def test_the_first_picture_of_a_file() -> None:
    assert DetectionsFile([row(image_id=3, category_id=0), row(image_id=99)]).first == 99
    assert DetectionsFile([row(image_id=99)], names={99: "a/99.jpg"}).first == "a/99.jpg"
    with pytest.raises(ValueError, match="the file of boxes has nobody: it is empty"):
        _ = DetectionsFile([]).first


def test_others_are_left_out_and_the_best_come_first() -> None:
    rows = [row(image_id=1, score=s) for s in (0.2, 0.4, 0.9)]
    rows += [row(image_id=1, category_id=2), row(image_id=1, bbox=[1, 1, 0, 5]), row(image_id=2)]
    boxes, scores = DetectionsFile(rows, min_score=0.3)(PICTURE, "1.jpg")
    assert scores.tolist() == pytest.approx([0.9, 0.4])
    assert boxes.shape == (2, 4)
    for name in ("3.jpg", "street.jpg"):
        assert name not in DetectionsFile(rows)
        assert DetectionsFile(rows)(PICTURE, name).boxes_xyxy.shape == (0, 4)


def test_what_is_unsure_or_infinite_is_left_out() -> None:
    """Without a warning, which would be an error here."""
    inf, nan = float("inf"), float("nan")
    rows = [row(image_id=1, score=s) for s in (0.2, 0.4, 0.1, nan)]
    rows += [row(image_id=1, bbox=box) for box in ([inf, 0, 5, 5], [inf, 0, -inf, 5], [0, 0, inf, 5], [0, 0, 1e300, 5])]
    file = DetectionsFile(rows, min_score=0.3)
    assert file(PICTURE, "1.jpg").scores.tolist() == pytest.approx([0.4])


@pytest.mark.parametrize(
    "content", [{"images": 3}, [1], [{"image_id": 1}], [{"bbox": BOX}], [row(image_id=1, bbox=[1])]]
)
def test_other_files_are_named(tmp_path: Path, content: object) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"boxes\.json is no file of boxes"):
        DetectionsFile.read(path)
