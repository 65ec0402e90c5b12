"""COCO-format files as people have them: complete, incomplete, wrong, and the real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rdpose import geometry, skeletons
from rdpose.data import annotations
from rdpose.data.people import People

JOINTS = ["head", "left_hip", "right_hip"]
CATEGORY = {"id": 1, "name": "person", "keypoints": JOINTS, "skeleton": [[1, 2], [1, 3], [3, 9]]}


def person(identity: int, image: int = 7, box: Any = (10, 20, 30, 40), **more: Any) -> dict[str, Any]:
    row = {"id": identity, "image_id": image, "category_id": 1, "iscrowd": 0, "area": 500.0}
    return row | {"bbox": list(box), "keypoints": [11, 21, 2, 12, 22, 1, 0, 0, 0], "num_keypoints": 2} | more


def coco(*people: dict[str, Any], **more: Any) -> dict[str, Any]:
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 100, "height": 80} for i in (9, 7)]
    return {"images": images, "annotations": list(people), "categories": [CATEGORY]} | more


@pytest.fixture
def write(tmp_path: Path):
    def write(content: Any) -> Path:
        path = tmp_path / "people.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


@pytest.fixture
def read(write, tmp_path: Path):
    def read(content: Any, **options: Any) -> People:
        return annotations.read(write(content), tmp_path / "images", **options)

    return read


def test_columns(read, tmp_path: Path) -> None:
    people = read(coco(person(5), person(3, image=9, box=(0, 0, 50, 60), area=7, iscrowd=1)))
    assert people.image_id.tolist() == [9, 7]
    assert people.image_size.tolist() == [[100, 80]] * 2
    assert people.image_path(1) == str(tmp_path / "images" / "7.jpg")
    assert people.person_id.tolist() == [3, 5]
    assert people.image_index.tolist() == [0, 1]
    assert people.box_xywh.tolist() == [[0, 0, 49, 59], [10, 20, 29, 39]]
    assert people.joints[1].tolist() == [[11, 21], [12, 22], [0, 0]]
    assert people.visible.tolist() == [[2, 1, 0], [2, 1, 0]]
    assert people.area.tolist() == [7, 500]
    assert people.crowd.tolist() == [True, False]
    assert people.trainable().tolist() == [1]
    assert (people.skeleton.joints, people.skeleton.limbs) == (tuple(JOINTS), ((0, 1), (0, 2)))
    assert (people.skeleton.flip_pairs, people.category_id, people.skipped) == (((1, 2),), 1, {})


@pytest.mark.parametrize(
    ("box", "kept"),
    [
        ((10, 20, 30, 40), [10, 20, 29, 39]),
        ((-10, -5, 30, 40), [0, 0, 29, 39]),  # the family's rule: the width is counted from the picture's edge
        ((90, 70, 30, 40), [90, 70, 9, 9]),
        ((-50, 0, 30, 40), None),
        ((10, -41, 30, 40), None),
        ((120, 20, 30, 40), None),
        ((10, 20, 0, 40), None),
        ((10, 20, 30, -4), None),
        ((10, 20, float("nan"), 4), None),
        ((10, 20, 30), None),
        ((), None),
    ],
)
def test_boxes_are_clipped_or_left_out(read, box: tuple[float, ...], kept: list[float] | None) -> None:
    people = read(coco(person(1, box=box), person(2)))
    assert len(people) == (2 if kept else 1)
    assert people.box_xywh[0].tolist() == (kept or [10, 20, 29, 39])
    assert sum(people.skipped.values()) == (0 if kept else 1)


def test_what_is_passed_over_is_counted(read) -> None:
    other = {"id": 2, "name": "dog"}
    content = coco(person(1), person(2, image=99), person(3, category_id=2, keypoints=[1]), person(4, bbox=None))
    people = read(content | {"categories": [other, CATEGORY]})
    assert people.person_id.tolist() == [1]
    assert people.skipped == {
        "of another category": 1,
        "of a picture that the file does not list": 1,
        "without a box, or one that is empty or outside its picture": 1,
    }


def test_what_files_leave_out(read) -> None:
    bare = {"id": 4, "image_id": 7, "bbox": [10, 20, 30, 40]}
    people = read({"images": [{"id": 7, "file_name": "7.jpg"}], "annotations": [bare], "categories": [CATEGORY]})
    assert people.area.tolist() == [pytest.approx(0.53 * 30 * 40)]
    assert people.visible.tolist() == [[0, 0, 0]]
    assert people.image_size.tolist() == [[0, 0]]
    assert people.box_xywh.tolist() == [[10, 20, 29, 39]]
    assert not people.crowd.any()
    assert len(people.trainable()) == 0


@pytest.mark.parametrize(
    ("more", "column", "expected"),
    [
        ({"area": 0}, "area", 0.53 * 1200),
        ({"area": None}, "area", 0.53 * 1200),
        ({"ignore": 1}, "crowd", False),
        ({"ignore": 1, "keypoints": [0] * 9}, "crowd", True),
        ({"iscrowd": 1}, "crowd", True),
        ({"num_keypoints": 0}, "visible", [2, 1, 0]),
        ({"keypoints": [1, 2, 9, 1, 2, -1, 5, 5, 0]}, "visible", [2, 0, 0]),
        ({"keypoints": [1, 2, 2, float("nan"), 2, 2, 5, 5, 0]}, "visible", [2, 0, 0]),
        ({"keypoints": [1, 2, 2, float("nan"), 2, 2, 5, 5, 0]}, "joints", [[1, 2], [0, 0], [0, 0]]),
        ({"keypoints": [0] * 9}, "visible", [0, 0, 0]),
    ],
)
def test_one_meaning_for_each_oddity(read, more: dict[str, Any], column: str, expected: Any) -> None:
    people = read(coco(person(1, **more)))
    np.testing.assert_allclose(getattr(people, column)[0], expected, rtol=1e-6)


def test_pictures_without_people(read) -> None:
    people = read({"images": coco()["images"], "categories": [{"id": 1, "name": "person"}]}, skeleton=skeletons.COCO_17)
    assert (len(people), people.num_images, people.joints.shape) == (0, 2, (0, 17, 2))
    assert people.people_of(1).tolist() == []


def test_a_picture_listed_twice_is_taken_once(read) -> None:
    content = coco(person(1))
    content["images"] *= 2
    assert read(content).image_id.tolist() == [9, 7]


def test_joints_are_found_by_name(read) -> None:
    wanted = skeletons.from_names(["Right Hip", "nose", "Head"])
    people = read(coco(person(1)), skeleton=wanted)
    assert people.joints[0].tolist() == [[0, 0], [0, 0], [11, 21]]
    assert people.visible[0].tolist() == [0, 0, 2]
    unnamed = [{"id": 1, "name": "person"}]
    assert read(coco(person(1), categories=unnamed), skeleton=wanted).visible[0].tolist() == [2, 1, 0]


def test_categories_with_equal_joints_are_read_together(read) -> None:
    cat = CATEGORY | {"id": 4, "name": "cat"}
    content = coco(person(1, category_id=4), person(2, category_id=6))
    both = read(content | {"categories": [cat, cat | {"id": 6, "name": "lynx"}]})
    assert (len(both), both.category_id) == (2, 4)
    with pytest.raises(ValueError, match="different joints and none called person"):
        read(content | {"categories": [cat, {"id": 6, "name": "fish", "keypoints": ["fin"]}]})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("{not json", "not a whole JSON file"),
        ("[]", "not in COCO format"),
        ({"images": {}, "annotations": 5}, "not in COCO format"),
        ({"images": [1, 2]}, "not in COCO format"),
        ({"a": 1}, "lists no pictures"),
        (coco(images=[]), "lists no pictures"),
        (coco(images=[{"id": 1}]), "row 0 has no `file_name`"),
        (coco(images=[{"id": [1], "file_name": "x"}]), "`id` holds lists; each row needs one"),
        (coco(images=[{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}]), "the picture id 1 to several files"),
        (coco(person(1), categories=[]), "does not name its joints"),
        (coco(person(3, keypoints=[1, 2, 2] * 4)), "annotation 3 has 4 joints where the skeleton people has 3"),
        (coco(person(3, keypoints=["a"] * 9)), "a `keypoints` holds something else than numbers"),
        (coco(person(3, box=["a"] * 4)), "a `bbox` holds something else than numbers"),
        (coco({"id": 1}), "row 0 has no `image_id`"),
    ],
)
def test_files_that_are_wrong(read, content: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        read(content)
    assert "people.json" in str(error.value)


def test_a_skeleton_that_does_not_fit(read) -> None:
    with pytest.raises(ValueError, match="none of the joints of the skeleton own: it names head"):
        read(coco(person(1)), skeleton=skeletons.from_names(["wheel", "door", "light"]))
    with pytest.raises(ValueError, match="has 3 joints where the skeleton coco has 17"):
        read(coco(person(1), categories=[]), skeleton=skeletons.COCO_17)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.json does not exist"):
        annotations.read(tmp_path / "none.json", tmp_path)
    with pytest.raises(ValueError, match="is a folder"):
        annotations.read(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("file", "pictures", "people", "trainable", "crowds", "skeleton"),
    [
        ("samples/coco/test_coco.json", 4, 14, 12, 0, "coco"),
        ("samples/crowdpose/test_crowdpose.json", 2, 5, 4, 0, "crowdpose"),
        ("samples/ochuman/test_ochuman.json", 3, 5, 5, 0, "coco"),
        ("samples/aic/test_aic.json", 3, 9, 9, 0, "test_aic"),
        ("samples/posetrack18/annotations/test_posetrack18_val.json", 3, 14, 14, 0, "test_posetrack18_val"),
        ("labels_only/crowdpose_val.json", 2000, 8527, 7962, 106, "crowdpose"),
        ("labels_only/person_keypoints_val2017_part.json", 509, 2087, 1275, 45, "coco"),
        ("jai_alai/annotations/jai_alai.json", 71, 166, 166, 0, "coco"),
        ("lspet/annotations/lspet_val.json", 499, 499, 499, 0, "crowdpose"),
    ],
)
def test_real_files(
    shared_data: Path, file: str, pictures: int, people: int, trainable: int, crowds: int, skeleton: str
) -> None:
    found = annotations.read(shared_data / file, "images")
    assert (found.num_images, len(found), int(found.crowd.sum())) == (pictures, people, crowds)
    assert (len(found.trainable()), found.skeleton.name) == (trainable, skeleton)
    assert geometry.valid_boxes(found.box_xywh).all()
    assert (found.area > 0).all()


def test_real_names_and_folders(shared_data: Path) -> None:
    aic = annotations.read(shared_data / "samples/aic/test_aic.json", "x", skeleton=skeletons.CROWDPOSE_14)
    assert (aic.visible.sum(axis=0) > 0).tolist() == [True] * 12 + [False, True]  # AIC's head_top is no head
    track = annotations.read(
        shared_data / "samples/posetrack18/annotations/test_posetrack18_val.json", shared_data / "samples/posetrack18"
    )
    assert Path(track.image_path(0)).is_file()


def test_loading_equals_a_reading_by_hand(shared_data: Path) -> None:
    path = shared_data / "labels_only/person_keypoints_val2017_part.json"
    people, content = annotations.read(path, "x"), json.loads(path.read_text())
    by_id = {row["id"]: row for row in content["annotations"]}
    for row in range(0, len(people), 7):
        source = by_id[people.person_id[row]]
        assert people.image_id[people.image_index[row]] == source["image_id"]
        flags = np.array(source["keypoints"][2::3])
        assert people.visible[row].tolist() == flags.tolist()
        assert people.joints[row, :, 0][flags > 0].tolist() == np.array(source["keypoints"][::3])[flags > 0].tolist()


@pytest.mark.parametrize("place", [float("nan"), float("inf"), None])
def test_a_label_without_a_place_is_counted_and_taken_as_unlabelled(place: float | None, write) -> None:
    nowhere = [place, 21, 2, 12, 22, 1, place, place, 0]  # the third is unlabelled anyway
    people = annotations.read(write(coco(person(1, keypoints=nowhere), person(2))), "")
    assert people.visible.tolist() == [[0, 1, 0], [2, 1, 0]]
    assert people.skipped == {"labels whose place is not a number": 1}
    assert "1 labels whose place is not a number" in people.summary()
