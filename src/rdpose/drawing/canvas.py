"""Marks on a picture at sub-pixel places and widths, and text: the thin layer over OpenCV that all drawing uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike

FONT = cv2.FONT_HERSHEY_SIMPLEX
_SHIFT = 4  # OpenCV's fixed-point coordinates: sixteenths of a pixel
_FAR = 1 << 15  # beyond this a coordinate overflows OpenCV's fixed-point arithmetic
_ARC = np.linspace(-np.pi / 2, np.pi / 2, 9)


@dataclass
class Canvas:
    """A picture that is drawn upon in place. `unit` is the width of a fine line in it."""

    picture: np.ndarray

    @property
    def diagonal(self) -> float:
        return float(np.hypot(*self.picture.shape[:2]))

    @property
    def unit(self) -> float:
        return max(self.diagonal / 550, 0.9)

    def stroke(self, extent: float) -> float:
        """The width of limbs of a person `extent` pixels long: a share of it, within what the picture bears."""
        return float(np.clip(0.022 * extent, 1.3 * self.unit, 6 * self.unit))

    def capsule(self, ends: np.ndarray, radius: float, color: ArrayLike) -> None:
        """A line with round ends between two points (2, 2), `radius` to either side."""
        start, end = ends
        angle = np.arctan2(*(end - start)[::-1])
        arcs = [(end, _ARC + angle), (start, _ARC + angle + np.pi)]
        outline = [point + radius * np.stack([np.cos(turn), np.sin(turn)], axis=-1) for point, turn in arcs]
        self._fill(np.concatenate(outline), color)

    def dot(self, center: ArrayLike, radius: float, color: ArrayLike) -> None:
        turn = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        self._fill(np.asarray(center) + radius * np.stack([np.cos(turn), np.sin(turn)], axis=-1), color)

    def ring(self, center: ArrayLike, radius: float, width: float, color: ArrayLike) -> None:
        x, y, r = _fixed(np.array([*np.asarray(center, float), radius]))
        cv2.circle(self.picture, (int(x), int(y)), int(r), rgb(color), max(round(width), 1), cv2.LINE_AA, _SHIFT)

    def frame(self, box_xyxy: np.ndarray, color: ArrayLike, width: float) -> None:
        """A box's edges, `width` pixels to either side."""
        left, top, right, bottom = np.asarray(box_xyxy, float)
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
        for ends in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            self.capsule(np.array(ends), width, color)

    def _fill(self, outline: np.ndarray, color: ArrayLike) -> None:
        cv2.fillConvexPoly(self.picture, _fixed(outline), rgb(color), cv2.LINE_AA, _SHIFT)


def _fixed(points: np.ndarray) -> np.ndarray:
    return np.round(np.clip(points, -_FAR, _FAR) * (1 << _SHIFT)).astype(np.int32)


def rgb(color: ArrayLike) -> Sequence[int]:
    """A colour as OpenCV wants it."""
    return tuple(int(value) for value in np.asarray(color).reshape(3))


def text_height(picture: np.ndarray) -> float:
    """The height of a capital letter, in pixels, that is readable on a picture of this size."""
    return float(np.clip(np.hypot(*picture.shape[:2]) / 68, 8, 48))


def text_size(text: str, height: float) -> tuple[int, int]:
    """Width and height in pixels of `text` whose capitals are `height` pixels high."""
    (width, tall), _ = cv2.getTextSize(text, FONT, *_font(height))
    return width, tall


def write(picture: np.ndarray, text: str, left_baseline_xy: ArrayLike, color: ArrayLike, height: float) -> None:
    """Text with capitals `height` pixels high, in place, its baseline starting at the given point."""
    x, y = np.round(np.asarray(left_baseline_xy, float)).astype(int)
    scale, thickness = _font(height)
    cv2.putText(picture, text, (int(x), int(y)), FONT, scale, rgb(color), thickness, cv2.LINE_AA)


def write_label(picture: np.ndarray, text: str, corner_xy: ArrayLike, color: ArrayLike, height: float) -> None:
    """Text on a plate of `color` above the corner, moved into the picture where it would stick out; in place."""
    width, tall = text_size(text, height)
    pad = max(round(height * 0.4), 2)
    x, y = np.asarray(corner_xy, float).round().astype(int)
    x = int(np.clip(x, 0, max(picture.shape[1] - width - 2 * pad, 0)))
    y = int(np.clip(y, tall + 2 * pad, picture.shape[0]))
    cv2.rectangle(picture, (x, y - tall - 2 * pad), (x + width + 2 * pad, y), rgb(color), -1)
    dark_plate = float(np.dot(np.asarray(color, float), (0.299, 0.587, 0.114))) < 140
    write(picture, text, (x + pad, y - pad), (255, 255, 255) if dark_plate else (20, 20, 24), height)


def _font(height: float) -> tuple[float, int]:
    """OpenCV's scale and stroke for capitals of a height; the font's are 21 pixels high at scale 1."""
    return height / 21, max(round(height / 11), 1)
