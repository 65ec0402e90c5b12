"""A crowd in a picture: who stands where, painted back to front, and which joints that leaves in sight."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rdpose.data.synthetic import body, painting
from rdpose.data.synthetic.backgrounds import sample_background
from rdpose.data.synthetic.body import Part
from rdpose.data.synthetic.clothing import Outfit, sample_clothes, sample_outfit
from rdpose.data.synthetic.figures import Build, Figure, pose_figure, sample_build
from rdpose.data.synthetic.painting import Layer
from rdpose.data.synthetic.poses import Pose, sample_pose
from rdpose.skeletons import COCO_17

MIN_VISIBLE = 0.12
"""People of whom less is in sight are painted in front of the others."""


@dataclass(frozen=True)
class Person:
    """What an annotator who knows everything would write down.

    joints (17, 2) float32 x, y pixels, also outside the picture; visible (17,) uint8: 0 outside the picture, 1 hidden
    by somebody (oneself included), 2 in sight; box_xywh (4,) float32 and area: of the whole silhouette in the picture,
    hidden parts included; visible_fraction: the share of that area that nobody stands in front of; mask (height, width)
    bool: the whole silhouette; visible_mask: what of it is in sight.
    """

    joints: np.ndarray
    visible: np.ndarray
    box_xywh: np.ndarray
    area: float
    visible_fraction: float
    mask: np.ndarray
    visible_mask: np.ndarray


@dataclass(frozen=True)
class Scene:
    """picture (height, width, 3) uint8 RGB; people from the farthest to the nearest."""

    picture: np.ndarray
    people: list[Person]


@dataclass(frozen=True)
class Actor:
    """A person before painting, in picture pixels: parts from back to front, joints (17, 2), seen (17,) bool."""

    parts: list[Part]
    joints: np.ndarray
    seen: np.ndarray


def render_scene(
    rng: np.random.Generator,
    *,
    num_people: tuple[int, int] | int = (2, 5),
    size_wh: tuple[int, int] = (320, 240),
    overlap: tuple[float, float] = (0.0, 1.0),
) -> Scene:
    """A crowd of people on a cluttered background.

    num_people: a number, or the least and the most; overlap: how far neighbours stand in front of each other, drawn
    between the two, from 0 (side by side) to 1 (nearly one behind the other).

    Raises:
        ValueError: no people, a picture under 32 pixels, or an overlap outside 0..1.
    """
    low, high = (num_people, num_people) if isinstance(num_people, int) else num_people
    if not 1 <= low <= high or min(size_wh) < 32 or not 0 <= overlap[0] <= overlap[1] <= 1:
        raise ValueError(
            f"cannot render {num_people} people at {size_wh} with overlap {overlap}: give at least 1 person (least, "
            f"most), at least 32 x 32 pixels, and an overlap (least, most) within 0..1"
        )
    background = sample_background(rng, size_wh)
    actors = _place(rng, int(rng.integers(low, high + 1)), size_wh, float(rng.uniform(*overlap)))
    angle = rng.uniform(-0.9 * np.pi, -0.1 * np.pi)
    scene = compose(background, actors, light=np.array([np.cos(angle), np.sin(angle)]))
    return Scene(_photograph(rng, scene.picture), scene.people)


def act(figure: Figure, outfit: Outfit, *, scale: float, offset: np.ndarray) -> Actor:
    """A dressed figure at `scale` pixels per standing height with its pelvis at `offset` (x, y)."""
    parts = [part.moved(scale, offset) for part in body.dress(figure, outfit)]
    joints = figure.points[: COCO_17.num_joints, :2] * scale + offset
    return Actor(parts, joints, body.facing_joints(figure) & ~_behind_own_body(parts, joints))


def compose(background: np.ndarray, actors: list[Actor], *, light: np.ndarray) -> Scene:
    """Paints `actors` (from the farthest to the nearest, all in the picture) and tells what of each remains in sight.

    Somebody of whom less than `MIN_VISIBLE` would remain steps to the front.
    """
    size_wh = background.shape[1::-1]
    painted = [(actor, layer) for actor in actors if (layer := painting.paint(actor.parts, size_wh, light))]
    painted = [(actor, layer, layer.mask(size_wh)) for actor, layer in painted]
    painted = _bring_hidden_forward(painted)
    picture = background.copy()
    for _, layer, _ in painted:
        layer.onto(picture)
    people, in_front = [], np.zeros(background.shape[:2], bool)
    for actor, _, mask in reversed(painted):
        people.append(_person(actor, mask, in_front))
        in_front |= mask
    return Scene(picture, people[::-1])


def _bring_hidden_forward(painted: list[tuple[Actor, Layer, np.ndarray]]) -> list[tuple[Actor, Layer, np.ndarray]]:
    for i in range(len(painted) - 2, -1, -1):
        mask = painted[i][2]
        in_front = np.logical_or.reduce([other[2] for other in painted[i + 1 :]])
        if np.count_nonzero(mask & ~in_front) < MIN_VISIBLE * np.count_nonzero(mask):
            painted = [*painted[:i], *painted[i + 1 :], painted[i]]
    return painted


def _person(actor: Actor, mask: np.ndarray, in_front: np.ndarray) -> Person:
    height, width = mask.shape
    cells = np.round(actor.joints).astype(int)
    inside = ((cells >= 0) & (cells < (width, height))).all(1)
    x, y = np.clip(cells, 0, (width - 1, height - 1)).T
    hidden = ~actor.seen | in_front[y, x]
    visible_mask = mask & ~in_front
    area = int(np.count_nonzero(mask))
    return Person(
        joints=actor.joints.astype(np.float32),
        visible=np.where(inside, np.where(hidden, 1, 2), 0).astype(np.uint8),
        box_xywh=np.array(cv2.boundingRect(mask.view(np.uint8)), np.float32),
        area=float(area),
        visible_fraction=np.count_nonzero(visible_mask) / max(area, 1),
        mask=mask,
        visible_mask=visible_mask,
    )


def _behind_own_body(parts: list[Part], joints: np.ndarray) -> np.ndarray:
    """(17,) bool: a part of the same person that does not hold the joint is painted over it."""
    behind = np.zeros(len(joints), bool)
    for i, name in enumerate(COCO_17.joints):
        own = max((k for k, part in enumerate(parts) if name in part.joints), default=len(parts))
        point = joints[i].tolist()
        behind[i] = any(
            cv2.pointPolygonTest(painting.hull(part.circles), point, False) > 0
            for part in parts[own + 1 :]
            if part.solid and _near(part.circles, joints[i])
        )
    return behind


def _near(circles: np.ndarray, point: np.ndarray) -> bool:
    low, high = (circles[:, :2] - circles[:, 2:]).min(0), (circles[:, :2] + circles[:, 2:]).max(0)
    return bool(((low < point) & (point < high)).all())


def _place(rng: np.random.Generator, count: int, size_wh: tuple[int, int], overlap: float) -> list[Actor]:
    """People in a row, each over its neighbour by a share of the narrower one; nearer ones larger and lower."""
    width, height = size_wh
    team = [sample_clothes(rng) for _ in range(2)] if rng.random() < 0.25 else [None]
    figures = [pose_figure(sample_build(rng), sample_pose(rng)) for _ in range(count)]
    outfits = [sample_outfit(rng, team[rng.integers(len(team))]) for _ in range(count)]
    depth = rng.permutation(count) / max(count - 1, 1)  # 0 far, 1 near
    sizes = np.array([figure.build.stature for figure in figures]) * (1 + 0.22 * (depth - 0.5))
    lows, highs = (np.array(ends) for ends in zip(*(_extent(figure) for figure in figures), strict=True))
    spans = (highs - lows)[:, 0] * sizes
    shifts = np.minimum(spans[:-1], spans[1:]) * overlap * 0.95
    lefts = np.concatenate([[0], np.cumsum(spans[:-1] - shifts)])
    row = float((lefts + spans).max())
    tallest = float(((highs - lows)[:, 1] * sizes).max())
    scale = min(height * rng.uniform(0.6, 1.05) / tallest, width * rng.uniform(0.85, 1.08) / row)
    start = (width - scale * row) * rng.uniform(0.1, 0.9)
    ground = _ground(rng, height, scale * tallest)
    actors = []
    for i in np.argsort(depth):
        own = scale * float(sizes[i])
        feet = ground + height * 0.07 * (depth[i] - 0.5)
        offset = np.array([start + scale * lefts[i] - own * lows[i, 0], feet - own * highs[i, 1]])
        actors.append(act(figures[i], outfits[i], scale=own, offset=offset))
    return actors


def _ground(rng: np.random.Generator, height: int, tallest: float) -> float:
    """Where feet stand: in the picture with heads below its edge where that fits, feet cut off in one of five."""
    if rng.random() < 0.2:
        return height * rng.uniform(1.0, 1.3)
    return float(np.clip(rng.uniform(min(tallest, height), height) * 1.02, 0.6 * height, 1.04 * height))


def _extent(figure: Figure) -> tuple[np.ndarray, np.ndarray]:
    margin = 0.03  # limbs are thicker than their bones
    return figure.points[:, :2].min(0) - margin, figure.points[:, :2].max(0) + margin


def _photograph(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Exposure, colour of the light, a little blur and the grain of a sensor."""
    gains = np.clip(rng.normal(1, 0.05, 3) * rng.uniform(0.75, 1.12), 0.5, 1.3)
    if rng.random() < 0.2:
        picture = cv2.GaussianBlur(picture, (3, 3), 0)
    picture = cv2.multiply(picture, (*gains.tolist(), 1.0), dtype=cv2.CV_8U)
    height, width = picture.shape[:2]
    grain = rng.integers(0, 256, (height, width), np.uint8)
    strength = float(rng.uniform(0.01, 0.06))
    grain = cv2.merge([grain] * 3)
    return cv2.addWeighted(picture, 1.0, grain, strength, -127.5 * strength)


__all__ = ["Actor", "Build", "Person", "Pose", "Scene", "act", "compose", "render_scene"]
