"""Colours of people, sides and body parts, told apart by colour-blind readers too."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import ArrayLike

from rdpose.skeletons import Skeleton

STYLES = ("person", "side", "parts")
"""A colour for each person; left and right; or each of face, arms and legs by side, the same for all people."""

ALIASES = {"xiaochu": "side", "chunhua": "parts"}
"""What the HRNet family calls the schemes that come closest."""

# Okabe & Ito's colours (Color Universal Design, 2008), the strongest contrasts first, made lighter for photographs.
PALETTE = np.array(
    [
        (255, 159, 28),
        (64, 178, 255),
        (0, 190, 140),
        (240, 96, 60),
        (245, 228, 66),
        (222, 124, 190),
        (58, 110, 230),
        (160, 220, 90),
        (170, 120, 255),
        (140, 225, 230),
    ],
    dtype=np.uint8,
)
GOLDEN_RATIO = 0.618034

LEFT, MIDDLE, RIGHT = -1, 0, 1
_SIDE_COLORS = {LEFT: (255, 150, 40), MIDDLE: (240, 240, 240), RIGHT: (50, 150, 255)}
_PART_COLORS = {
    "head": {LEFT: (240, 110, 180), MIDDLE: (240, 110, 180), RIGHT: (240, 110, 180)},
    "arms": {LEFT: (250, 220, 60), MIDDLE: (250, 245, 235), RIGHT: (80, 200, 120)},
    "legs": {LEFT: (255, 150, 70), MIDDLE: (250, 245, 235), RIGHT: (60, 165, 250)},
}
_HEAD_WORDS = ("nose", "eye", "ear", "head", "face", "mouth", "chin")
_LEG_WORDS = ("hip", "knee", "ankle", "foot", "toe", "heel")


def person_colors(index: ArrayLike) -> np.ndarray:
    """(n,) numbers or track ids -> (n, 3) uint8 RGB: the palette first, hues by golden ratio after that."""
    numbers = np.asarray(index, dtype=np.int64).reshape(-1)
    colors = PALETTE[numbers % len(PALETTE)].copy()
    for i in np.flatnonzero((numbers < 0) | (numbers >= len(PALETTE))):
        hue = float(numbers[i]) * GOLDEN_RATIO % 1
        colors[i] = np.round(255 * np.array(colorsys.hls_to_rgb(hue, 0.62, 0.85)))
    return colors


def joint_sides(skeleton: Skeleton) -> np.ndarray:
    """(joints,) int: LEFT, MIDDLE or RIGHT, from the names, or else from the order in the flip pairs."""
    sides = np.full(skeleton.num_joints, MIDDLE)
    for first, second in skeleton.flip_pairs:
        swapped = "right" in skeleton.joints[first].lower()
        sides[first], sides[second] = (RIGHT, LEFT) if swapped else (LEFT, RIGHT)
    return sides


def limb_sides(skeleton: Skeleton) -> np.ndarray:
    """(limbs,) int: the side of a limb's joints; MIDDLE where they lie on different sides (shoulder to shoulder)."""
    return np.sign(joint_sides(skeleton)[limb_indices(skeleton)].sum(axis=1))


def limb_indices(skeleton: Skeleton) -> np.ndarray:
    """(limbs, 2) int: the joints that each limb joins; (0, 2) for a skeleton without limbs."""
    return np.array(skeleton.limbs, dtype=np.int64).reshape(-1, 2)


def is_head(skeleton: Skeleton) -> np.ndarray:
    """(joints,) bool: joints of the face and head, which are drawn finer."""
    return np.array([any(word in name.lower() for word in _HEAD_WORDS) for name in skeleton.joints])


def scheme(skeleton: Skeleton, base: np.ndarray, style: str) -> tuple[np.ndarray, np.ndarray]:
    """Colours of the limbs (limbs, 3) and joints (joints, 3) uint8 of one person whose own colour is `base` (3,).

    Raises:
        ValueError: `style` is not one of STYLES or of the family's names for them.
    """
    style = ALIASES.get(style, style)
    if style not in STYLES:
        raise ValueError(f"unknown style {style!r}: expected one of {', '.join((*STYLES, *ALIASES))}")
    parts = [_part(name) for name in skeleton.joints]
    limbs = [(side, parts[a], parts[b]) for side, (a, b) in zip(limb_sides(skeleton), skeleton.limbs, strict=True)]
    of_limbs = [_color(base, style, side, a if a == b else "arms") for side, a, b in limbs]
    of_joints = [_color(base, style, side, part) for side, part in zip(joint_sides(skeleton), parts, strict=True)]
    return np.array(of_limbs, np.uint8).reshape(-1, 3), np.array(of_joints, np.uint8).reshape(-1, 3)


def _part(name: str) -> str:
    lower = name.lower()
    if any(word in lower for word in _HEAD_WORDS):
        return "head"
    return "legs" if any(word in lower for word in _LEG_WORDS) else "arms"


def _color(base: np.ndarray, style: str, side: int, part: str) -> np.ndarray:
    if style == "side":
        return np.array(_SIDE_COLORS[side])
    if style == "parts":
        return np.array(_PART_COLORS[part][side])
    return shade(base, {LEFT: 0.38, MIDDLE: 0.0, RIGHT: -0.28}[side])


def shade(color: np.ndarray, amount: float) -> np.ndarray:
    """A colour mixed with white (amount 0..1) or with black (0..-1): (3,) uint8."""
    target = 255.0 if amount > 0 else 0.0
    return np.round(color + (target - color.astype(float)) * abs(amount)).astype(np.uint8)
