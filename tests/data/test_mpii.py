"""MPII files: from centre and scale, counted from 1, to a box and joints that give the family's crop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rdpose import geometry, skeletons
from rdpose.data import annotations
from rdpose.data.people import People


def person(image: str = "b.jpg", **more: Any) -> dict[str, Any]:
    row = {"image": image, "center": [594.0, 257.0], "scale": 3.0}
    joints = [[float(10 * i + 1), float(i + 1)] for i in range(16)]
    return row | {"joints": joints, "joints_vis": [1] * 15 + [0]} | more


def read(path: Path, content: Any, **options: Any) -> People:
    path.write_text(json.dumps(content))
    return annotations.read(path, "images", format="mpii", **options)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "valid.json"


def test_columns(file: Path) -> None:
    people = read(file, [person("b.jpg"), person("a.jpg"), person("b.jpg")])
    assert people.image_name.tolist() == ["b.jpg", "a.jpg"]
    assert people.image_index.tolist() == [0, 0, 1]
    assert people.person_id.tolist() == [0, 2, 1]
    assert people.skeleton is skeletons.MPII_16
    assert people.joints[0, :2].tolist() == [[0, 0], [10, 1]]
    assert people.visible[0].tolist() == [2] * 15 + [0]
    assert people.joints[0, 15].tolist() == [0, 0]


def test_the_crop_is_the_familys(file: Path) -> None:
    """By hand: centre (594, 257 + 15 x 3) - 1, scale 3 x 1.25, crop 200 x scale."""
    center, size = geometry.crop_region(read(file, [person()]).box_xywh[0], aspect_w_over_h=1.0)
    assert center.tolist() == [593, 301]
    assert size.tolist() == [750, 750]


def test_the_test_set_has_no_joints(file: Path) -> None:
    bare = {"image": "a.jpg", "center": [5, 5], "scale": 1}
    people = read(file, [bare, bare])
    assert people.visible.shape == (2, 16)
    assert not people.visible.any()


def test_a_missing_centre_is_left_out(file: Path) -> None:
    people = read(file, [person(center=[-1, -1]), person(), person(scale=-1)])
    assert people.person_id.tolist() == [1]
    assert people.skipped == {"without a centre or a scale": 2}


def test_other_joints_are_found_by_name(file: Path) -> None:
    people = read(file, [person()], skeleton=skeletons.COCO_17)
    assert people.joints[0, 16].tolist() == [0, 0]
    assert people.visible[0].tolist() == [0] * 5 + [2] * 4 + [0] + [2] * 7  # no face; the left wrist is unlabelled


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"images": []}, "is it in COCO format"),
        ([], "lists nobody"),
        ([person(joints=[[1, 2]] * 14)], "`joints` is not 16 x 2 numbers"),
        ([person(joints_vis=[1] * 14)], "`joints_vis` is not 16 numbers"),
        ([person(), person(joints=None)], "`joints` is not 16 x 2 numbers"),
        ([person(center=5)], "`center` is not 2 numbers"),
        ([person(scale=None)], "row 0 has no `scale`"),
    ],
)
def test_files_that_are_wrong(file: Path, content: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        read(file, content)
    assert "valid.json" in str(error.value)


def test_real_file(shared_data: Path) -> None:
    folder = shared_data / "samples/mpii"
    people = annotations.read(folder / "test_mpii.json", folder, format="mpii")
    assert (len(people), people.num_images, len(people.trainable())) == (5, 5, 5)
    assert people.joints[0, 0].tolist() == [803, 710]
    assert all(Path(people.image_path(image)).is_file() for image in range(5))


def test_a_label_without_a_place_is_counted_and_taken_as_unlabelled(file: Path) -> None:
    joints = [[10.0, 20.0]] * 15 + [[float("nan"), 20.0]]
    people = read(file, [person(joints=joints, joints_vis=[1] * 16)])
    assert people.visible.tolist() == [[2] * 15 + [0]]
    assert people.skipped == {"labels whose place is not a number": 1}
