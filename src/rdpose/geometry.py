"""Boxes, affine crops and flips, in pure numpy: where a person's crop lies in the picture, and what lies where in it.

Points are (x, y) in pixels with pixel centres at whole numbers. Transforms are (2, 3) float32, from picture to crop.
Leading dimensions (...) broadcast, so that one call serves one person or all people of a picture.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

AREA_OF_BOX = 0.53
"""A person's area as a share of the box where no file says it (CrowdPose's convention)."""
CROP_PADDING = 1.25
"""How much larger than a box the region is that a network is shown (the HRNet family's)."""

Convention = Literal["hrnet", "udp", "darkpose"]
"""How a crop lies in its picture, and a heatmap's cells in the crop (`crop_transform`, `CellGrid`).

- hrnet: sizes are counted in pixels and cells: a crop of 192 pixels has 48 cells of 4. The HRNet family's own.
- udp: sizes are distances between the centres of the first and the last pixel or cell, 191 and 47, in x and in y on
  their own. Huang et al., The Devil is in the Details (CVPR 2020), and what mmpose does with `use_udp`.
- darkpose: the same distances in x, and x's scale in y too, around the middle. DarkPose's own code.
"""


class CellGrid(NamedTuple):
    """Where the cells of a heatmap lie in its crop: cell (i, j) at pixel `first` + (i, j) * `step`, both (x, y)."""

    step: tuple[float, float]
    """Crop pixels from one cell to the next."""
    first: tuple[float, float]
    """Crop pixel of cell (0, 0)."""

    @classmethod
    def of(cls, convention: Convention, crop_wh: tuple[int, int], map_wh: tuple[int, int]) -> CellGrid:
        """The cells of a map of `map_wh` cells in a crop of `crop_wh` pixels, both (width, height).

        DarkPose's transform to the heatmap has x's scale in both directions. As 191 : 255 is not 47 : 63, the first
        and the last row of its maps lie half a pixel outside a crop of 192x256; the middles are the same.
        """
        (width, height), (columns, rows) = crop_wh, map_wh
        if convention == "hrnet":
            return cls((width / columns, height / rows), (0.0, 0.0))
        across, down = (width - 1) / max(columns - 1, 1), (height - 1) / max(rows - 1, 1)
        if convention == "udp":
            return cls((across, down), (0.0, 0.0))
        return cls((across, across), (0.0, (height - 1 - across * (rows - 1)) / 2))

    @classmethod
    def between(cls, convention: Convention, crops: Any, maps: Any) -> CellGrid:
        """The cells of `maps` in `crops`, numpy or torch, both (..., height, width)."""
        (height, width), (rows, columns) = (map(int, array.shape[-2:]) for array in (crops, maps))
        return cls.of(convention, (width, height), (columns, rows))

    def to_cells(self, points_px: Any) -> Any:
        """Points (..., 2) or boxes (..., 4) in crop pixels, numpy or torch floats, x before y -> the same in cells."""
        return (points_px - _like(points_px, self.first)) / _like(points_px, self.step)

    def to_pixels(self, cells: Any) -> Any:
        """Points (..., 2) or boxes (..., 4) in cells, numpy or torch floats, x before y -> the same in crop pixels."""
        return cells * _like(cells, self.step) + _like(cells, self.first)


def _like(points: Any, xy: tuple[float, float]) -> Any:
    """Two numbers, once for each x and y in the last dimension, as an array of the kind that `points` is."""
    numbers = xy * (int(points.shape[-1]) // 2)
    return points.new_tensor(numbers) if hasattr(points, "new_tensor") else np.asarray(numbers, points.dtype)


def xywh_to_xyxy(box_xywh: ArrayLike) -> np.ndarray:
    """Boxes (..., 4) as left, top, width, height -> (..., 4) float32 as left, top, right, bottom."""
    box = np.asarray(box_xywh, dtype=np.float32)
    return np.concatenate([box[..., :2], box[..., :2] + box[..., 2:]], axis=-1)


def xyxy_to_xywh(box_xyxy: ArrayLike) -> np.ndarray:
    """Boxes (..., 4) as left, top, right, bottom -> (..., 4) float32 as left, top, width, height."""
    box = np.asarray(box_xyxy, dtype=np.float32)
    return np.concatenate([box[..., :2], box[..., 2:] - box[..., :2]], axis=-1)


def clip_boxes(box_xywh: ArrayLike, size_wh: ArrayLike) -> np.ndarray:
    """The part of each box (..., 4) that lies in its picture (..., 2): (..., 4) float32, empty (zero sized) if none.

    The HRNet family counts pixels: a box of width w ends at the centre of its last pixel, x + w - 1, and so does the
    picture, so that even a box well inside comes back one pixel narrower and lower. Kept, for equal crops.
    """
    box = np.asarray(box_xywh, dtype=np.float64)
    last_pixel = np.asarray(size_wh, dtype=np.float64) - 1
    start = np.maximum(box[..., :2], 0)
    end = np.minimum(start + np.maximum(box[..., 2:] - 1, 0), last_pixel)
    return np.concatenate([start, np.maximum(end - start, 0)], axis=-1).astype(np.float32)


def valid_boxes(box_xywh: ArrayLike) -> np.ndarray:
    """(...,) bool: which boxes (..., 4) have a finite place and a positive width and height."""
    box = np.asarray(box_xywh)
    return np.isfinite(box).all(axis=-1) & (box[..., 2] > 0) & (box[..., 3] > 0)


def iou(boxes_xyxy: ArrayLike, others_xyxy: ArrayLike) -> np.ndarray:
    """Intersection over union of every box (..., n, 4) with every other (..., m, 4): (..., n, m); 0 for empty boxes."""
    a = np.asarray(boxes_xyxy, dtype=np.float64)[..., :, None, :]
    b = np.asarray(others_xyxy, dtype=np.float64)[..., None, :, :]
    overlap = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    intersection = np.maximum(overlap, 0).prod(axis=-1)
    union = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1) - intersection
    return np.where(intersection > 0, intersection / np.where(union > 0, union, 1), 0).astype(np.float32)


def crop_region(
    box_xywh: ArrayLike, aspect_w_over_h: float, padding: float = CROP_PADDING
) -> tuple[np.ndarray, np.ndarray]:
    """The region to show a network: a box, widened or heightened to the input's shape, with a margin.

    Args:
        box_xywh: (..., 4) pixels.
        aspect_w_over_h: width / height of the network's input.
        padding: factor on both sides.

    Returns:
        Center (..., 2) and size (..., 2) as width, height; float32 pixels. The family's `scale` is size / 200.
    """
    box = np.asarray(box_xywh, dtype=np.float64)
    width = np.maximum(box[..., 2], box[..., 3] * aspect_w_over_h)
    size = np.stack([width, width / aspect_w_over_h], axis=-1) * padding
    center = box[..., :2] + box[..., 2:] / 2
    return center.astype(np.float32), size.astype(np.float32)


def crop_area(box_xywh: ArrayLike, aspect_w_over_h: float) -> np.ndarray:
    """(...,) square pixels of boxes' crop regions: the area by which the HRNet family's suppression measures a pose."""
    return crop_region(box_xywh, aspect_w_over_h)[1].prod(axis=-1)


def crop_transform(
    center: ArrayLike,
    size: ArrayLike,
    output_size_wh: tuple[int, int],
    rotation_deg: ArrayLike = 0.0,
    flip: ArrayLike = False,
    convention: Convention = "hrnet",
) -> np.ndarray:
    """The transform from picture to crop pixels, then the mirror.

    - hrnet, the family's `get_affine_transform`: the center lands at (w / 2, h / 2), the region's width becomes w.
    - darkpose, its `get_affine_transform`: the center lands at ((w - 1) / 2, (h - 1) / 2), the region's width becomes
      w - 1. The region's height plays no part in these two. (It counts a region's pixels, one more than our distance.)
    - udp, its `get_warpmatrix`, mmpose's `get_udp_warp_matrix`: so does the height, which becomes h - 1.

    A positive rotation turns the picture's content counter-clockwise as seen on a screen (UDP's code: clockwise). A
    flip is applied last and takes x to w - 1 - x, which maps pixel centres onto pixel centres.

    Args:
        center: (..., 2) pixels in the picture.
        size: (..., 2) width and height in picture pixels.
        output_size_wh: width and height of the crop.
        rotation_deg, flip: scalars or (...,).
        convention: see `Convention`.

    Returns:
        (..., 2, 3) float32.

    Raises:
        ValueError: a region's width is not a positive number.
    """
    center, size = np.asarray(center, dtype=np.float64), np.asarray(size, dtype=np.float64)
    if not np.all((size[..., 0] > 0) & np.isfinite(size[..., 0])):
        raise ValueError(f"a crop needs a positive, finite width, got size {size.tolist()}; drop boxes without area")
    angle, reach = np.deg2rad(rotation_deg), np.array(output_size_wh) - (convention != "hrnet")
    across = reach[0] / size[..., 0]
    down = reach[1] / size[..., 1] if convention == "udp" else across
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = center[..., 0], center[..., 1]
    along_x = np.stack([across * cos, across * sin, reach[0] / 2 - across * cos * x - across * sin * y], axis=-1)
    along_y = np.stack([-down * sin, down * cos, reach[1] / 2 + down * sin * x - down * cos * y], axis=-1)
    mirrored = np.array([0, 0, output_size_wh[0] - 1]) - along_x
    along_x = np.where(np.asarray(flip, dtype=bool)[..., None], mirrored, along_x)
    return np.stack(np.broadcast_arrays(along_x, along_y), axis=-2).astype(np.float32)


def invert(transform: ArrayLike) -> np.ndarray:
    """The way back, (..., 2, 3) float32, of transforms (..., 2, 3): from crop to picture pixels."""
    matrix = np.asarray(transform, dtype=np.float64)
    linear = np.linalg.inv(matrix[..., :2])
    return np.concatenate([linear, -linear @ matrix[..., 2:]], axis=-1).astype(np.float32)


def apply(transform: ArrayLike, points: ArrayLike) -> np.ndarray:
    """Points (..., n, 2) through transforms (..., 2, 3): (..., n, 2), float32 unless the points are float64."""
    matrix, points = np.asarray(transform, dtype=np.float64), np.asarray(points)
    moved = points @ matrix[..., :2].swapaxes(-1, -2) + matrix[..., None, :, 2]
    return moved.astype(np.float64 if points.dtype == np.float64 else np.float32)


def transform_boxes(transform: ArrayLike, box_xyxy: ArrayLike) -> np.ndarray:
    """Boxes (..., n, 4) through transforms (..., 2, 3): the hulls, (..., n, 4) float32, of their inscribed ellipses.

    The hull of the four corners would grow by up to 41 % in a rotation; a body fills its ellipse rather than its
    corners. An ellipse with half-axes (p, q) under the linear map [[a, b], [c, d]] reaches sqrt((a p)^2 + (b q)^2) in
    x, and likewise in y. Empty boxes come back as zeros, which is what padding rows are.
    """
    box = np.asarray(box_xyxy, dtype=np.float64)
    center = apply(transform, (box[..., :2] + box[..., 2:]) / 2)
    half = (box[..., 2:] - box[..., :2]) / 2
    squares = np.asarray(transform, dtype=np.float64)[..., :2] ** 2
    reach = np.sqrt(half**2 @ squares.swapaxes(-1, -2))
    hull = np.concatenate([center - reach, center + reach], axis=-1)
    return np.where((half > 0).all(axis=-1, keepdims=True), hull, 0).astype(np.float32)


def crowd_index(boxes_xywh: np.ndarray, joints: np.ndarray, labelled: np.ndarray) -> float:
    """How crowded a picture is: the mean over its people of (others' joints in the own box) / (own joints).

    boxes_xywh (people, 4), joints (people, joints, 2), labelled (people, joints) bool; people without labels do not
    count, and 0 is a picture without any. Li et al., CrowdPose (CVPR 2019), whose files cut it at 1.
    """
    low, high = boxes_xywh[:, None, None, :2], (boxes_xywh[:, :2] + boxes_xywh[:, 2:])[:, None, None]
    counts = (((joints >= low) & (joints <= high)).all(axis=-1) & labelled).sum(axis=-1)  # j's joints in i's box
    np.fill_diagonal(counts, 0)
    own = labelled.sum(axis=-1)
    return float((counts.sum(axis=1)[own > 0] / own[own > 0]).mean()) if own.any() else 0.0
