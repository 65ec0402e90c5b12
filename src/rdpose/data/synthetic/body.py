"""A posed figure and its clothes as body parts, sorted from back to front: each a convex hull of circles."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from rdpose.data.synthetic.clothing import Fabric, Outfit
from rdpose.data.synthetic.figures import Figure
from rdpose.skeletons import COCO_17

SIDES = ("left", "right")


@dataclass(frozen=True)
class Part:
    """circles (n, 3): x, y, radius; depth: parts with a larger one are painted later; joints: COCO names it holds."""

    circles: np.ndarray
    fabric: Fabric
    depth: tuple[float, int]
    joints: tuple[str, ...] = ()
    solid: bool = True
    """Solid parts are shaded as round bodies and hide joints; others (eyes, a mouth) are flat marks."""
    along: tuple[float, float] = (0.0, 1.0)
    """The direction that a pattern follows: along a limb, down a trunk."""

    def moved(self, scale: float, offset: np.ndarray) -> Part:
        circles = self.circles * scale
        circles[:, :2] += offset
        return replace(self, circles=circles)


@dataclass
class _Wardrobe:
    """Collects the parts of one figure."""

    figure: Figure
    outfit: Outfit
    parts: list[Part] = field(default_factory=list)

    def add(
        self, places, radii, fabric: Fabric, depth: float, joints: tuple[str, ...] = (), solid: bool = True
    ) -> None:
        """`places`: names of points or (3,) places; `depth` ties are broken by the order of adding."""
        points = np.array([self.figure[place] if isinstance(place, str) else place for place in places])
        circles = np.column_stack([points[:, :2], np.broadcast_to(radii, len(points))])
        along = self.figure["pelvis"] - self.figure["neck"] if len(points) > 3 else points[-1] - points[0]
        self.parts.append(Part(circles, fabric, (depth, len(self.parts)), joints, solid, tuple(along[:2].tolist())))


def dress(figure: Figure, outfit: Outfit) -> list[Part]:
    """The figure's parts, from the farthest to the nearest, in standing heights."""
    wardrobe = _Wardrobe(figure, outfit)
    for side in SIDES:
        _leg(wardrobe, side)
        _arm(wardrobe, side)
    _trunk(wardrobe)
    _head(wardrobe)
    return sorted(wardrobe.parts, key=lambda part: part.depth)


def facing_joints(figure: Figure) -> np.ndarray:
    """(17,) bool: joints on the side of the body that the camera sees; the far ear or shoulder is not among them."""
    seen = np.ones(COCO_17.num_joints, bool)
    head = figure["skull"][2]
    for i, name in enumerate(COCO_17.joints):
        depth = figure[name][2]
        if name in ("nose", "left_eye", "right_eye"):
            seen[i] = depth - head > 0.1 * figure.build.head
        elif name.endswith("ear"):
            seen[i] = depth - head > -0.35 * figure.build.head
        elif name.endswith("shoulder"):
            seen[i] = depth - figure["neck"][2] > -0.7 * figure.build.shoulder
        elif name.endswith("hip"):
            seen[i] = depth - figure["pelvis"][2] > -0.7 * figure.build.hip
    return seen


def _between(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    return a + t * (b - a)


def _leg(wardrobe: _Wardrobe, side: str) -> None:
    figure, outfit = wardrobe.figure, wardrobe.outfit
    girth = figure.build.girth
    hip, knee, ankle, toe = (figure[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "toe"))
    upper, lower = (hip[2] + knee[2]) / 2, (knee[2] + ankle[2]) / 2
    calf = _between(knee, ankle, 0.3)
    radii = np.array([0.055, 0.036, 0.034, 0.022]) * (0.45 + 0.55 * girth)
    thigh_joints, shin_joints = (f"{side}_hip", f"{side}_knee"), (f"{side}_knee", f"{side}_ankle")
    wardrobe.add((f"{side}_heel", toe), (0.02, 0.016), outfit.shoes, lower - 0.001, (f"{side}_ankle",))
    wardrobe.add((knee, calf, ankle), radii[[1, 2, 3]], outfit.skin, lower, shin_joints)
    wardrobe.add((hip, knee), radii[[0, 1]], outfit.skin, upper, thigh_joints)
    loose = outfit.loose
    if outfit.leg > 1:
        end = _between(knee, ankle, outfit.leg - 1)
        wardrobe.add(
            (knee, calf, end), radii[[1, 2, 3]] * (loose, loose, loose * 1.15), outfit.bottom, lower, shin_joints
        )
    if outfit.leg > 0:
        end = _between(hip, knee, min(outfit.leg, 1))
        wardrobe.add((hip, end), radii[[0, 1]] * loose, outfit.bottom, upper + 0.001, thigh_joints)


def _arm(wardrobe: _Wardrobe, side: str) -> None:
    figure, outfit = wardrobe.figure, wardrobe.outfit
    girth = figure.build.girth
    shoulder, elbow, wrist = (figure[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist"))
    upper, lower = (shoulder[2] + elbow[2]) / 2, (elbow[2] + wrist[2]) / 2
    radii = np.array([0.036, 0.026, 0.018]) * (0.4 + 0.6 * girth)
    upper_joints, lower_joints = (f"{side}_shoulder", f"{side}_elbow"), (f"{side}_elbow", f"{side}_wrist")
    wardrobe.add((wrist, f"{side}_hand"), (0.018, 0.019), outfit.skin, lower + 0.001, (f"{side}_wrist",))
    wardrobe.add((elbow, _between(elbow, wrist, 0.25), wrist), radii[[1, 1, 2]], outfit.skin, lower, lower_joints)
    wardrobe.add((shoulder, elbow), radii[:2], outfit.skin, upper, upper_joints)
    loose = outfit.loose
    if outfit.sleeve > 1:
        end = _between(elbow, wrist, outfit.sleeve - 1)
        wardrobe.add((elbow, end), radii[[1, 2]] * (loose, loose * 1.15), outfit.top, lower + 0.002, lower_joints)
    if outfit.sleeve > 0:
        t = min(outfit.sleeve, 1)
        end_radius = _between(radii[0], radii[1], t)
        wardrobe.add(
            (shoulder, _between(shoulder, elbow, t)),
            (radii[0] * loose, end_radius * loose),
            outfit.top,
            upper + 0.001,
            upper_joints,
        )


def _trunk(wardrobe: _Wardrobe) -> None:
    figure, outfit = wardrobe.figure, wardrobe.outfit
    girth, loose, waist = figure.build.girth, 0.5 + 0.5 * outfit.loose, figure["waist"]
    front = figure.trunk[2, 2]
    middle = waist[2]
    hips, shoulders = ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")
    wide = 0.056 * girth * loose
    wardrobe.add(("neck", "jaw"), (0.032 * girth**0.5, 0.026 * girth**0.5), outfit.skin, middle - 0.002)
    wardrobe.add((*hips, "pelvis"), (0.057 * girth, 0.057 * girth, 0.06 * girth), outfit.bottom, middle, hips)
    if outfit.skirt > 0:
        hems = [_between(figure[f"{s}_hip"], figure[f"{s}_knee"], min(outfit.skirt, 1)) for s in SIDES]
        if outfit.skirt > 1:
            hems = [_between(figure[f"{s}_knee"], figure[f"{s}_ankle"], outfit.skirt - 1) for s in SIDES]
        depth = max(middle, *(float(hem[2]) for hem in hems)) + 0.03
        wardrobe.add((*hips, *hems), (0.06 * girth, 0.06 * girth, 0.06, 0.06), outfit.bottom, depth, hips)
        middle = depth if depth < figure["neck"][2] + 0.05 else middle
    low = [_between(figure[hip], waist, 0.2) for hip in hips]
    wardrobe.add((*low, "left_flank", "right_flank", "belly"), (wide, wide, wide, wide, wide), outfit.top, middle, hips)
    wardrobe.add(
        (*shoulders, "left_flank", "right_flank", "left_ribs", "right_ribs", "chest", "back"),
        (0.038, 0.038, wide * 0.95, wide * 0.95, wide, wide, 0.03, 0.03),
        outfit.top,
        middle + 0.001,
        (*shoulders, *hips),
    )
    if front > 0.2:
        collar = _between(figure["neck"], figure["waist"], 0.05) + figure.trunk[:, 2] * (0.03, -0.03, 0.03)
        wardrobe.add((collar,), 0.026, outfit.skin, middle + 0.002, solid=False)
        if outfit.opened is not None:
            belt = _between(waist, figure["pelvis"], 0.6) + figure.trunk[:, 2] * (0.05, -0.05, 0.05)
            wardrobe.add((collar, belt), (0.02, 0.03), outfit.opened, middle + 0.0015, solid=False)
    if outfit.bag is not None:
        depth = middle + (0.02 if front < 0 else -0.02)
        behind = -figure.trunk[:, 2] * (1, -1, 1) * 0.075 * girth
        places = [_between(figure["neck"], waist, t) + behind + a for t in (0.15, 0.9) for a in _across(figure, 0.035)]
        wardrobe.add(places, 0.035, outfit.bag, depth)


def _across(figure: Figure, half: float) -> tuple[np.ndarray, np.ndarray]:
    across = figure.trunk[:, 0] * (half, -half, half)
    return across, -across


def _head(wardrobe: _Wardrobe) -> None:
    figure, outfit = wardrobe.figure, wardrobe.outfit
    r, facing = figure.build.head, figure.head[2, 2]
    skin, hair = outfit.skin, outfit.hair
    depth = float(np.clip(figure["skull"][2], figure["waist"][2] - 0.1, None)) + 0.03
    scalp = skin if outfit.hair_style == "bald" else hair
    size = 1.3 if outfit.hair_style == "afro" else 0.95
    _hair_behind(wardrobe, depth)
    ears = [(f"{side}_ear",) for side in SIDES if figure[f"{side}_ear"][2] - figure["skull"][2] > -0.5 * r]
    face = lambda: wardrobe.add(  # noqa: E731
        ("brow", "jaw", "left_cheek", "right_cheek"), np.array([0.78, 0.4, 0.5, 0.5]) * r, skin, depth
    )
    skull = lambda: wardrobe.add(("skull",), size * r, scalp, depth, COCO_17.joints[:5])  # noqa: E731
    for paint in (skull, face) if facing > -0.35 else (face, skull):
        paint()
    for ear in ears:
        wardrobe.add(ear, 0.17 * r, skin, depth, ear)
    _face(wardrobe, depth)
    if outfit.hat is not None:
        wardrobe.add(("crown", "skull"), (0.55 * r, 0.98 * r), outfit.hat, depth) if facing < -0.35 else wardrobe.add(
            ("crown", _between(figure["crown"], figure["skull"], 0.5)), (0.55 * r, 0.82 * r), outfit.hat, depth
        )
        if facing > -0.3:
            wardrobe.add(
                ("peak", _between(figure["crown"], figure["brow"], 0.4)), (0.2 * r, 0.4 * r), outfit.hat, depth
            )


def _hair_behind(wardrobe: _Wardrobe, depth: float) -> None:
    figure, outfit, r = wardrobe.figure, wardrobe.outfit, wardrobe.figure.build.head
    behind = depth - 0.05 if figure.head[2, 2] > -0.2 else depth + 0.002
    if outfit.hair_style == "long":
        wardrobe.add(("skull", "nape"), (1.02 * r, 0.85 * r), outfit.hair, behind)
    elif outfit.hair_style == "tail":
        wardrobe.add(("bun", "nape"), (0.35 * r, 0.2 * r), outfit.hair, behind)
    elif outfit.hair_style == "bun":
        wardrobe.add(("bun",), 0.42 * r, outfit.hair, behind)


def _face(wardrobe: _Wardrobe, depth: float) -> None:
    figure, outfit, r = wardrobe.figure, wardrobe.outfit, wardrobe.figure.build.head
    head = figure["skull"][2]
    dark, white = Fabric((34, 26, 24)), Fabric((244, 242, 238))
    lips = Fabric(tuple(c * f for c, f in zip(outfit.skin.colour, (0.78, 0.55, 0.52), strict=True)))
    shadow = Fabric(tuple(0.8 * c for c in outfit.skin.colour))
    for side in SIDES:
        if figure[f"{side}_eye"][2] - head > 0.1 * r:
            if outfit.glasses:
                wardrobe.add((f"{side}_eye",), 0.3 * r, dark, depth, solid=False)
            wardrobe.add((f"{side}_eye",), 0.2 * r, white, depth, solid=False)
            wardrobe.add((f"{side}_eye",), 0.12 * r, dark, depth, solid=False)
    if figure["nose"][2] - head > 0.1 * r:
        wardrobe.add(("nose",), 0.17 * r, shadow, depth, solid=False)
        wardrobe.add(("mouth_left", "mouth_right"), 0.08 * r, lips, depth, solid=False)
