"""Boxes and crops against the HRNet family's three-point construction, by hand, and against themselves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdpose import geometry

coordinates = st.floats(-500, 3000)
lengths = st.floats(1, 2000)
angles = st.floats(-180, 180)


def family_transform(center, size, rotation_deg, output_size):
    """The family's construction: the center, the point half a width above it, and a third at a right angle."""
    angle, width, out = np.deg2rad(rotation_deg), size[0], np.array(output_size, dtype=float)
    up = width / 2 * np.array([np.sin(angle), -np.cos(angle)])
    source, target = [np.array(center), np.array(center) + up], [out / 2, out / 2 - [0, out[0] / 2]]
    for points in (source, target):
        across = points[0] - points[1]
        points.append(points[1] + [-across[1], across[0]])
    return cv2.getAffineTransform(np.float32(source), np.float32(target))


@pytest.mark.parametrize("output_size", [(192, 256), (48, 64), (256, 256)])
@pytest.mark.parametrize("rotation", [0.0, 37.5, -45.0, 180.0])
def test_crop_transform_is_the_familys(rotation, output_size):
    center, size = (211.3, 97.8), (140.0, 186.7)
    ours = geometry.crop_transform(center, size, output_size, rotation)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, family_transform(center, size, rotation, output_size), atol=2e-3, rtol=1e-4)


def test_crop_transform_by_hand():
    ours = geometry.crop_transform([100, 50], [96, 128], (192, 256), rotation_deg=90)
    # Twice as large; the picture's right (10 px from the center) becomes the crop's top.
    np.testing.assert_allclose(geometry.apply(ours, [[100, 50], [110, 50]]), [[96, 128], [96, 108]], atol=1e-4)


@given(st.tuples(coordinates, coordinates), st.tuples(lengths, lengths), angles)
@settings(max_examples=50, deadline=None)
def test_flip_mirrors_the_finished_crop(center, size, rotation):
    plain = geometry.crop_transform(center, size, (192, 256), rotation)
    flipped = geometry.crop_transform(center, size, (192, 256), rotation, flip=True)
    points = np.array([[0.0, 0], [100, 20], center])
    expected = geometry.apply(plain, points) * [-1, 1] + [191, 0]
    tolerance = 1e-5 * (1 + np.abs(plain).max())
    np.testing.assert_allclose(geometry.apply(flipped, points), expected, atol=tolerance)


@given(st.tuples(coordinates, coordinates), st.tuples(st.floats(20, 2000), lengths), angles, st.booleans())
@settings(max_examples=50, deadline=None)
def test_warp_and_back(center, size, rotation, flip):
    transform = geometry.crop_transform(center, size, (192, 256), rotation, flip)
    points = np.array(center) + np.array([[0, 0], [0.5, -0.5], [-0.3, 0.2]]) * size[0]
    back = geometry.apply(geometry.invert(transform), geometry.apply(transform, points))
    np.testing.assert_allclose(back, points, atol=0.01)


def test_warped_picture_and_warped_point_agree():
    picture = np.zeros((120, 160), np.uint8)
    picture[40, 90] = 255
    transform = geometry.crop_transform([80, 60], [160, 120], (160, 120), rotation_deg=180, flip=True)
    crop = cv2.warpAffine(picture, transform, (160, 120), flags=cv2.INTER_NEAREST)
    x, y = geometry.apply(transform, [[90, 40]])[0]
    assert np.unravel_index(crop.argmax(), crop.shape) == (round(float(y)), round(float(x)))


def test_transforms_batch():
    centers, sizes = np.array([[10, 20], [300, 40.0]]), np.array([[50, 60], [80, 90.0]])
    angles, flips = np.array([0, 30.0]), np.array([False, True])
    batched = geometry.crop_transform(centers, sizes, (96, 128), angles, flips)
    single = [
        geometry.crop_transform(*one[:2], (96, 128), *one[2:])
        for one in zip(centers, sizes, angles, flips, strict=True)
    ]
    np.testing.assert_array_equal(batched, single)
    points = np.random.default_rng(0).uniform(0, 300, (2, 5, 2)).astype(np.float32)
    applied = geometry.apply(batched, points)
    assert applied.shape == (2, 5, 2)
    assert applied.dtype == np.float32
    np.testing.assert_allclose(applied[1], geometry.apply(batched[1], points[1]), rtol=1e-6)
    np.testing.assert_allclose(geometry.invert(batched)[1], geometry.invert(batched[1]), rtol=1e-6)


@pytest.mark.parametrize("size", [(0, 10), (-3, 10), (np.nan, 10), (np.inf, 10)])
def test_a_region_without_width_is_refused(size):
    with pytest.raises(ValueError, match="positive, finite width"):
        geometry.crop_transform([5, 5], size, (96, 128))


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ([10, 20, 30, 40], [37.5, 50]),  # has the input's shape already
        ([10, 20, 60, 40], [75, 100]),  # too wide: heightened
        ([10, 20, 10, 80], [75, 100]),  # too high: widened
    ],
)
def test_crop_region(box, size):
    center, region = geometry.crop_region(box, 3 / 4)
    np.testing.assert_allclose(center, [box[0] + box[2] / 2, box[1] + box[3] / 2])
    np.testing.assert_allclose(region, size)


def test_crop_region_batches():
    center, size = geometry.crop_region(np.ones((5, 3, 4)), 0.75, padding=1.0)
    assert center.shape == size.shape == (5, 3, 2)


def test_box_formats_return():
    box = np.array([[10, 20, 30, 40], [0, 0, 0, 0]], np.float32)
    np.testing.assert_array_equal(geometry.xywh_to_xyxy(box), [[10, 20, 40, 60], [0, 0, 0, 0]])
    np.testing.assert_array_equal(geometry.xyxy_to_xywh(geometry.xywh_to_xyxy(box)), box)


@pytest.mark.parametrize(
    ("box", "clipped", "valid"),
    [
        ([10, 10, 20, 30], [10, 10, 19, 29], True),  # inside: the family's one pixel less
        ([-5, 80, 20, 40], [0, 80, 19, 19], True),  # a negative start moves, the width stays
        ([120, 10, 20, 20], [120, 10, 0, 19], False),  # outside
        ([10, 10, 1, 20], [10, 10, 0, 19], False),  # one pixel has no extent
        ([10, 10, -4, 20], [10, 10, 0, 19], False),
        ([np.nan, 10, 20, 20], None, False),
    ],
)
def test_clip_boxes(box, clipped, valid):
    ours = geometry.clip_boxes(box, (100, 100))
    if clipped is not None:
        np.testing.assert_allclose(ours, clipped)
    assert geometry.valid_boxes(ours) == valid


def test_iou_by_hand():
    boxes = np.array([[0, 0, 10, 10], [5, 5, 15, 15], [3, 3, 3, 3]])
    expected = [[1, 25 / 175, 0], [25 / 175, 1, 0], [0, 0, 0]]
    np.testing.assert_allclose(geometry.iou(boxes, boxes), expected, rtol=1e-6)
    assert geometry.iou(np.zeros((0, 4)), boxes).shape == (0, 3)


@given(angles, st.floats(2, 300), st.floats(2, 300), st.booleans())
@settings(max_examples=50, deadline=None)
def test_transformed_box_is_the_hull_of_the_transformed_ellipse(rotation, width, height, flip):
    transform = geometry.crop_transform([150, 90], [200, 300], (192, 256), rotation, flip)
    turn = np.linspace(0, 2 * np.pi, 2000)
    ellipse = np.array([60, 40]) + np.stack([np.cos(turn) * width / 2, np.sin(turn) * height / 2], axis=1)
    drawn = geometry.apply(transform, ellipse)
    box = [60 - width / 2, 40 - height / 2, 60 + width / 2, 40 + height / 2]
    hull = geometry.transform_boxes(transform, [box])[0]
    np.testing.assert_allclose(hull, [*drawn.min(0), *drawn.max(0)], atol=1e-2)


def test_transformed_boxes_keep_shape_and_padding():
    transform = geometry.crop_transform([50, 50], [100, 100], (200, 200), flip=True)
    boxes = np.array([[0, 10, 20, 30], [0, 0, 0, 0], [7, 7, 7, 9]])
    ours = geometry.transform_boxes(transform, boxes)
    np.testing.assert_allclose(ours, [[159, 20, 199, 60], [0, 0, 0, 0], [0, 0, 0, 0]], atol=1e-4)
    assert geometry.transform_boxes(transform, np.zeros((0, 4))).shape == (0, 4)
    np.testing.assert_array_equal(geometry.transform_boxes(transform[None].repeat(2, 0), boxes[None])[1], ours)


@pytest.mark.parametrize(
    ("second_box", "expected"),
    [
        ((20, 0, 10, 10), 0.0),  # apart
        ((20, 0, 5, 10), 0.0),  # own joints count outside the box, too
        ((0, 0, 30, 10), 0.5),  # the second box holds both joints of the first: (0/2 + 2/2) / 2
    ],
)
def test_crowd_index_counts_others_joints_per_own(second_box, expected):
    boxes = np.array([(0, 0, 10, 10), second_box], np.float32)
    joints = np.array([[(2, 2), (8, 8), (5, 5)], [(22, 2), (28, 8), (5, 5)]], np.float32)
    labelled = np.array([[1, 1, 0], [1, 1, 0]], bool)
    assert geometry.crowd_index(boxes, joints, labelled) == pytest.approx(expected)


def test_crowd_index_without_joints_is_zero():
    assert geometry.crowd_index(np.ones((1, 4)), np.zeros((1, 17, 2)), np.zeros((1, 17), bool)) == 0


def test_the_centre_of_a_mirrored_crop_is_where_the_flip_test_shows_it():
    """Mirroring pixels takes x to w - 1 - x, and the middle w / 2 to w / 2 - 1 (docs/why-is-my-ap-different.md)."""
    straight, mirrored = (geometry.crop_transform((50, 60), (90, 120), (192, 256), flip=flip) for flip in (False, True))
    assert geometry.apply(straight, np.array([[50.0, 60.0]])).round(4).tolist() == [[96, 128]]
    assert geometry.apply(mirrored, np.array([[50.0, 60.0]])).round(4).tolist() == [[95, 128]]
