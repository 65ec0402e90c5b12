"""A crowd in a picture: people painted back to front, and which joints that leaves in sight."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rdpose.data.synthetic import painting
from rdpose.data.synthetic.actors import Actor
from rdpose.data.synthetic.backgrounds import sample_background
from rdpose.data.synthetic.painting import Layer
from rdpose.data.synthetic.placement import sample_cast

MIN_VISIBLE = 0.2
"""People of whom a smaller share is in sight step in front of the others."""


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
class Painted:
    """An actor, the layer that shows it, and its whole silhouette (height, width) bool."""

    actor: Actor
    layer: Layer
    mask: np.ndarray


def render_scene(
    rng: np.random.Generator,
    *,
    num_people: tuple[int, int] | int = (2, 5),
    size_wh: tuple[int, int] = (320, 240),
    overlap: tuple[float, float] = (0.0, 1.0),
    variety: float = 1.0,
) -> Scene:
    """A crowd of people on a cluttered background.

    num_people: a number, or the least and the most; overlap: how far neighbours stand in front of each other, drawn
    between the two, from 0 (side by side) to 1 (nearly one behind the other); variety: the share of people who do
    anything and face anywhere, while the others stand and face the viewer.

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
    cast = sample_cast(rng, int(rng.integers(low, high + 1)), size_wh, float(rng.uniform(*overlap)), variety)
    angle = rng.uniform(-0.9 * np.pi, -0.1 * np.pi)
    painted = paint_cast(cast, size_wh, light=np.array([np.cos(angle), np.sin(angle)]))
    scene = compose(background, bring_hidden_forward(painted))
    return Scene(_photograph(rng, scene.picture), scene.people)


def paint_cast(actors: list[Actor], size_wh: tuple[int, int], *, light: np.ndarray) -> list[Painted]:
    """Each actor on a layer of its own; those wholly outside the picture are left out.

    light (2,): unit vector in the picture towards the light.
    """
    layers = [(actor, painting.paint(actor.outlines, size_wh, light)) for actor in actors]
    return [Painted(actor, layer, layer.mask(size_wh)) for actor, layer in layers if layer is not None]


def bring_hidden_forward(painted: list[Painted]) -> list[Painted]:
    """The same people with those of whom less than `MIN_VISIBLE` would be in sight moved to the front."""
    for i in range(len(painted) - 2, -1, -1):
        mask = painted[i].mask
        in_front = np.logical_or.reduce([other.mask for other in painted[i + 1 :]])
        if np.count_nonzero(mask & ~in_front) < MIN_VISIBLE * np.count_nonzero(mask):
            painted = [*painted[:i], *painted[i + 1 :], painted[i]]
    return painted


def compose(background: np.ndarray, painted: list[Painted]) -> Scene:
    """Paints people over the background, from the farthest to the nearest, and tells what of each stays in sight."""
    picture = background.copy()
    for one in painted:
        one.layer.onto(picture)
    people, in_front = [], np.zeros(background.shape[:2], bool)
    for one in reversed(painted):
        people.append(_person(one, in_front))
        in_front |= one.mask
    return Scene(picture, people[::-1])


def _person(painted: Painted, in_front: np.ndarray) -> Person:
    joints, mask = painted.actor.joints, painted.mask
    height, width = mask.shape
    cells = np.round(joints).astype(int)
    inside = ((cells >= 0) & (cells < (width, height))).all(1)
    x, y = np.clip(cells, 0, (width - 1, height - 1)).T
    hidden = ~painted.actor.seen | in_front[y, x]
    visible_mask = mask & ~in_front
    area = np.count_nonzero(mask)
    return Person(
        joints=joints.astype(np.float32),
        visible=np.where(inside, np.where(hidden, 1, 2), 0).astype(np.uint8),
        box_xywh=np.array(cv2.boundingRect(mask.view(np.uint8)), np.float32),
        area=float(area),
        visible_fraction=float(np.count_nonzero(visible_mask)) / max(area, 1),
        mask=mask,
        visible_mask=visible_mask,
    )


def _photograph(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Exposure, colour of the light, a little blur and the grain of a sensor."""
    if rng.random() < 0.2:
        picture = cv2.GaussianBlur(picture, (3, 3), 0)
    gains = rng.normal(1, 0.05, 3) * rng.uniform(0.75, 1.12)
    levels = np.clip(np.arange(256)[:, None] * gains, 0, 255).astype(np.uint8)
    grain = cv2.merge([rng.integers(0, 256, picture.shape[:2], np.uint8)] * 3)
    strength = float(rng.uniform(0.01, 0.06))
    return cv2.addWeighted(cv2.LUT(picture, levels[None]), 1.0, grain, strength, -127.5 * strength)
