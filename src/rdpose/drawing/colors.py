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
_SIDE_SHADES = {LEFT: 0.38, MIDDLE: 0.0, RIGHT: -0.28}
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


def scheme(skeleton: Skeleton, own: np.ndarray, style: str) -> tuple[np.ndarray, np.ndarray]:
    """Colours of the limbs (n, limbs, 3) and joints (n, joints, 3) uint8 of people whose own colours are `own` (n, 3).

    Raises:
        ValueError: `style` is not one of STYLES or of the family's names for them.
    """
    style = ALIASES.get(style, style)
    if style not in STYLES:
        raise ValueError(f"unknown style {style!r}: expected one of {', '.join((*STYLES, *ALIASES))}")
    parts = [_part(name) for name in skeleton.joints]
    limbs = [parts[a] if parts[a] == parts[b] else "arms" for a, b in skeleton.limbs]
    return _colors(own, style, limb_sides(skeleton), limbs), _colors(own, style, joint_sides(skeleton), parts)


def _part(name: str) -> str:
    lower = name.lower()
    if any(word in lower for word in _HEAD_WORDS):
        return "head"
    return "legs" if any(word in lower for word in _LEG_WORDS) else "arms"


def _colors(own: np.ndarray, style: str, sides: np.ndarray, parts: list[str]) -> np.ndarray:
    """(n, m, 3) uint8 of things (m,) whose sides and parts these are, for each of n people."""
    if style == "person":
        return shade(own[:, None], np.array([_SIDE_SHADES[side] for side in sides])[:, None])
    tables = [_SIDE_COLORS if style == "side" else _PART_COLORS[part] for part in parts]
    shared = [table[side] for table, side in zip(tables, sides, strict=True)]
    return np.broadcast_to(np.array(shared, np.uint8).reshape(-1, 3), (len(own), len(parts), 3))


def shade(color: np.ndarray, amount: ArrayLike) -> np.ndarray:
    """Colours (..., 3) mixed with white (amount 0..1) or with black (0..-1), uint8."""
    target, share = np.where(np.asarray(amount) > 0, 255.0, 0.0), np.abs(amount)
    return np.round(color + (target - color.astype(float)) * share).astype(np.uint8)
