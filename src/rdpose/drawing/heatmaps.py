"""Heatmaps and anchors drawn over a crop."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike

from rdpose.drawing.canvas import Canvas
from rdpose.geometry import CellGrid, Convention
from rdpose.io.images import checked

ANCHOR_COLOR = (80, 255, 220)
OPACITY = 0.85
"""Of a heatmap's brightest colour; weaker values let more of the crop through."""


def draw_heatmap(
    crop: np.ndarray, heatmap: ArrayLike, *, peak: float | None = None, convention: Convention = "hrnet"
) -> np.ndarray:
    """A heatmap over a darkened grey crop, in the inferno colours (equal steps of value look equal).

    Args:
        crop: (height, width, 3) RGB uint8, not changed.
        heatmap: (cells high, cells wide); negative values count as 0.
        peak: the value of the brightest colour; the heatmap's own maximum if None. Give one number to compare maps.
        convention: where its cells lie in the crop.

    Raises:
        ValueError: the heatmap has not two dimensions.
    """
    values = np.nan_to_num(np.asarray(heatmap, dtype=np.float32))
    if values.ndim != 2 or values.size == 0:
        raise ValueError(
            f"a heatmap must be (height, width); got shape {values.shape}: take one joint, or their maximum"
        )
    height, width = checked(crop).shape[:2]
    top = float(values.max()) if peak is None else float(peak)
    step, first = CellGrid.between(convention, crop[..., 0], values)
    to_crop = np.column_stack([np.diag(step), first]).astype(np.float32)
    level = cv2.warpAffine(values, to_crop, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    level = np.clip(level / max(top, 1e-9), 0, 1)
    glow = cv2.applyColorMap(np.round(level * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None] * np.float32(0.6)
    weight = OPACITY * np.sqrt(level)[..., None]
    return np.round(grey * (1 - weight) + glow * weight).astype(np.uint8)


def draw_anchor(picture: np.ndarray, point_xy: ArrayLike) -> np.ndarray:
    """A cross-hair at (x, y) pixels over a copy of the picture, open in the middle so that the place itself shows."""
    canvas = Canvas(checked(picture).copy())
    point = np.asarray(point_xy, float).reshape(2)
    radius = max(canvas.diagonal / 38, 4.0)
    arms = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)], float)
    for mark, width in (((15, 15, 20), canvas.unit * 1.1), (ANCHOR_COLOR, canvas.unit * 0.5)):
        canvas.ring(point, radius, 2 * width, mark)
        for arm in arms:
            canvas.capsule(point + radius * np.outer((0.6, 1.5), arm), width, mark)
    return canvas.picture
