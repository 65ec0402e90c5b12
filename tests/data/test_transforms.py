"""Augmentation as the family states it: how often, how far; boxes disturbed as detectors do; pixels changed."""

from __future__ import annotations

import numpy as np
import pytest

from rdpose import geometry
from rdpose.config.schema import AugmentSettings, NeighbourSettings
from rdpose.data import transforms
from rdpose.skeletons import COCO_17

BOX = np.array([100.0, 50.0, 60.0, 160.0], np.float32)
BOXES = np.array([[0.0, 0.0, 40.0, 80.0], [100.0, 50.0, 160.0, 90.0]], np.float32)
ASPECT = 0.75
STILL = AugmentSettings(flip=0, scale=0, rotation=0, half_body=0)
JOINTS = np.random.default_rng(0).uniform((100, 50), (160, 210), (17, 2)).astype(np.float32)
CALM = NeighbourSettings(withhold=0, miss=0, double=0, invent=0, shift=0)


def views(settings: AugmentSettings, count: int = 2000, visible: int = 17) -> list[transforms.View]:
    rng, labelled = np.random.default_rng(1), (np.arange(17) < visible).astype(np.uint8)
    options = {"upper_body": COCO_17.upper_body, "aspect": ASPECT, "settings": settings}
    return [transforms.draw_view(rng, BOX, JOINTS, labelled, **options) for _ in range(count)]


def rng() -> np.random.Generator:
    return np.random.default_rng(2)


def test_without_augmentation_the_view_is_the_boxs() -> None:
    center, size = geometry.crop_region(BOX, ASPECT)
    (view,) = views(STILL, 1)
    np.testing.assert_array_equal(view.center, center)
    np.testing.assert_array_equal(view.size, size)
    assert (view.rotation_deg, view.flip) == (0.0, False)
    np.testing.assert_array_equal(view.box_xywh, BOX)


def test_a_network_may_be_shown_more_or_less_around_the_box() -> None:
    view = transforms.draw_view(
        rng(), BOX, JOINTS, np.zeros(17), upper_body=(), aspect=ASPECT, settings=STILL, padding=1.1
    )
    np.testing.assert_allclose(view.size, [160 * 0.75 * 1.1, 160 * 1.1])


def test_scale_is_normal_and_cut() -> None:
    _, size = geometry.crop_region(BOX, ASPECT)
    factors = np.array([view.size[0] / size[0] for view in views(STILL.model_copy(update={"scale": 0.2}))])
    assert (factors.min(), factors.max()) == pytest.approx((0.8, 1.2))
    assert np.isclose(factors, 0.8).mean() == pytest.approx(0.159, abs=0.03)  # the tail beyond one deviation
    assert factors.mean() == pytest.approx(1, abs=0.01)


def test_rotation_is_drawn_with_its_probability_and_cut_at_two_deviations() -> None:
    changes = {"rotation": 30.0, "rotation_probability": 0.6}
    angles = np.array([view.rotation_deg for view in views(STILL.model_copy(update=changes))])
    assert (angles != 0).mean() == pytest.approx(0.6, abs=0.03)
    assert np.abs(angles).max() == pytest.approx(60)
    assert angles[angles != 0].std() == pytest.approx(29, abs=1.5)


def test_a_turned_picture_shows_the_whole_person_upside_down_or_on_a_side() -> None:
    found = views(STILL.model_copy(update={"turn": 0.6}))
    shares = [np.mean([view.rotation_deg == angle for view in found]) for angle in (0, 90, 180, 270)]
    assert shares == pytest.approx([0.4, 0.2, 0.2, 0.2], abs=0.03)
    center, _ = geometry.crop_region(BOX, ASPECT)
    for view in found:
        assert view.center == pytest.approx(center)
        transform = geometry.crop_transform(view.center, view.size, (192, 256), view.rotation_deg)
        box = geometry.transform_boxes(transform, geometry.xywh_to_xyxy(BOX)[None])[0]
        middle, extent = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
        assert middle == pytest.approx((96, 128), abs=1e-3)
        assert (extent / (192, 256)).max() == pytest.approx(1 / 1.25)  # the crop's margin, whichever way it lies


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_flip(share: float) -> None:
    flips = [view.flip for view in views(STILL.model_copy(update={"flip": share}), 1000)]
    assert np.mean(flips) == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize(("visible", "share"), [(17, 0.3), (9, 0.3), (8, 0.0)])
def test_half_bodies_are_made_with_the_stated_probability_of_people_with_enough_joints(
    visible: int, share: float
) -> None:
    center, _ = geometry.crop_region(BOX, ASPECT)
    found = views(STILL.model_copy(update={"half_body": 0.3}), visible=visible)
    assert np.mean([not np.array_equal(view.center, center) for view in found]) == pytest.approx(share, abs=0.03)


def test_a_half_body_is_the_region_of_its_joints() -> None:
    upper = np.isin(np.arange(17), COCO_17.upper_body)
    generator, everything = rng(), np.ones(17)
    found = [transforms.half_body(generator, JOINTS, everything, COCO_17.upper_body) for _ in range(20)]
    regions = [geometry.crop_region(box, ASPECT) for box in found if box is not None]
    centers = {tuple(center.round(3).tolist()) for center, _ in regions}
    assert centers == {tuple(JOINTS[half].mean(axis=0).round(3).tolist()) for half in (upper, ~upper)}
    box = transforms.half_body(rng(), JOINTS, upper, COCO_17.upper_body)
    assert box is not None
    extent = np.ptp(JOINTS[upper], axis=0)
    assert box[2:].tolist() == pytest.approx((1.2 * extent).tolist(), rel=1e-5)
    width = max(extent[0], extent[1] * ASPECT) * 1.5
    assert geometry.crop_region(box, ASPECT)[1].tolist() == pytest.approx([width, width / ASPECT], rel=1e-5)


def test_a_half_body_is_told_as_the_persons_box() -> None:
    upper = np.isin(np.arange(17), COCO_17.upper_body).astype(np.uint8)
    options = {"upper_body": COCO_17.upper_body, "aspect": ASPECT}
    settings = STILL.model_copy(update={"half_body": 1.0})
    view = transforms.draw_view(rng(), BOX, JOINTS, upper, **options, settings=settings)
    extent = np.ptp(JOINTS[upper > 0], axis=0)
    assert view.box_xywh[2:].tolist() == pytest.approx((1.2 * extent).tolist(), rel=1e-5)
    assert view.part
    center, size = geometry.crop_region(view.box_xywh, ASPECT)
    np.testing.assert_array_equal(view.center, center)
    np.testing.assert_array_equal(view.size, size)


@pytest.mark.parametrize("half_body", [0.0, 1.0])
def test_the_chosen_box_moves_and_the_crop_with_it(half_body: float) -> None:
    settings = STILL.model_copy(update={"half_body": half_body, "shift": 0.1})
    upper = len(COCO_17.upper_body)
    found = views(settings, 500, visible=upper)
    boxes = np.array([view.box_xywh for view in found])
    assert {view.part for view in found} == {half_body > 0}
    assert len(np.unique(boxes, axis=0)) == 500
    assert boxes[:, 2].std() / boxes[:, 2].mean() == pytest.approx(0.0945, abs=0.01)
    for view in found[:20]:
        np.testing.assert_array_equal(view.center, geometry.crop_region(view.box_xywh, ASPECT)[0])


def test_some_boxes_move_three_times_as_far() -> None:
    near, some, far = (
        np.array([view.box_xywh[0] - BOX[0] for view in views(settings)]) / BOX[2]
        for settings in (STILL.model_copy(update={"shift": 0.05, "shift_far": share}) for share in (0.0, 0.3, 1.0))
    )
    assert far.std() == pytest.approx(3 * near.std(), rel=0.1)
    most = abs(near).max()
    assert (abs(some) > most).mean() == pytest.approx(0.3 * (abs(far) > most).mean(), abs=0.03)


def test_a_close_up_shows_a_joint_and_its_nearest() -> None:
    found = views(STILL.model_copy(update={"close_up": 0.4}), 500)
    assert np.mean([view.part for view in found]) == pytest.approx(0.4, abs=0.06)
    shown = set()
    for view in (view for view in found if view.part):
        low, high = np.split(geometry.xywh_to_xyxy(view.box_xywh[None])[0], 2)
        shown.add(int(((low <= JOINTS) & (high >= JOINTS)).all(axis=1).sum()))
    assert min(shown) >= 4
    assert len(shown) > 6
    assert not any(view.part for view in views(STILL.model_copy(update={"close_up": 1.0, "half_body_joints": 17})))


def test_a_close_up_stays_with_the_nearest_and_has_a_smallest_size() -> None:
    corner = np.array([[0, 0], [3, 0], [0, 3], [3, 3]], np.float32)
    generator = rng()
    found = np.array([transforms.close_up(generator, np.concatenate([corner, corner + 200])) for _ in range(60)])
    low, high = found[:, :2], found[:, :2] + found[:, 2:]
    one_corner = found[:, 2] < 60
    assert 0.1 < one_corner.mean() < 0.4  # 4 of 4, 5, ... 8 joints
    assert (found[one_corner, 2:] == np.float32(1.2 * 0.15 * 203)).all()
    first = (high[one_corner] < 100).all(axis=1)
    assert 0 < first.sum() < one_corner.sum()
    assert (low[one_corner][~first] > 100).all()


@pytest.mark.parametrize(("part", "share"), [({}, 0.0), ({"half_body": 1.0}, 0.5), ({"close_up": 1.0}, 0.5)])
def test_the_picture_ends_at_parts_alone(part: dict, share: float) -> None:
    settings = STILL.model_copy(update={"picture_end": 0.5, "shift": 0.1, **part})
    upper = len(COCO_17.upper_body)
    found = views(settings, 400, visible=upper)
    ends = np.isfinite([view.frame_xyxy for view in found])
    assert ends.mean(axis=0).tolist() == pytest.approx([share] * 4, abs=0.08)
    for view, end in zip(found, ends, strict=True):
        box = geometry.xywh_to_xyxy(view.box_xywh[None])[0]
        np.testing.assert_allclose(view.frame_xyxy[end], box[end], rtol=1e-4)


@pytest.mark.parametrize("visible", [[0, 1], [0, 1, 15, 16]])
def test_two_joints_make_no_half_body(visible: list[int]) -> None:
    assert transforms.half_body(rng(), JOINTS, np.isin(np.arange(17), visible), COCO_17.upper_body) is None


def test_half_of_joints_in_one_place_has_a_size() -> None:
    found = transforms.half_body(rng(), np.full((17, 2), 7.0), np.ones(17), COCO_17.upper_body)
    assert found is not None
    assert (found[2:] > 0).all()


def test_calm_neighbours_stay() -> None:
    np.testing.assert_allclose(transforms.disturb_neighbours(rng(), BOXES, CALM), BOXES)


@pytest.mark.parametrize(
    ("change", "mean"),
    [({"withhold": 0.25}, 1.5), ({"miss": 0.25}, 1.5), ({"double": 0.25}, 2.5), ({"invent": 0.25}, 2.25)],
)
def test_neighbours_come_and_go_with_their_probabilities(change: dict[str, float], mean: float) -> None:
    generator, settings = rng(), CALM.model_copy(update=change)
    counts = [len(transforms.disturb_neighbours(generator, BOXES, settings)) for _ in range(3000)]
    assert np.mean(counts) == pytest.approx(mean, abs=0.06)


def test_nobody_stays_nobody() -> None:
    settings = NeighbourSettings(withhold=0, invent=1)
    assert transforms.disturb_neighbours(rng(), np.zeros((0, 4), np.float32), settings).shape == (0, 4)


def test_boxes_move_in_units_of_their_size_and_keep_an_area() -> None:
    generator = rng()
    found = np.array([transforms.disturb_boxes(generator, BOXES, 0.1) for _ in range(4000)])
    moves = ((found[..., :2] + found[..., 2:]) / 2 - (BOXES[:, :2] + BOXES[:, 2:]) / 2) / (BOXES[:, 2:] - BOXES[:, :2])
    assert moves.std(axis=0) == pytest.approx(np.full((2, 2), 0.0945), abs=0.005)
    assert np.abs(moves).max() == pytest.approx(0.2, abs=1e-4)
    growth = (found[..., 2:] - found[..., :2]) / (BOXES[:, 2:] - BOXES[:, :2])
    assert (growth.min(), growth.max()) == pytest.approx((0.8, 1.2), abs=1e-3)
    wild = transforms.disturb_boxes(generator, np.repeat(BOXES, 500, axis=0), 2.0)
    assert ((wild[:, 2:] - wild[:, :2]) >= np.array([13, 13])).all()


def test_pixels_stay_where_nothing_is_asked_for() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (24, 16, 3), dtype=np.uint8)
    assert transforms.change_pixels(rng(), crop, STILL) is crop


def test_colours_change_by_up_to_their_share() -> None:
    crop = np.full((4, 4, 3), 100, np.uint8)
    generator, settings = rng(), STILL.model_copy(update={"color": 0.2})
    found = np.array([transforms.change_pixels(generator, crop, settings)[0, 0] for _ in range(500)], float)
    darkest, brightest = (100 - 28 * 0.2 - 25.6) * 0.9, (100 + 28 * 0.2 + 25.6) * 1.1
    assert darkest - 1 <= found.min() < found.max() <= brightest + 1
    assert found.std(axis=0).min() > 5
    assert np.abs(found[:, 0] - found[:, 1]).max() > 5


def test_a_rectangle_is_painted_over_a_copy() -> None:
    crop = np.zeros((40, 30, 3), np.uint8)
    painted = transforms.change_pixels(rng(), crop, STILL.model_copy(update={"erase": 1.0}))
    assert not crop.any()
    rows, columns = np.nonzero(painted.any(axis=2))
    area = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    assert area == len(rows)
    assert 0.005 * 1200 < area < 0.25 * 1200
