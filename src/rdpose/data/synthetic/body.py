"""A posed figure and its clothes as body parts, sorted from back to front: each a convex hull of circles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rdpose.data.synthetic.clothing import Fabric, Outfit
from rdpose.data.synthetic.figures import Figure, Point
from rdpose.skeletons import COCO_17

SIDES = ("left", "right")
FACE = COCO_17.joints[:5]
NOSE_BEYOND_PROFILE = 0.3
"""In head radii: so far behind the middle of the head a nose still shows, since it sticks out."""
Place = str | Point
"""The name of a point of the figure, or x, y, z in its units."""


@dataclass(frozen=True, slots=True)
class Part:
    """circles: (x, y, radius) each; depth: parts with a larger one are painted later; joints: COCO names it holds."""

    circles: tuple[tuple[float, float, float], ...]
    fabric: Fabric
    depth: tuple[float, int]
    joints: tuple[str, ...] = ()
    solid: bool = True
    """Solid parts are shaded as round bodies and hide joints; others (eyes, a mouth, a shadow) are flat marks."""
    along: tuple[float, float] = (0.0, 1.0)
    """The direction that a pattern follows: along a limb, down a trunk."""
    opacity: int = 255


@dataclass
class Wardrobe:
    """Collects the parts of one figure."""

    figure: Figure
    outfit: Outfit
    parts: list[Part] = field(default_factory=list)

    def add(
        self,
        places: Sequence[Place],
        radii: float | Sequence[float],
        fabric: Fabric,
        depth: float,
        *,
        joints: tuple[str, ...] = (),
        solid: bool = True,
        opacity: int = 255,
    ) -> None:
        """A hull of circles around `places`; ties in `depth` are broken by the order of adding."""
        points = [self.figure[place] if isinstance(place, str) else place for place in places]
        sizes = [float(radii)] * len(points) if isinstance(radii, int | float) else radii
        circles = tuple((x, y, r) for (x, y, _), r in zip(points, sizes, strict=True))
        start, end = (self.figure["neck"], self.figure["pelvis"]) if len(points) > 3 else (points[0], points[-1])
        along = (end[0] - start[0], end[1] - start[1])
        self.parts.append(Part(circles, fabric, (depth, len(self.parts)), joints, solid, along, opacity))


def between(a: Point, b: Point, share: float) -> Point:
    """The point at `share` of the way from a to b."""
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), a[2] + share * (b[2] - a[2])


def beside(point: Point, axis: np.ndarray, distance: float) -> Point:
    """The point at `distance` along `axis` (3,), which is in camera axes with y up."""
    x, y, z = (distance * axis).tolist()
    return point[0] + x, point[1] - y, point[2] + z


def facing_joints(figure: Figure) -> np.ndarray:
    """(17,) bool: joints on the side of the body that the camera sees; the far ear or shoulder is not among them."""
    build, depth = figure.build, figure.points[: COCO_17.num_joints, 2]
    head, neck, pelvis = figure["skull"][2], figure["neck"][2], figure["pelvis"][2]
    nearest = np.full(COCO_17.num_joints, -np.inf)
    nearest[0], nearest[1:3] = head - NOSE_BEYOND_PROFILE * build.head, head + 0.1 * build.head
    nearest[3:5] = head - 0.35 * build.head
    nearest[5:7], nearest[11:13] = neck - 0.75 * build.shoulder, pelvis - 0.75 * build.hip
    return depth > nearest


def add_shadow(wardrobe: Wardrobe) -> None:
    """A soft dark patch on the ground under the feet."""
    figure = wardrobe.figure
    feet = [figure[f"{side}_{end}"] for side in SIDES for end in ("heel", "toe")]
    ground = max(y for _, y, _ in feet) + 0.005
    for radius, opacity in ((0.056, 22), (0.047, 44), (0.038, 66), (0.028, 88), (0.018, 104)):
        places = [(x, ground, 0.0) for x, _, _ in feet]
        wardrobe.add(places, radius, Fabric((0, 0, 0)), -np.inf, solid=False, opacity=opacity)


def add_leg(wardrobe: Wardrobe, side: str) -> None:
    """Shoe, shin and thigh, and what trousers or shorts cover of them."""
    figure, outfit = wardrobe.figure, wardrobe.outfit
    hip, knee, ankle = (figure[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
    upper, lower = (hip[2] + knee[2]) / 2, (knee[2] + ankle[2]) / 2
    thick = 0.45 + 0.55 * figure.build.girth
    top, middle, calf, bottom = 0.055 * thick, 0.036 * thick, 0.035 * thick, 0.021 * thick
    thigh, shin = (f"{side}_hip", f"{side}_knee"), (f"{side}_knee", f"{side}_ankle")
    wardrobe.add((f"{side}_heel", f"{side}_toe"), (0.021, 0.016), outfit.shoes, lower - 0.001, joints=shin[1:])
    swell = between(knee, ankle, 0.3)
    if outfit.leg < 1.8:
        wardrobe.add((knee, swell, ankle), (middle, calf, bottom), outfit.skin, lower, joints=shin)
    if outfit.leg < 0.9:
        wardrobe.add((hip, knee), (top, middle), outfit.skin, upper, joints=thigh)
    loose = outfit.loose
    if outfit.leg > 1:
        end = between(knee, ankle, outfit.leg - 1)
        radii = (middle * loose, calf * loose, bottom * loose * 1.2)
        wardrobe.add((knee, swell, end), radii, outfit.bottom, lower, joints=shin)
    if outfit.leg > 0:
        end = between(hip, knee, min(outfit.leg, 1))
        wardrobe.add((hip, end), (top * loose, middle * loose), outfit.bottom, upper + 0.001, joints=thigh)


def add_arm(wardrobe: Wardrobe, side: str) -> None:
    """Hand, forearm and upper arm, and what a sleeve covers of them."""
    figure, outfit = wardrobe.figure, wardrobe.outfit
    shoulder, elbow, wrist = (figure[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist"))
    upper, lower = (shoulder[2] + elbow[2]) / 2, (elbow[2] + wrist[2]) / 2
    thick = 0.4 + 0.6 * figure.build.girth
    top, middle, bottom = 0.035 * thick, 0.026 * thick, 0.018 * thick
    arm, forearm = (f"{side}_shoulder", f"{side}_elbow"), (f"{side}_elbow", f"{side}_wrist")
    wardrobe.add((wrist, f"{side}_hand"), (0.017, 0.019), outfit.skin, lower + 0.001, joints=forearm[1:])
    if outfit.sleeve < 1.8:
        swell = between(elbow, wrist, 0.25)
        wardrobe.add((elbow, swell, wrist), (middle, middle, bottom), outfit.skin, lower, joints=forearm)
    if outfit.sleeve < 0.9:
        wardrobe.add((shoulder, elbow), (top, middle), outfit.skin, upper, joints=arm)
    loose = outfit.loose
    if outfit.sleeve > 1:
        end = between(elbow, wrist, outfit.sleeve - 1)
        wardrobe.add((elbow, end), (middle * loose, bottom * loose * 1.2), outfit.top, lower + 0.002, joints=forearm)
    if outfit.sleeve > 0:
        share = min(outfit.sleeve, 1)
        radii = (top * loose, (top + share * (middle - top)) * loose)
        wardrobe.add((shoulder, between(shoulder, elbow, share)), radii, outfit.top, upper + 0.001, joints=arm)


def add_trunk(wardrobe: Wardrobe) -> None:
    """Pelvis, belly and chest in their clothes, the neck, and what is worn in front or on the back."""
    figure, outfit = wardrobe.figure, wardrobe.outfit
    girth, waist, depth = figure.build.girth, figure["waist"], figure["waist"][2]
    hips, shoulders = ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")
    wide = 0.056 * girth * (0.5 + 0.5 * outfit.loose)
    wardrobe.add((*hips, "pelvis"), (0.057 * girth,) * 3, outfit.bottom, depth, joints=hips)
    if outfit.skirt > 0:
        depth = max(depth, _add_skirt(wardrobe))
    low = [between(figure[hip], waist, 0.2) for hip in hips]
    wardrobe.add((*low, "left_flank", "right_flank", "belly"), wide, outfit.top, depth, joints=hips)
    wardrobe.add(
        (*shoulders, "left_flank", "right_flank", "left_ribs", "right_ribs", "chest", "back"),
        (0.036, 0.036, wide * 0.95, wide * 0.95, wide, wide, 0.03, 0.03),
        outfit.top,
        depth + 0.001,
        joints=(*shoulders, *hips),
    )
    front = figure.trunk[:, 2]
    faces_viewer = front[2] > 0.15
    if outfit.opened is not None and faces_viewer:
        ends = beside(figure["neck"], front, 0.03), beside(between(waist, figure["pelvis"], 0.6), front, 0.06)
        wardrobe.add(ends, (0.02, 0.032), outfit.opened, depth + 0.002, solid=False)
    throat = between(figure["neck"], waist, 0.12 if faces_viewer else -0.05)
    thick = 0.03 * girth**0.5
    neck_depth = depth + 0.003 if faces_viewer else depth - 0.002
    wardrobe.add((beside(throat, front, 0.02), "neck", "jaw"), (0.012, thick, 0.026), outfit.skin, neck_depth)
    if outfit.bag is not None:
        _add_bag(wardrobe, depth + (0.004 if front[2] < 0 else -0.02))


def _add_skirt(wardrobe: Wardrobe) -> float:
    """Returns the depth at which a shirt hangs over the skirt."""
    figure, outfit, girth = wardrobe.figure, wardrobe.outfit, wardrobe.figure.build.girth
    start, end = ("hip", "knee") if outfit.skirt <= 1 else ("knee", "ankle")
    share = outfit.skirt if outfit.skirt <= 1 else outfit.skirt - 1
    hems = [between(figure[f"{side}_{start}"], figure[f"{side}_{end}"], share) for side in SIDES]
    places = ("left_hip", "right_hip", *(("left_knee", "right_knee") if outfit.skirt > 1 else ()), *hems)
    depth = max(figure["waist"][2], *(hem[2] for hem in hems)) + 0.03
    wardrobe.add(places, 0.06 * girth, outfit.bottom, depth, joints=("left_hip", "right_hip"))
    return depth if depth < figure["neck"][2] + 0.05 else -np.inf


def _add_bag(wardrobe: Wardrobe, depth: float) -> None:
    figure, bag = wardrobe.figure, wardrobe.outfit.bag
    assert bag is not None
    behind = [
        beside(between(figure["neck"], figure["waist"], t), -figure.trunk[:, 2], 0.075 * figure.build.girth)
        for t in (0.15, 0.9)
    ]
    corners = [beside(point, figure.trunk[:, 0], half) for point in behind for half in (0.035, -0.035)]
    wardrobe.add(corners, 0.035, bag, depth)
