"""A person before painting: a dressed figure put into the picture, and which of its joints its own body hides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rdpose.data.synthetic import body, heads
from rdpose.data.synthetic.body import Part, Wardrobe, facing_joints
from rdpose.data.synthetic.clothing import Outfit
from rdpose.data.synthetic.figures import Figure
from rdpose.data.synthetic.painting import Outlines
from rdpose.skeletons import COCO_17

_INDEX = {name: i for i, name in enumerate(COCO_17.joints)}


@dataclass(frozen=True)
class Actor:
    """outlines and joints (17, 2) in picture pixels; seen (17,) bool: not behind the person's own body."""

    outlines: Outlines
    joints: np.ndarray
    seen: np.ndarray


def act(figure: Figure, outfit: Outfit, *, scale: float, offset: np.ndarray) -> Actor:
    """A dressed figure at `scale` pixels per standing height with its pelvis at `offset` (x, y)."""
    outlines = Outlines.of(dress(figure, outfit), scale, offset)
    joints = figure.points[: COCO_17.num_joints, :2] * scale + offset
    return Actor(outlines, joints, facing_joints(figure) & ~_behind_own_body(outlines, joints))


def dress(figure: Figure, outfit: Outfit) -> list[Part]:
    """All parts of a person, from the farthest to the nearest, in standing heights."""
    wardrobe = Wardrobe(figure, outfit)
    body.add_shadow(wardrobe)
    for side in body.SIDES:
        body.add_leg(wardrobe, side)
        body.add_arm(wardrobe, side)
    body.add_trunk(wardrobe)
    heads.add_head(wardrobe)
    return sorted(wardrobe.parts, key=lambda part: part.depth)


def _behind_own_body(outlines: Outlines, joints: np.ndarray) -> np.ndarray:
    """(17,) bool: a part of the same person that does not hold the joint is painted over it."""
    shape = len(outlines.parts), len(joints)
    holds, order = np.zeros(shape, bool), np.arange(shape[0])[:, None]
    for part, row in zip(outlines.parts, holds, strict=True):
        row[[_INDEX[name] for name in part.joints]] = True
    solid = np.array([part.solid for part in outlines.parts])[:, None]
    later = order > np.where(holds, order, -1).max(0)
    return np.any(outlines.cover(joints, later & solid), axis=0)
