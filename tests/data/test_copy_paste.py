"""Pasted crowds: cut-outs cover what stands behind them, spare what stands before them, and labels say so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rdpose.data import annotations, copy_paste
from rdpose.data.people import People
from rdpose.data.synthetic import write_dataset
from rdpose.geometry import iou, xywh_to_xyxy
from rdpose.skeletons import COCO_17


@pytest.fixture(scope="module")
def singles(tmp_path_factory: pytest.TempPathFactory) -> tuple[People, Path]:
    """Ten rendered pictures of one person each, and their annotation file."""
    folder = tmp_path_factory.mktemp("singles")
    file = write_dataset(folder, num_pictures=10, seed=3, num_people=1, name="one")
    return annotations.read(file, folder / "images" / "one", skeleton=COCO_17), file


@pytest.fixture(scope="module")
def cutouts(singles: tuple[People, Path]) -> list[copy_paste.Cutout]:
    people, file = singles
    return copy_paste.read_cutouts(file, Path(people.image_roots[0]))


def test_cutouts_hold_their_joints(cutouts: list[copy_paste.Cutout]) -> None:
    assert cutouts
    for cutout in cutouts:
        height, width = cutout.mask.shape
        inside = cutout.joints[cutout.visible == 2]
        assert cutout.picture.shape == (height, width, 3)
        assert ((inside > -5) & (inside < (width + 5, height + 5))).all()


def test_a_scene_is_its_seed_s(singles: tuple[People, Path], cutouts: list[copy_paste.Cutout]) -> None:
    first, again, other = (copy_paste.paste(np.random.default_rng(seed), singles[0], 0, cutouts) for seed in (1, 1, 2))
    assert np.array_equal(first.picture, again.picture)
    assert not np.array_equal(first.picture, other.picture)


def test_hidden_joints_are_occluded_and_the_rest_stay(
    singles: tuple[People, Path], cutouts: list[copy_paste.Cutout]
) -> None:
    people = singles[0]
    hidden = 0
    for seed in range(12):
        scene = copy_paste.paste(np.random.default_rng(seed), people, 0, cutouts, overlap=(0.8, 0.9))
        place = next(i for i, p in enumerate(scene.people) if np.array_equal(p.joints, people.joints[0]))
        base, in_front = scene.people[place], scene.people[place + 1 :]
        covered = np.any([p.mask for p in in_front], axis=0) if in_front else np.zeros(scene.picture.shape[:2], bool)
        x, y = people.joints[0].round().astype(int).T
        labelled = people.visible[0] > 0
        under = np.array([labelled[k] and covered[y[k], x[k]] for k in range(17)])
        hidden += int(under.sum())
        assert (base.visible[under] == 1).all()
        assert np.array_equal(base.visible[~under], people.visible[0][~under])
    assert hidden > 0


def test_a_person_in_front_keeps_their_pixels(singles: tuple[People, Path], cutouts: list[copy_paste.Cutout]) -> None:
    people = singles[0]
    original = people.picture(0).astype(int)
    for seed in range(12):
        scene = copy_paste.paste(
            np.random.default_rng(seed), people, 0, cutouts, num_cutouts=(1, 1), overlap=(0.9, 0.9)
        )
        base = next(p for p in scene.people if np.array_equal(p.joints, people.joints[0]))
        if scene.people[-1] is base and len(scene.people) == 2:
            inner = copy_paste.cv2.erode(base.mask.astype(np.uint8), np.ones((5, 5))) > 0
            assert np.abs(scene.picture.astype(int) - original)[inner].max() <= 1
            return
    pytest.fail("no cut-out was placed behind in twelve seeds")


@pytest.mark.parametrize(("overlap", "low", "high"), [((0.0, 0.0), 0.0, 0.1), ((0.8, 0.9), 0.2, 1.0)])
def test_overlap_is_what_was_asked(
    singles: tuple[People, Path],
    cutouts: list[copy_paste.Cutout],
    overlap: tuple[float, float],
    low: float,
    high: float,
) -> None:
    found = []
    for seed in range(10):
        scene = copy_paste.paste(
            np.random.default_rng(seed), singles[0], 1, cutouts, num_cutouts=(1, 1), overlap=overlap
        )
        if len(scene.people) == 2:
            boxes = xywh_to_xyxy(np.stack([p.box_xywh for p in scene.people]))
            found.append(iou(boxes[:1], boxes[1:])[0, 0])
    assert low <= np.mean(found) <= high


def test_written_sets_are_read_back(
    singles: tuple[People, Path], cutouts: list[copy_paste.Cutout], tmp_path: Path
) -> None:
    file = copy_paste.write_dataset(tmp_path, singles[0], cutouts, num_pictures=4, seed=0, name="crowd")
    people = annotations.read(file, tmp_path / "images" / "crowd")
    assert people.num_images == 4
    assert len(people) >= 4
    assert people.skeleton.joints == COCO_17.joints
