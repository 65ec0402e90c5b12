"""Postures as tables of joint angles: what legs, arms and trunk do when people stand, walk, sit, reach, play."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Range = tuple[float, float]

# Degrees. Per arm: swing forward, lift sideways, turn of the elbow's bend inward, bend of the elbow.
ARMS: dict[str, tuple[Range, Range, Range, Range]] = {
    "hanging": ((-15, 15), (4, 18), (0, 45), (3, 35)),
    "on_hip": ((-30, -5), (32, 50), (55, 80), (85, 115)),
    "raised": ((-10, 15), (135, 170), (-30, 30), (0, 50)),
    "spread": ((-10, 20), (65, 105), (-40, 40), (0, 30)),
    "waving": ((-5, 15), (65, 110), (-105, -65), (60, 115)),
    "reaching": ((55, 100), (-8, 20), (-20, 40), (0, 45)),
    "holding": ((5, 40), (2, 18), (5, 45), (65, 115)),
    "folded": ((12, 32), (6, 16), (55, 80), (90, 115)),
    "behind": ((-50, -20), (5, 18), (10, 50), (15, 60)),
    "throwing": ((125, 175), (0, 25), (-30, 30), (10, 95)),
}

# Degrees. Per leg: swing forward, lift sideways, turn outward, bend of the knee.
LEGS: dict[str, tuple[Range, Range, Range, Range]] = {
    "straight": ((-5, 6), (1, 8), (0, 20), (0, 8)),
    "astride": ((-4, 10), (12, 26), (5, 30), (0, 15)),
    "stepping": ((14, 34), (0, 5), (0, 12), (3, 20)),
    "trailing": ((-24, -8), (0, 5), (0, 12), (8, 40)),
    "driving": ((45, 80), (0, 8), (0, 12), (55, 105)),
    "pushing": ((-32, -8), (0, 8), (0, 12), (25, 95)),
    "seated": ((75, 98), (3, 20), (0, 25), (65, 100)),
    "crouched": ((85, 115), (8, 28), (5, 30), (95, 130)),
    "kicking": ((45, 95), (0, 20), (0, 20), (0, 35)),
    "lunging": ((45, 75), (0, 12), (0, 15), (50, 90)),
    "bent": ((5, 25), (3, 14), (0, 20), (15, 45)),
}


@dataclass(frozen=True)
class Activity:
    """How often people do it, what each leg and the arms may do, how far the trunk leans forward and to the side."""

    weight: float
    legs: tuple[str, str]
    arms: tuple[str, ...]
    lean: Range
    sway: float = 6.0


CALM = ("hanging", "hanging", "hanging", "on_hip", "holding", "folded", "behind", "waving", "reaching")
LIVELY = tuple(ARMS)
ACTIVITIES = (
    Activity(0.26, ("straight", "straight"), CALM, (-4, 8), 4),
    Activity(0.14, ("astride", "astride"), LIVELY, (-6, 15)),
    Activity(0.18, ("stepping", "trailing"), ("hanging", "hanging", "behind", "holding", "waving"), (0, 12), 4),
    Activity(0.10, ("driving", "pushing"), ("holding", "behind", "spread", "reaching"), (5, 28), 10),
    Activity(0.08, ("seated", "seated"), ("holding", "hanging", "folded", "raised", "reaching"), (-8, 20)),
    Activity(0.04, ("crouched", "crouched"), ("holding", "reaching", "spread", "folded"), (10, 40)),
    Activity(0.05, ("kicking", "straight"), ("spread", "behind", "raised", "holding"), (-18, 10), 14),
    Activity(0.06, ("lunging", "pushing"), LIVELY, (0, 30), 12),
    Activity(0.05, ("bent", "bent"), ("reaching", "holding", "hanging"), (25, 65), 10),
    Activity(0.04, ("straight", "bent"), ("raised", "throwing", "raised", "spread"), (-12, 8), 14),
)
_CUMULATED = np.cumsum([activity.weight for activity in ACTIVITIES])

ROOT, CHEST, HEAD = 0, 1, 2
SHOULDERS, ELBOWS, HIPS, KNEES, ANKLES = (slice(i, i + 2) for i in range(3, 13, 2))
NUM_ROTATIONS = 13


@dataclass(frozen=True)
class Pose:
    """rotations (13, 3) radians about x, y, z: root, chest, head, then left and right shoulder ... ankle.

    A body's axes are x to its own left, y up, z forward; yaw 0 faces the viewer, pi turns the back.
    """

    rotations: np.ndarray
    yaw: float = 0.0
    pitch: float = 0.0


def sample_pose(rng: np.random.Generator, variety: float = 1.0) -> Pose:
    """A posture within natural joint ranges, and where it faces: towards the viewer, away, or anywhere.

    With less `variety` than 1, that share of people does anything, and the others stand and face the viewer.
    """
    calm = variety < 1 and rng.random() >= variety
    activity = ACTIVITIES[0 if calm else np.searchsorted(_CUMULATED, rng.random() * _CUMULATED[-1])]
    rotations = np.zeros((NUM_ROTATIONS, 3))
    rotations[ROOT] = rng.normal(0, (3, 0, activity.sway / 2))
    rotations[CHEST] = rng.uniform(*activity.lean), rng.normal(0, 10), rng.normal(0, activity.sway)
    head = np.clip(rng.normal(0, (10, 25, 7)), (-25, -60, -16), (25, 60, 16))
    rotations[HEAD] = head - (0.5 * rotations[CHEST, 0], 0, 0)  # people look ahead when they lean
    legs = activity.legs if rng.random() < 0.5 else activity.legs[::-1]
    first = activity.arms[rng.integers(len(activity.arms))]
    arms = (first, first if rng.random() < 0.55 else activity.arms[rng.integers(len(activity.arms))])
    limbs = _draw(rng, (*(ARMS[arm] for arm in arms), *(LEGS[leg] for leg in legs)))
    for side, sign in enumerate((1, -1)):
        forward, aside, inward, bend = limbs[side]
        rotations[SHOULDERS][side] = -forward, -sign * inward, sign * aside
        rotations[ELBOWS][side, 0] = -bend
        forward, aside, outward, bend = limbs[2 + side]
        rotations[HIPS][side] = -forward, sign * outward, sign * aside
        rotations[KNEES][side, 0] = bend
        rotations[ANKLES][side, 0] = min(max(forward - bend, -35), 25)
    yaw = float(rng.normal(0, 0.35)) if calm else sample_yaw(rng)
    return Pose(np.radians(rotations), yaw, float(np.radians(rng.uniform(-4, 12))))


def sample_yaw(rng: np.random.Generator) -> float:
    """Radians; people in pictures mostly face the camera, some turn their back, the rest look anywhere."""
    kind = rng.random()
    if kind < 0.7:
        return float(rng.normal(0 if kind < 0.52 else np.pi, 0.45))
    return float(rng.uniform(-np.pi, np.pi))


def _draw(rng: np.random.Generator, limbs: tuple[tuple[Range, ...], ...]) -> list[list[float]]:
    """Per limb, its four angles in degrees."""
    low, high = np.moveaxis(np.array(limbs), -1, 0)
    return (low + (high - low) * rng.random(low.shape)).tolist()


def matrices(rotations: np.ndarray) -> np.ndarray:
    """(..., 3) radians about x, y, z -> (..., 3, 3) rotation matrices Rz Rx Ry."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(rotations).T, np.sin(rotations).T
    rows = (
        (cz * cy - sz * sx * sy, -sz * cx, cz * sy + sz * sx * cy),
        (sz * cy + cz * sx * sy, cz * cx, sz * sy - cz * sx * cy),
        (-cx * sy, sx, cx * cy),
    )
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))
