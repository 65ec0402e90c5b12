"""Detected boxes as people: in the pictures of an annotation file, as the detector gave them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rdpose import skeletons
from rdpose.data import annotations, detections
from rdpose.data.people import People, assemble, concatenate


@pytest.fixture
def truth() -> People:
    return assemble(
        image_index=np.zeros(1),
        box_xywh=np.ones((1, 4)),
        image_id=np.array([7, 9]),
        image_name=np.array(["7.jpg", "9.jpg"]),
        image_size=np.array([[100, 80], [0, 0]]),
        image_root="images.zip@",
        skeleton=skeletons.CROWDPOSE_14,
    )


def box(image: int = 7, score: float = 0.9, bbox: Any = (10, 20, 30, 40), **more: Any) -> dict[str, Any]:
    return {"image_id": image, "category_id": 1, "bbox": list(bbox), "score": score} | more


def read(tmp_path: Path, truth: People, content: Any, **options: Any) -> People:
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(content))
    return detections.read(path, truth, **options)


def test_columns(tmp_path: Path, truth: People) -> None:
    people = read(tmp_path, truth, [box(9, 0.5), box(7, 0.25, (-5, 70, 30, 40))])
    assert people.person_id.tolist() == [1, 0]
    assert people.image_index.tolist() == [0, 1]
    assert people.score.tolist() == [0.25, 0.5]
    assert people.box_xywh[0].tolist() == [-5, 70, 30, 40]
    assert people.visible.shape == (2, 14)
    assert not people.visible.any()
    assert people.image_path(1) == truth.image_path(1)
    assert people.area[1] == pytest.approx(0.53 * 1200)


def test_what_is_left_out_is_counted(tmp_path: Path, truth: People) -> None:
    rows = [
        *(box(), box(score=0.1), box(score=float("nan")), box(8), box(category_id=3), box(bbox=(120, 0, 5, 5))),
        *(box(bbox=(1, 2, 0, 5)), box(bbox=(1, 2, 5)), box(9, bbox=(1200, 0, 5, 5))),
    ]
    people = read(tmp_path, truth, rows, min_score=0.2)
    assert people.person_id.tolist() == [0, 8]
    assert people.skipped == {
        "of another category": 1,
        "with a score below 0.2": 2,
        "of a picture that is not asked for": 1,
        "empty or outside its picture": 3,
    }


def test_no_boxes(tmp_path: Path, truth: People) -> None:
    people = read(tmp_path, truth, [])
    assert (len(people), people.num_images) == (0, 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"annotations": []}, "not a list of detections"),
        ([[1, 2, 3, 4]], "not a list of detections"),
        ([{"image_id": 7, "bbox": [1, 2, 3, 4]}], "row 0 has no `score`"),
        ([box(), {"score": 1, "bbox": [1, 2, 3, 4]}], "row 1 has no `image_id`"),
        ([box(image=[7])], "`image_id` holds lists"),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, truth: People, content: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        read(tmp_path, truth, content)
    assert "boxes.json" in str(error.value)


def test_sources_are_read_one_by_one(tmp_path: Path, truth: People) -> None:
    with pytest.raises(ValueError, match="one source"):
        read(tmp_path, concatenate([truth, truth]), [box()])


def test_real_boxes(shared_data: Path) -> None:
    folder = shared_data / "samples/coco"
    truth = annotations.read(folder / "test_coco.json", folder)
    people = detections.read(folder / "test_coco_det_AP_H_56.json", truth, min_score=0.5)
    assert 12 <= len(people) < 118
    assert np.diff(people.image_index).min() >= 0
