"""Candidates in files, in several sources and in crops: their shape, their order, and that others' samples stay."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from rdpose import skeletons
from rdpose.config.schema import AugmentSettings, NeighbourSettings
from rdpose.data import annotations, candidates
from rdpose.data.loaders import CropDataset
from rdpose.data.people import People, concatenate
from rdpose.data.transforms import View
from rdpose.io import files

SIZE = (64, 96)
STILL = AugmentSettings(flip=0, scale=0, rotation=0, half_body=0)
CALM = NeighbourSettings(withhold=0, miss=0, double=0, invent=0, shift=0)
TWO = skeletons.from_names(["left_hip", "right_hip"], name="two")
ONE_EACH = [10, 20, 0.5, 30, 40, 0.25]
TWO_EACH = [10, 20, 0.5, 11, 21, 0.1, 30, 40, 0.25, 31, 41, 0.0]


def write(folder: Path, *several: object, joints: tuple[str, ...] = TWO.joints) -> People:
    """People with these `candidates`, None for none, read as `TWO`."""
    rows = [
        {"id": number, "image_id": 1, "category_id": 1, "bbox": [0, 0, 50, 60], "keypoints": [5, 6, 2, 7, 8, 0]}
        | ({} if one is None else {"candidates": one})
        for number, one in enumerate(several)
    ]
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 100, "height": 100}],
        "categories": [{"id": 1, "name": "person", "keypoints": list(joints), "skeleton": []}],
        "annotations": rows,
    }
    path = folder / f"{len(list(folder.iterdir()))}.json"
    files.write_json(path, content)
    return annotations.read(path, folder, skeleton=TWO)


def test_a_file_without_candidates_has_none(tmp_path: Path) -> None:
    for people in (write(tmp_path, None, None), write(tmp_path, [], None), write(tmp_path)):
        assert people.candidates.shape == (len(people), 2, 0, 3)
        assert concatenate([people, people]).candidates.shape == (2 * len(people), 2, 0, 3)


def test_columns_of_a_file(tmp_path: Path) -> None:
    people = write(tmp_path, None, TWO_EACH)
    assert people.candidates.dtype == np.float32
    np.testing.assert_allclose(people.candidates[1], np.reshape(TWO_EACH, (2, 2, 3)))
    assert not people.candidates[0].any()


@pytest.mark.parametrize("wrong", [ONE_EACH[:-1], ONE_EACH[:3], TWO_EACH[:9]])
def test_numbers_that_do_not_fit_are_refused_with_the_remedy(tmp_path: Path, wrong: list[float]) -> None:
    with pytest.raises(ValueError, match=rf"0\.json: annotation 0 has {len(wrong)} numbers.*each of the 2 joints"):
        write(tmp_path, wrong)


def test_people_with_different_numbers_of_candidates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"annotation 0 has 6 numbers.*for every person"):
        write(tmp_path, ONE_EACH, TWO_EACH)


def test_words_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"0\.json: a `candidates` holds something else than numbers"):
        write(tmp_path, ["left", *ONE_EACH[1:]])


def test_joints_in_another_order_are_found_by_name(tmp_path: Path) -> None:
    people = write(tmp_path, ONE_EACH, joints=("right_hip", "left_hip"))
    assert people.candidates[0, :, 0].tolist() == [[30, 40, 0.25], [10, 20, 0.5]]


def test_of_a_joint_that_the_file_lacks_nothing_is_known(tmp_path: Path) -> None:
    people = write(tmp_path, ONE_EACH, joints=("right_hip", "chin"))
    assert people.candidates[0, :, 0].tolist() == [[0, 0, -1], [10, 20, 0.5]]


def test_sources_get_the_labels_of_who_has_no_candidates(tmp_path: Path) -> None:
    both = concatenate([write(tmp_path, None), write(tmp_path, ONE_EACH), write(tmp_path, TWO_EACH, None)])
    label = [[[5, 6, 1], [0, 0, 0]], [[0, 0, -1], [0, 0, 0]]]
    given = np.reshape(TWO_EACH, (2, 2, 3)).astype(np.float32)
    np.testing.assert_array_equal(both.candidates[[0, 3]], np.float32([label, label]))
    np.testing.assert_array_equal(both.candidates[2], given)
    np.testing.assert_array_equal(both.candidates[1, :, 0], np.reshape(ONE_EACH, (2, 3)).astype(np.float32))
    assert not both.candidates[1, :, 1].any()


def dataset(people: People, augment: AugmentSettings, neighbours: NeighbourSettings = CALM) -> CropDataset:
    return CropDataset(people, SIZE, augment=augment, neighbours=neighbours, max_neighbours=3, seed=0)


@pytest.fixture(scope="module")
def plain(tiny_crowd: Path) -> People:
    return annotations.read(tiny_crowd / "annotations/person_keypoints_train2017.json", tiny_crowd / "images/train2017")


@pytest.fixture(scope="module")
def taught(tiny_crowd: Path, tmp_path_factory: pytest.TempPathFactory) -> People:
    """The same people, whose candidates are the labels and a second place three pixels to the right."""
    content = json.loads((tiny_crowd / "annotations/person_keypoints_train2017.json").read_text())
    for row in content["annotations"]:
        x, y, _ = np.reshape(row["keypoints"], (17, 3)).T
        row["candidates"] = np.column_stack([x, y, 0 * x + 0.9, x + 3, y, 0 * x + 0.05]).ravel().tolist()
    path = tmp_path_factory.mktemp("taught") / "taught.json"
    files.write_json(path, content)
    return annotations.read(path, tiny_crowd / "images/train2017")


@pytest.mark.parametrize(
    "augment", [STILL, AugmentSettings(color=0.2, erase=0.5, half_body=0.5, close_up=0.5, picture_end=0.5, turn=0.2)]
)
def test_candidates_leave_everything_else_as_it_is(plain: People, taught: People, augment: AugmentSettings) -> None:
    one, other = (dataset(people, augment, NeighbourSettings()) for people in (plain, taught))
    for index in range(len(one)):
        expected, found = one[1, index], other[1, index]
        assert found.pop("candidates").shape == (17, 2, 3)
        assert expected.keys() == found.keys()
        assert all(torch.equal(expected[key], found[key]) for key in expected)


@pytest.mark.parametrize("flip", [0, 1])
def test_they_move_and_are_mirrored_with_the_joints(taught: People, flip: int) -> None:
    crops = dataset(taught, STILL.model_copy(update={"flip": flip, "rotation": 40, "scale": 0.3}))
    checked = 0
    for index in range(len(crops)):
        sample = crops[0, index]
        seen = sample["visible"] > 0
        places, heights = sample["candidates"].split([2, 1], dim=-1)
        torch.testing.assert_close(places[seen, 0], sample["joints"][seen], rtol=0, atol=1e-3)
        torch.testing.assert_close(heights[seen, :, 0], torch.tensor([[0.9, 0.05]]).expand(int(seen.sum()), 2))
        checked += int(seen.sum())
    assert checked > 50


def test_where_the_view_ends_nothing_is_known(taught: People) -> None:
    """Of the joints that a half body's crop does not show; an unlikely candidate outside makes no difference."""
    crops = dataset(taught, STILL.model_copy(update={"half_body": 1.0, "half_body_joints": 0, "picture_end": 1.0}))
    unknown = 0
    for index in range(len(crops)):
        sample, labelled = crops[0, index], taught.visible[crops.rows[index]] > 0
        heights = sample["candidates"][..., 2]
        assert torch.equal(heights[labelled, 0] < 0, sample["visible"][labelled] == 0)
        assert torch.equal(heights[:, 0] < 0, heights[:, 1] < 0)
        unknown += int((heights[:, 0] < 0).sum())
    assert unknown > 10


def test_a_whole_persons_joint_outside_the_crop_keeps_its_height() -> None:
    everywhere = np.array([-np.inf, -np.inf, np.inf, np.inf])
    whole = View(np.zeros(2), np.ones(2), 0.0, False, np.zeros(4), False, everywhere)
    given, still = np.array([[[70.0, 5.0, 0.8]], [[1.0, 2.0, 0.3]]]), np.float32([[1, 0, 0], [0, 1, 0]])
    expected, order = given.astype(np.float32), np.array([1, 0])
    np.testing.assert_array_equal(candidates.in_view(given, whole, still, SIZE, order), expected)
    part = whole._replace(part=True)
    found = candidates.in_view(given, part, still, SIZE, order)
    assert found[:, 0, 2].tolist() == [-1, np.float32(0.3)]
    ended = whole._replace(frame_xyxy=np.array([2.0, 0.0, 100.0, 100.0]))
    assert candidates.in_view(given, ended, still, SIZE, order)[:, 0, 2].tolist() == [np.float32(0.8), -1]
    mirrored = candidates.in_view(given, whole._replace(flip=True), still, SIZE, order)
    np.testing.assert_array_equal(mirrored, expected[::-1])
