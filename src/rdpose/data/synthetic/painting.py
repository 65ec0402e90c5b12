"""Painting body parts with OpenCV: fabric, pattern and round shading at twice the size, then scaled down."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rdpose.data.synthetic.body import Part
from rdpose.data.synthetic.clothing import Fabric

SUPERSAMPLING = 2
_BITS = 4  # fixed-point bits of OpenCV's sub-pixel polygon corners
_ANGLES = np.linspace(0, 2 * np.pi, 16, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], 1).astype(np.float32)
_TONES = ((1.0, 128), (0.8, 168), (0.55, 200), (0.3, 222))  # share of the radius, brightness (200 leaves colours as is)


@dataclass(frozen=True)
class Layer:
    """A painted person: rgb premultiplied by alpha, alpha, both uint8, at `corner` (x, y) of the picture."""

    rgb: np.ndarray
    alpha: np.ndarray
    corner: tuple[int, int]

    @property
    def region(self) -> tuple[slice, slice]:
        (x, y), (height, width) = self.corner, self.alpha.shape
        return slice(y, y + height), slice(x, x + width)

    def mask(self, size_wh: tuple[int, int]) -> np.ndarray:
        """(height, width) bool: the silhouette inside the picture, whoever stands in front."""
        mask = np.zeros(size_wh[::-1], bool)
        mask[self.region] = self.alpha >= 128
        return mask

    def onto(self, picture: np.ndarray) -> None:
        """Paints the person over `picture`, in place."""
        under = picture[self.region]
        opacity = cv2.merge([self.alpha] * 3)
        under[:] = cv2.add(cv2.multiply(under, cv2.bitwise_not(opacity), scale=1 / 255), self.rgb)


def hull(circles: np.ndarray) -> np.ndarray:
    """(n, 3) x, y, radius -> (m, 2) float32 corners of their convex hull."""
    corners = (circles[:, None, :2] + circles[:, None, 2:] * _CIRCLE).astype(np.float32)
    return cv2.convexHull(corners.reshape(-1, 2))[:, 0]


def paint(parts: list[Part], size_wh: tuple[int, int], light: np.ndarray) -> Layer | None:
    """Paints parts (picture pixels, back to front); None if nobody of them lies in the picture.

    light: (2,) unit vector in the picture towards the light.
    """
    window = _window(parts, size_wh)
    if window is None:
        return None
    x, y, width, height = window
    shape = (height * SUPERSAMPLING, width * SUPERSAMPLING)
    paint_, shade = np.zeros((*shape, 4), np.uint8), np.full(shape, 200, np.uint8)
    # The middle of a picture pixel is the middle of its 2 x 2 fine pixels.
    offset = 0.5 * (SUPERSAMPLING - 1) - SUPERSAMPLING * np.array([x, y])
    for part in parts:
        _paint_part(paint_, shade, part.moved(SUPERSAMPLING, offset), light)
    paint_ = cv2.resize(paint_, (width, height), interpolation=cv2.INTER_AREA)
    shade = cv2.blur(cv2.resize(shade, (width, height), interpolation=cv2.INTER_AREA), (3, 3))
    rgb = cv2.multiply(paint_[:, :, :3].copy(), cv2.merge([shade] * 3), scale=1 / 200)
    alpha = paint_[:, :, 3].copy()
    return Layer(np.minimum(rgb, alpha[:, :, None]), alpha, (x, y))


def _window(parts: list[Part], size_wh: tuple[int, int]) -> tuple[int, int, int, int] | None:
    circles = np.concatenate([part.circles for part in parts])
    low = np.floor((circles[:, :2] - circles[:, 2:]).min(0)).astype(int) - 1
    high = np.ceil((circles[:, :2] + circles[:, 2:]).max(0)).astype(int) + 2
    low, high = np.clip(low, 0, size_wh), np.clip(high, 0, size_wh)
    return None if (high <= low).any() else (*low.tolist(), *(high - low).tolist())


def _paint_part(canvas: np.ndarray, shade: np.ndarray, part: Part, light: np.ndarray) -> None:
    outline = hull(part.circles)
    _fill(canvas, outline, (*part.fabric.colour, 255))
    if part.fabric.pattern != "plain":
        _paint_pattern(canvas, outline, part)
    if not part.solid:
        return _fill(shade, outline, (205,))
    for share, tone in _TONES:
        circles = part.circles.copy()
        circles[:, :2] += light * (1 - share) * 0.5 * circles[:, 2:]
        circles[:, 2] *= share
        _fill(shade, outline if share == 1 else hull(circles), (tone,))


def _fill(canvas: np.ndarray, corners: np.ndarray, colour: tuple[float, ...]) -> None:
    cv2.fillConvexPoly(canvas, np.round(corners * (1 << _BITS)).astype(np.int32), colour, cv2.LINE_8, _BITS)


def _paint_pattern(canvas: np.ndarray, outline: np.ndarray, part: Part) -> None:
    colour = (*part.fabric.second, 255)
    for band in _bands(outline, np.array(part.along), part.fabric):
        area, overlap = cv2.intersectConvexConvex(outline, band.astype(np.float32))
        if area > 1 and overlap is not None:
            _fill(canvas, overlap[:, 0], colour)


def _bands(outline: np.ndarray, along: np.ndarray, fabric: Fabric) -> list[np.ndarray]:
    """Quadrilaterals across or along a part, which the caller cuts to its outline."""
    length = float(np.hypot(*along))
    along = along / length if length > 1e-3 else np.array([0.0, 1.0])
    across = np.array([-along[1], along[0]])
    middle = outline.mean(0)
    reach = 1.2 * np.abs(outline - middle).max()
    ticks = np.linspace(-reach, reach, 2 * fabric.repeats + 1)

    def band(axis: np.ndarray, other: np.ndarray, low: float, high: float, extent: tuple[float, float]) -> np.ndarray:
        a, b = extent
        return middle + np.array(
            [axis * low + other * a, axis * high + other * a, axis * high + other * b, axis * low + other * b]
        )

    full = (-2 * reach, 2 * reach)
    hoops = [band(along, across, low, high, full) for low, high in zip(ticks[::2], ticks[1::2], strict=False)]
    stripes = [band(across, along, low, high, full) for low, high in zip(ticks[::2], ticks[1::2], strict=False)]
    thin = [
        band(across, along, low, low + (high - low) * 0.4, full)
        for low, high in zip(ticks[::2], ticks[1::2], strict=False)
    ]
    if fabric.pattern == "hoops":
        return hoops
    if fabric.pattern == "stripes":
        return stripes
    if fabric.pattern == "checks":
        return [*hoops[::2], *thin[::2]]
    if fabric.pattern == "block":
        return [band(along, across, 0.05 * reach, 2 * reach, full)]
    step = 2 * reach / fabric.repeats
    grid = [(u, v) for u in ticks[::2] for v in ticks[::2]]
    return [band(along, across, u, u + 0.45 * step, (v, v + 0.45 * step)) for u, v in grid]
