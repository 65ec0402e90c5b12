"""Parsed files: JSON without polygons, opened at the first use; ids that are none are told alike by every reader."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rdpose import evaluation, structures
from rdpose.data import annotations, detections
from rdpose.evaluation import evaluate
from rdpose.io.parsed import ParsedFile
from rdpose.skeletons import COCO_17

Json = dict[str, Any]


@pytest.mark.parametrize(
    "segmentation",
    [[], [[1, 2.5, -3e-5]], [[1, 2], [3, 4]], {"counts": [1, 2], "size": [3, 4]}, {"counts": "a]b", "size": [3]}, None],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_nothing_but_polygons_is_emptied(tmp_path: Path, segmentation: Any, indent: int | None) -> None:
    last = {"area": 1, "segmentation": segmentation}
    row = {"segmentation": segmentation, "bbox": [1, 2, 3, 4], "note": 'a "segmentation": [1] in words', "tail": [last]}
    path = tmp_path / "file.json"
    path.write_text(json.dumps([row, row], indent=indent))
    emptied = [] if isinstance(segmentation, list) else segmentation
    expected = row | {"segmentation": emptied, "tail": [last | {"segmentation": emptied}]}
    assert ParsedFile(path).content == [expected, expected]
    assert ParsedFile(path, polygons=True).content == [row, row]


def test_a_file_is_opened_at_its_first_use_and_then_no_more(tmp_path: Path) -> None:
    file = ParsedFile(tmp_path / "file.json")
    with pytest.raises(FileNotFoundError, match=r"file\.json does not exist"):
        _ = file.content
    file.path.write_text(json.dumps({"images": [{"id": 1}], "annotations": None}))
    assert file.images == [{"id": 1}]
    file.path.unlink()
    assert file.annotations == file.categories == []


def people(**changes: Any) -> Json:
    """Two labelled people in two pictures, the second with changes."""
    row = {"category_id": 1, "bbox": [5, 5, 50, 50], "area": 900, "iscrowd": 0, "keypoints": [10, 10, 2] * 17}
    rows = [row | {"id": number, "image_id": number} for number in (1, 2)]
    images = [{"id": number, "file_name": f"{number}.jpg", "width": 90, "height": 90} for number in (1, 2)]
    category = {"id": 1, "name": "person", "keypoints": list(COCO_17.joints)}
    return {"images": images, "annotations": [rows[0], rows[1] | changes], "categories": [category]}


def poses(**changes: Any) -> list[Json]:
    rows = [
        {"image_id": number, "category_id": 1, "keypoints": [10, 10, 1] * 17, "score": 1.0, "annotation_id": number}
        for number in (1, 2)
    ]
    return [rows[0], rows[1] | changes]


READERS_OF_LABELS: dict[str, Callable[[Path], Any]] = {
    "people": lambda path: annotations.read(path, ""),
    "coco": lambda path: evaluate(poses(), path),
    "pck": lambda path: evaluate(poses(), path, metric="pck"),
    "misassignment": lambda path: evaluation.misassignment(poses(), path),
}
READERS_OF_RESULTS: dict[str, Callable[[Path, Path], Any]] = {
    "coco": lambda path, labels: evaluate(path, labels),
    "pck": lambda path, labels: evaluate(path, labels, metric="pck"),
    "misassignment": lambda path, labels: evaluation.misassignment(path, labels),
    "structures": lambda path, labels: structures.read_results(path),
}


@pytest.mark.parametrize("key", ["id", "image_id"])
@pytest.mark.parametrize("read", READERS_OF_LABELS.values(), ids=READERS_OF_LABELS)
def test_labels_whose_id_is_no_id(tmp_path: Path, read: Callable[[Path], Any], key: str) -> None:
    path = tmp_path / "labels.json"
    for identity, message in ((float("nan"), "holds something else than int64"), (None, "row 1 has no")):
        path.write_text(json.dumps(people(**{key: identity})))
        with pytest.raises(ValueError, match=rf"labels\.json: .*{message}"):
            read(path)


@pytest.mark.parametrize("read", READERS_OF_LABELS.values(), ids=READERS_OF_LABELS)
def test_an_id_may_be_written_as_text_or_with_a_point(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(people()))
    expected = read(path)
    for identity in ("2", " 2", 2.0):
        path.write_text(json.dumps(people(id=identity, image_id=identity)))
        found = read(path)
        if isinstance(expected, annotations.People):
            assert found.person_id.tolist() == expected.person_id.tolist() == [1, 2]
            assert found.image_index.tolist() == expected.image_index.tolist()
        else:
            assert str(found) == str(expected)


@pytest.mark.parametrize("identity", [float("nan"), None])
@pytest.mark.parametrize("read", READERS_OF_RESULTS.values(), ids=READERS_OF_RESULTS)
def test_results_whose_picture_is_no_id(
    tmp_path: Path, read: Callable[[Path, Path], Any], identity: float | None
) -> None:
    labels, path = tmp_path / "labels.json", tmp_path / "results.json"
    labels.write_text(json.dumps(people()))
    path.write_text(json.dumps(poses(image_id=identity)))
    with pytest.raises(ValueError, match=rf"results\.json: result 1 has the `image_id` {identity}; ids are numbers"):
        read(path, labels)


@pytest.mark.parametrize(
    ("identity", "message"), [(float("nan"), "holds something else than int64"), (None, "row 0 has no")]
)
def test_boxes_whose_picture_is_no_id(tmp_path: Path, identity: float | None, message: str) -> None:
    labels, path = tmp_path / "labels.json", tmp_path / "boxes.json"
    labels.write_text(json.dumps(people()))
    path.write_text(json.dumps([{"image_id": identity, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]))
    with pytest.raises(ValueError, match=rf"boxes\.json: .*{message}"):
        detections.read(path, annotations.read(labels, ""))
