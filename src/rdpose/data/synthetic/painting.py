"""Painting a person with OpenCV: fabric, pattern and round shading at twice the size, then scaled down."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import cv2
import numpy as np

from rdpose.data.synthetic.body import Part
from rdpose.data.synthetic.patterns import bands

FINE = 2
"""Colours are painted at this multiple of the picture's size and averaged, which smooths edges."""
_BITS = 4  # fixed-point bits of OpenCV's sub-pixel polygon corners
_CORNERS = 16
_ANGLES = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], 1).astype(np.float32)
_PLAIN = 200  # brightness that leaves a colour as it is
_TONES = ((1.0, 132), (0.78, 176), (0.45, 216))  # share of the radius, brightness: a part is darker at its edge


@dataclass(frozen=True)
class Outlines:
    """Body parts in picture pixels, from back to front.

    circles (n, 3) float32: x, y, radius of all parts' circles; starts: where each part's circles begin, and n; scale:
    pixels per standing height.
    """

    parts: list[Part]
    circles: np.ndarray
    starts: list[int]
    scale: float

    @classmethod
    def of(cls, parts: list[Part], scale: float, offset: np.ndarray) -> Outlines:
        """Parts in standing heights, at `scale` pixels each and moved by `offset` (2,)."""
        circles = np.array([circle for part in parts for circle in part.circles], np.float32) * np.float32(scale)
        circles[:, :2] += offset
        starts = np.cumsum([0, *(len(part.circles) for part in parts)]).tolist()
        return cls(parts, circles, starts, scale)

    @cached_property
    def corners(self) -> np.ndarray:
        return corners_of(self.circles)

    @cached_property
    def hulls(self) -> list[np.ndarray]:
        """Per part, which of the corners of all circles are those of its convex hull."""
        ends = [start * _CORNERS for start in self.starts]
        spans = pairwise(ends)
        return [cv2.convexHull(self.corners[a:b], returnPoints=False)[:, 0] + a for a, b in spans]

    @cached_property
    def caps(self) -> np.ndarray:
        """(n, 2) unit vectors from a limb's end circles outwards, along the limb; 0 for all other circles."""
        starts, ends = np.array(self.starts[:-1]), np.array(self.starts[1:]) - 1
        limbs = (ends > starts) & (ends - starts < 3)
        starts, ends, caps = starts[limbs], ends[limbs], np.zeros((len(self.circles), 2), np.float32)
        for rows, inner in ((starts, starts + 1), (ends, ends - 1)):
            outward = self.circles[rows, :2] - self.circles[inner, :2]
            caps[rows] = outward / np.maximum(np.hypot(*outward.T), 1e-3)[:, None]
        return caps

    def cover(self, points: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """(parts, points) bool: which points (n, 2) lie inside which part's outline, of those that are `wanted`."""
        low, high = (self.circles[:, :2] + sign * self.circles[:, 2:] for sign in (-1, 1))
        low, high = np.minimum.reduceat(low, self.starts[:-1]), np.maximum.reduceat(high, self.starts[:-1])
        inside = ((points > low[:, None]) & (points < high[:, None])).all(-1) & wanted
        for part, point in np.argwhere(inside).tolist():
            outline = self.corners[self.hulls[part]]
            inside[part, point] = cv2.pointPolygonTest(outline, points[point].tolist(), False) > 0
        return inside


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


def corners_of(circles: np.ndarray) -> np.ndarray:
    """(n, 3) x, y, radius -> (n * 16, 2) float32: polygons in place of circles."""
    return (circles[:, None, :2] + circles[:, None, 2:] * _CIRCLE).reshape(-1, 2)


def paint(outlines: Outlines, size_wh: tuple[int, int], light: np.ndarray) -> Layer | None:
    """The person as seen alone; None if nothing lies in the picture. light (2,): unit vector towards the light."""
    window = _window(outlines.circles, size_wh)
    if window is None:
        return None
    x, y, width, height = window
    circles = outlines.circles - np.array([x, y, 0], np.float32)
    canvas = cv2.resize(_colours(outlines, circles, (width, height)), (width, height), interpolation=cv2.INTER_AREA)
    shade = cv2.blur(_shades(outlines, circles, (width, height), light.astype(np.float32)), (3, 3))
    alpha = canvas[:, :, 3].copy()
    rgb = cv2.multiply(cv2.cvtColor(canvas, cv2.COLOR_BGRA2BGR), cv2.merge([shade] * 3), scale=1 / _PLAIN)
    return Layer(cv2.min(rgb, cv2.merge([alpha] * 3)), alpha, (x, y))


def _window(circles: np.ndarray, size_wh: tuple[int, int]) -> tuple[int, int, int, int] | None:
    low = np.floor((circles[:, :2] - circles[:, 2:]).min(0)).astype(int) - 1
    high = np.ceil((circles[:, :2] + circles[:, 2:]).max(0)).astype(int) + 2
    (x, y), (right, bottom) = np.clip(low, 0, size_wh).tolist(), np.clip(high, 0, size_wh).tolist()
    return None if right <= x or bottom <= y else (x, y, right - x, bottom - y)


def _colours(outlines: Outlines, circles: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """(FINE * height, FINE * width, 4) uint8: colour and opacity without shading."""
    canvas = np.zeros((size_wh[1] * FINE, size_wh[0] * FINE, 4), np.uint8)
    # The middle of a picture pixel is the middle of its fine pixels.
    corners = corners_of(circles * FINE) + 0.5 * (FINE - 1)
    fixed = _fixed(corners)
    for part, hull in zip(outlines.parts, outlines.hulls, strict=True):
        _fill(canvas, fixed[hull], (*part.fabric.colour, part.opacity))
        if part.fabric.pattern != "plain":
            step = part.fabric.step * (outlines.scale * FINE)
            _paint_pattern(canvas, corners[hull], part, step)
    return canvas


def _paint_pattern(canvas: np.ndarray, outline: np.ndarray, part: Part, step: float) -> None:
    for band in bands(outline, part.along, part.fabric.pattern, step):
        area, common = cv2.intersectConvexConvex(outline, band)
        if area > 1:
            _fill(canvas, _fixed(common), (*part.fabric.second, 255))


def _shades(outlines: Outlines, circles: np.ndarray, size_wh: tuple[int, int], light: np.ndarray) -> np.ndarray:
    """(height, width) uint8 brightness: each part is a round body, brightest on the side of the light."""
    shade = np.full(size_wh[::-1], _PLAIN, np.uint8)
    tones = []
    for share, _ in _TONES:
        lit = circles.copy()
        # A limb's light runs on to its ends, or a bent knee would look like a string of sausages.
        lit[:, :2] += (1 - share) * circles[:, 2:] * (0.5 * light + outlines.caps)
        lit[:, 2] *= share
        tones.append(_fixed(corners_of(lit)))
    for part, hull in zip(outlines.parts, outlines.hulls, strict=True):
        if part.solid:
            for corners, (_, tone) in zip(tones, _TONES, strict=True):
                _fill(shade, corners[hull], (tone,))
        else:
            _fill(shade, tones[0][hull], (_PLAIN,))
    return shade


def _fixed(corners: np.ndarray) -> np.ndarray:
    return np.rint(corners * (1 << _BITS)).astype(np.int32)


def _fill(canvas: np.ndarray, corners: np.ndarray, colour: tuple[float, ...]) -> None:
    cv2.fillConvexPoly(canvas, corners, colour, cv2.LINE_8, _BITS)
