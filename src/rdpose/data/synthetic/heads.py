"""Heads: skull and hair, face, ears and hats, seen from the front, the side or behind."""

from __future__ import annotations

from rdpose.data.synthetic.body import FACE, NOSE_BEYOND_PROFILE, SIDES, Wardrobe, between
from rdpose.data.synthetic.clothing import Fabric, tinted

DARK, WHITE = Fabric((34, 26, 24)), Fabric((240, 238, 234))


def add_head(wardrobe: Wardrobe) -> None:
    """The order of skull and face, and which marks a face shows, follow from where the head turns."""
    figure, outfit, r = wardrobe.figure, wardrobe.outfit, wardrobe.figure.build.head
    depth = max(figure["skull"][2], figure["waist"][2] - 0.1) + 0.03
    away = figure.head[2, 2] < -0.35
    _add_hair_behind(wardrobe, depth)
    if away:
        _add_face(wardrobe, depth)
    scalp = outfit.skin if outfit.hair_style == "bald" else outfit.hair
    size = 1.25 if outfit.hair_style == "afro" else 0.95
    wardrobe.add(("skull",), size * r, scalp, depth, joints=FACE)
    if not away:
        _add_face(wardrobe, depth)
    for side in SIDES:
        if figure[f"{side}_ear"][2] - figure["skull"][2] > -0.5 * r:
            wardrobe.add((f"{side}_ear",), 0.17 * r, outfit.skin, depth, joints=FACE)
    if figure["nose"][2] - figure["skull"][2] > -NOSE_BEYOND_PROFILE * r:
        _add_marks(wardrobe, depth)
    if outfit.hat is not None:
        _add_hat(wardrobe, outfit.hat, depth, away)


def _add_face(wardrobe: Wardrobe, depth: float) -> None:
    r = wardrobe.figure.build.head
    radii = (0.78 * r, 0.4 * r, 0.5 * r, 0.5 * r)
    wardrobe.add(("brow", "jaw", "left_cheek", "right_cheek"), radii, wardrobe.outfit.skin, depth, joints=FACE)


def _add_marks(wardrobe: Wardrobe, depth: float) -> None:
    """Eyes, glasses, nose and mouth, as far as they are on this side of the head."""
    figure, outfit, r = wardrobe.figure, wardrobe.outfit, wardrobe.figure.build.head
    for eye in ("left_eye", "right_eye"):
        if figure[eye][2] - figure["skull"][2] > 0.1 * r:
            brow = between(figure[eye], figure["crown"], 0.3)
            wardrobe.add((brow,), 0.1 * r, outfit.hair, depth, solid=False)
            if outfit.glasses:
                wardrobe.add((eye,), 0.28 * r, DARK, depth, solid=False)
            wardrobe.add((eye,), 0.19 * r, WHITE, depth, solid=False)
            wardrobe.add((eye,), 0.13 * r, DARK, depth, solid=False)
    bridge = between(figure["nose"], figure["brow"], 0.3)
    wardrobe.add((bridge, "nose"), (0.1 * r, 0.16 * r), tinted(outfit.skin, 0.82), depth, solid=False)
    if figure["nose"][2] - figure["skull"][2] > 0.1 * r:
        wardrobe.add(("mouth_left", "mouth_right"), 0.08 * r, tinted(outfit.skin, 0.6), depth, solid=False)


def _add_hair_behind(wardrobe: Wardrobe, depth: float) -> None:
    outfit, r = wardrobe.outfit, wardrobe.figure.build.head
    behind = depth - 0.05 if wardrobe.figure.head[2, 2] > -0.2 else depth + 0.002
    if outfit.hair_style == "long":
        wardrobe.add(("skull", "nape"), (1.0 * r, 0.8 * r), outfit.hair, behind)
    elif outfit.hair_style == "tail":
        wardrobe.add(("bun", "nape"), (0.35 * r, 0.2 * r), outfit.hair, behind)
    elif outfit.hair_style == "bun":
        wardrobe.add(("bun",), 0.42 * r, outfit.hair, behind)


def _add_hat(wardrobe: Wardrobe, hat: Fabric, depth: float, away: bool) -> None:
    figure, r = wardrobe.figure, wardrobe.figure.build.head
    rim = between(figure["crown"], figure["skull"], 1.0 if away else 0.5)
    wardrobe.add(("crown", rim), (0.55 * r, (0.98 if away else 0.82) * r), hat, depth)
    if not away:
        peak = ("peak", between(figure["crown"], figure["brow"], 0.4))
        wardrobe.add(peak, (0.18 * r, 0.34 * r), hat, depth)
