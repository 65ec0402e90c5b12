"""Cluttered places for people to stand in: walls, floors, textures, furniture-like shapes and limb-like distractors."""

from __future__ import annotations

import cv2
import numpy as np

from rdpose.data.synthetic.clothing import HAIRS, SKINS, sample_colour

Size = tuple[int, int]


def sample_background(rng: np.random.Generator, size_wh: Size) -> np.ndarray:
    """(height, width, 3) uint8 RGB."""
    picture = _wall_and_floor(rng, size_wh)
    if rng.random() < 0.5:
        _tiles(rng, picture)
    for _ in range(int(rng.integers(4, 22))):
        _shape(rng, picture)
    for _ in range(int(rng.integers(0, 9))):
        _limb(rng, picture)
    if rng.random() < 0.45:  # as out of focus
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.6, 2.2)))
    return _texture(rng, _faded(picture, float(rng.uniform(0.25, 0.95))))


def _faded(picture: np.ndarray, saturation: float) -> np.ndarray:
    grey = cv2.merge([cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)] * 3)
    return cv2.addWeighted(picture, saturation, grey, 1 - saturation, 0)


def _wall_and_floor(rng: np.random.Generator, size_wh: Size) -> np.ndarray:
    """Two areas that meet at a horizon, each with a smooth change of colour."""
    width, height = size_wh
    horizon = int(height * rng.uniform(0.25, 0.95))
    picture = np.empty((height, width, 3), np.uint8)
    for top, bottom in ((0, horizon), (horizon, height)):
        base = np.array(sample_colour(rng, 0.35)) * 0.75 + 30
        corners = np.clip(base + rng.normal(0, 28, (2, 2, 3)), 0, 255).astype(np.float32)
        if bottom > top:
            picture[top:bottom] = cv2.resize(corners, (width, bottom - top), interpolation=cv2.INTER_LINEAR)
    return picture


def _texture(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Light and dark patches of two sizes, centred on no change."""
    height, width = picture.shape[:2]
    texture = np.zeros((height, width), np.float32)
    for cells, strength in ((8, rng.uniform(0, 16)), (60, rng.uniform(0, 14))):
        coarse = rng.standard_normal((cells, cells), np.float32) * np.float32(strength)
        texture += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.add(picture, cv2.merge([texture] * 3), dtype=cv2.CV_8U)


def _tiles(rng: np.random.Generator, picture: np.ndarray) -> None:
    """Bricks, tiles or boards: a grid of lines, perhaps of one direction, over a part of the picture."""
    height, width = picture.shape[:2]
    top, bottom = sorted(rng.integers(0, height + 1, 2).tolist())
    area = picture[top:bottom]
    colour = sample_colour(rng, 0.7)
    step_x, step_y = rng.integers(8, 60, 2).tolist()
    thickness, kind = int(rng.integers(1, 4)), int(rng.integers(3))
    slope = int(rng.normal(0, 30))
    if kind != 1:
        for x in range(-abs(slope), width + abs(slope), step_x):
            cv2.line(area, (x, 0), (x + slope, bottom - top), colour, thickness, cv2.LINE_AA)
    if kind != 2:
        for y in range(0, bottom - top, step_y):
            cv2.line(area, (0, y), (width, y), colour, thickness)


def _shape(rng: np.random.Generator, picture: np.ndarray) -> None:
    """A box, disc, line, post or polygon, filled or as an outline."""
    height, width = picture.shape[:2]
    colour = sample_colour(rng, 0.45)
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    w, h = rng.uniform(0.03, 0.35, 2) * min(width, height)
    thickness = -1 if rng.random() < 0.65 else int(rng.integers(1, 7))
    kind = int(rng.integers(5))
    corner, far = (int(x - w), int(y - h)), (int(x + w), int(y + h))
    if kind == 0:
        cv2.rectangle(picture, corner, far, colour, thickness)
        if thickness < 0 and rng.random() < 0.5:  # a frame makes it a window, a screen, a door
            cv2.rectangle(picture, corner, far, sample_colour(rng, 0.7), int(rng.integers(1, 5)))
    elif kind == 1:
        axes = (int(w), int(w if rng.random() < 0.5 else h))
        cv2.ellipse(picture, (int(x), int(y)), axes, float(rng.uniform(0, 180)), 0, 360, colour, thickness, cv2.LINE_AA)
    elif kind == 2:
        end = rng.uniform((0, 0), (width, height)).astype(int).tolist()
        cv2.line(picture, (int(x), int(y)), end, colour, int(rng.integers(1, 10)), cv2.LINE_AA)
    elif kind == 3:
        half = int(rng.integers(2, 14))
        cv2.rectangle(picture, (int(x) - half, int(y - 3 * h)), (int(x) + half, int(y + 3 * h)), colour, -1)
    else:
        corners = rng.uniform(-1, 1, (int(rng.integers(3, 6)), 2)) * (w, h) + (x, y)
        cv2.fillConvexPoly(picture, cv2.convexHull(corners.astype(np.int32)), colour, cv2.LINE_AA)


def _limb(rng: np.random.Generator, picture: np.ndarray) -> None:
    """What a joint detector may take for an arm, a leg or a head, and nobody's: bent tubes and discs on posts."""
    height, width = picture.shape[:2]
    skin = SKINS[rng.integers(len(SKINS))]
    start = rng.uniform((0, 0), (width, height))
    steps = rng.uniform(-0.22, 0.22, (2, 2)) * height
    bent = np.round([start, start + steps[0], start + steps.sum(0)]).astype(np.int32)
    thickness = int(rng.integers(3, max(4, height // 14)))
    if rng.random() < 0.3:
        radius = int(rng.integers(3, max(4, height // 14)))
        cv2.line(picture, bent[0].tolist(), bent[1].tolist(), sample_colour(rng), thickness, cv2.LINE_AA)
        cv2.circle(picture, bent[0].tolist(), radius + 2, HAIRS[rng.integers(len(HAIRS))], -1, cv2.LINE_AA)
        cv2.circle(picture, bent[0].tolist(), radius, skin, -1, cv2.LINE_AA)
    else:
        colour = skin if rng.random() < 0.5 else sample_colour(rng)
        cv2.polylines(picture, [bent], False, colour, thickness, cv2.LINE_AA)
