"""What training does to a sample: which crop is taken, how the boxes are disturbed, how the crop's pixels change.

Pure functions of their arguments; randomness comes in as a `numpy.random.Generator`.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from rdpose import geometry
from rdpose.config.schema import AugmentSettings, NeighbourSettings

HALF_BODY_MARGIN = 1.2
"""Of a half body's box; with the crop's own margin of 1.25 that is the family's 1.5."""
FAR = 3
"""Times the usual deviation of a box: those of detectors are mostly near, and some far off."""
CLOSE_UP_JOINTS, CLOSE_UP_SHARE = 4, 0.15
"""What a close-up shows at least: joints, and of the person's extent; a smaller part of a small person is a blur."""


class View(NamedTuple):
    """A crop's place in its picture."""

    center: np.ndarray
    size: np.ndarray
    rotation_deg: float
    flip: bool
    box_xywh: np.ndarray
    """(4,) pixels: what the crop was made around, the box of the person or of a part of the body, moved."""
    part: bool
    """Whether it is a part: half the body, or a close-up."""
    frame_xyxy: np.ndarray
    """(4,) pixels: where the picture is made to end, infinitely far where it is left as it is."""


def draw_view(
    rng: np.random.Generator,
    box_xywh: np.ndarray,
    joints: np.ndarray,
    visible: np.ndarray,
    *,
    upper_body: tuple[int, ...],
    aspect: float,
    settings: AugmentSettings,
    padding: float = geometry.CROP_PADDING,
) -> View:
    """A random view of one person; the formulas are the HRNet family's, half bodies with the stated probability.

    Args:
        box_xywh: (4,) pixels.
        joints: (joints, 2) pixels.
        visible: (joints,) 0 where unlabelled.
        upper_body: the joints that make the upper half.
        aspect: width / height of the crop.
        padding: of the box, as `geometry.crop_region` takes it.
    """
    part = draw_part(rng, joints, visible, upper_body, settings)
    chosen = geometry.xywh_to_xyxy((box_xywh if part is None else part)[None])
    far = settings.shift_far and rng.random() < settings.shift_far
    box_xyxy = disturb_boxes(rng, chosen, settings.shift * (FAR if far else 1))[0]
    box_xywh = geometry.xyxy_to_xywh(box_xyxy)
    share = 0.0 if part is None else settings.picture_end
    ends = rng.random(4) < share if share else np.zeros(4, bool)
    quarters = int(rng.integers(1, 4)) if settings.turn and rng.random() < settings.turn else 0
    sideways = quarters % 2 == 1
    center, size = geometry.crop_region(box_xywh, 1 / aspect if sideways else aspect, padding)
    size = size[::-1] if sideways else size
    size = size * np.clip(1 + rng.standard_normal() * settings.scale, 1 - settings.scale, 1 + settings.scale)
    rotated = rng.random() < settings.rotation_probability
    rotation = 90 * quarters + (float(_cut_normal(rng, settings.rotation, 1)[0]) if rotated else 0.0)
    frame = np.where(ends, box_xyxy, (-np.inf, -np.inf, np.inf, np.inf))
    return View(center, size, rotation, bool(rng.random() < settings.flip), box_xywh, part is not None, frame)


def draw_part(
    rng: np.random.Generator,
    joints: np.ndarray,
    visible: np.ndarray,
    upper_body: tuple[int, ...],
    settings: AugmentSettings,
) -> np.ndarray | None:
    """Box (4,) of half the body or of a close-up, as often as the settings say; None for the whole person."""
    if (visible > 0).sum() <= settings.half_body_joints:
        return None
    if rng.random() < settings.half_body:
        return half_body(rng, joints, visible, upper_body)
    if settings.close_up and rng.random() < settings.close_up:
        return close_up(rng, joints[visible > 0])
    return None


def half_body(
    rng: np.random.Generator, joints: np.ndarray, visible: np.ndarray, upper_body: tuple[int, ...]
) -> np.ndarray | None:
    """Box (4,) x, y, width, height of the upper or the lower joints (at least 3), or None where neither has them.

    It lies around their mean, as in the HRNet family.
    """
    is_upper = np.isin(np.arange(len(joints)), upper_body)
    halves = [joints[(visible > 0) & half] for half in (is_upper, ~is_upper)]
    if rng.random() < 0.5:
        halves.reverse()
    chosen = next((half for half in halves if len(half) > 2), None)
    return None if chosen is None else part_box(chosen, chosen.mean(axis=0))


def close_up(rng: np.random.Generator, labelled: np.ndarray) -> np.ndarray:
    """Box (4,) x, y, width, height of a random one of the joints (n, 2) and of those nearest to it, four at least."""
    distance = np.linalg.norm(labelled - labelled[rng.integers(len(labelled))], axis=1)
    number = rng.integers(min(CLOSE_UP_JOINTS, len(labelled)), len(labelled) + 1)
    near = labelled[np.argsort(distance, kind="stable")[:number]]
    smallest = CLOSE_UP_SHARE * np.ptp(labelled, axis=0).max()
    return part_box(near, (near.min(axis=0) + near.max(axis=0)) / 2, smallest)


def part_box(joints: np.ndarray, center: np.ndarray, smallest: float = 0.0) -> np.ndarray:
    """Box (4,) x, y, width, height around a centre (2,), `HALF_BODY_MARGIN` times the extent of joints (n, 2).

    smallest: what the extent counts for at least, in pixels.
    """
    size = HALF_BODY_MARGIN * np.maximum(np.ptp(joints, axis=0), max(1.0, smallest))
    return np.concatenate([center - size / 2, size])


def disturb_neighbours(rng: np.random.Generator, boxes_xyxy: np.ndarray, settings: NeighbourSettings) -> np.ndarray:
    """Boxes (n, 4) of other people as a detector might give them: some missing, doubled, moved, invented, or none."""
    if rng.random() < settings.withhold:
        return boxes_xyxy[:0]
    kept = boxes_xyxy[rng.random(len(boxes_xyxy)) >= settings.miss]
    twice = kept[rng.random(len(kept)) < settings.double]
    boxes = disturb_boxes(rng, np.concatenate([kept, twice]), settings.shift)
    if len(boxes_xyxy) and rng.random() < settings.invent:
        like = boxes_xyxy[rng.integers(len(boxes_xyxy))]
        boxes = np.concatenate([boxes, disturb_boxes(rng, like[None], 0.5)])
    return boxes


def disturb_boxes(rng: np.random.Generator, boxes_xyxy: np.ndarray, shift: float) -> np.ndarray:
    """Boxes (n, 4) moved and resized by N(0, shift) of their size, cut to +-2 shift; the size stays over a third."""
    center, size = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2, boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    moves, growth = _cut_normal(rng, shift, (2, len(boxes_xyxy), 2))
    center, half = center + moves * size, np.maximum(1 + growth, 1 / 3) * size / 2
    return np.concatenate([center - half, center + half], axis=1).astype(np.float32)


def change_pixels(rng: np.random.Generator, crop: np.ndarray, settings: AugmentSettings) -> np.ndarray:
    """A crop (height, width, 3) uint8 with other colours and, at times, a rectangle painted over."""
    if settings.color:
        crop = cv2.LUT(crop, np.ascontiguousarray(_color_tables(rng, settings.color).T)[None])
    if rng.random() < settings.erase:
        height, width = crop.shape[:2]
        size = rng.uniform(0.1, 0.4, 2) * (width, height)
        x, y = (rng.uniform(0, 1, 2) * ((width, height) - size)).astype(int)
        crop = crop.copy()
        crop[y : y + int(size[1]) + 1, x : x + int(size[0]) + 1] = rng.integers(0, 256, 3)
    return crop


def _color_tables(rng: np.random.Generator, share: float) -> np.ndarray:
    """(3, 256) uint8: what each channel's values become under a random contrast, brightness and channel gain."""
    contrast, brightness = 1 + rng.uniform(-share, share), rng.uniform(-share, share) * 128
    gain = 1 + rng.uniform(-share, share, (3, 1)) / 2
    values = (np.arange(256) - 128) * contrast + 128 + brightness
    return np.clip(values * gain, 0, 255).astype(np.uint8)


def _cut_normal(rng: np.random.Generator, sigma: float, shape: int | tuple[int, ...]) -> np.ndarray:
    return np.clip(rng.standard_normal(shape) * sigma, -2 * sigma, 2 * sigma)
