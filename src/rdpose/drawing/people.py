"""People drawn onto a picture: limbs with a dark outline, joints with a white rim, boxes with labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from rdpose.drawing import colors as scheme_of
from rdpose.drawing.canvas import Canvas, text_height, write_label
from rdpose.io.images import checked
from rdpose.skeletons import Skeleton

OUTLINE = (24, 24, 28)
RIM = (255, 255, 255)


def draw_poses(
    picture: np.ndarray,
    joints: ArrayLike,
    confidence: ArrayLike | None,
    skeleton: Skeleton,
    *,
    min_confidence: float = 0.3,
    occluded: ArrayLike | None = None,
    boxes_xyxy: ArrayLike | None = None,
    labels: Sequence[str] | None = None,
    colors: ArrayLike | None = None,
    style: str = "person",
) -> np.ndarray:
    """People over a picture, the larger ones first, so that the small stay visible.

    A joint is solid from `min_confidence` on, hollow with thin limbs down to a third of it, and left out below that.

    Args:
        picture: (height, width, 3) RGB uint8, not changed.
        joints: (people, joints, 2) pixels, x then y; joints that are not finite are left out.
        confidence: (people, joints), 0 leaves a joint out; None takes all as sure.
        occluded: (people, joints) bool, joints to draw hollow however sure they are.
        boxes_xyxy: (people, 4) pixels, drawn as frames.
        labels: one short text for each person, set on its box, or above its highest joint.
        colors: (people, 3) RGB 0..255; the palette's if None.
        style: "person" (a colour each, left lighter than right), "side", "parts", or the HRNet family's "chunhua",
            "xiaochu".

    Returns:
        A new picture of the same size.

    Raises:
        ValueError: shapes do not fit each other, or the style is unknown.
    """
    canvas = Canvas(checked(picture).copy())
    points, solid, shown = _joint_states(joints, confidence, occluded, skeleton, min_confidence)
    count = len(points)
    own = scheme_of.person_colors(np.arange(count)) if colors is None else np.asarray(colors).reshape(count, 3)
    boxes = None if boxes_xyxy is None else np.asarray(boxes_xyxy, np.float32).reshape(count, 4)
    extent = np.array([_extent(points[i][shown[i]]) for i in range(count)])
    of_limbs, of_joints = scheme_of.scheme(skeleton, own, style)
    for i in np.argsort(-extent, kind="stable"):
        _draw_person(canvas, points[i], solid[i], shown[i], skeleton, (of_limbs[i], of_joints[i]))
    if boxes is not None or labels is not None:
        places = boxes if boxes is not None else np.array([_hull(points[i][shown[i]]) for i in range(count)])
        return draw_boxes(canvas.picture, places, labels=labels, colors=own, frames=boxes is not None)
    return canvas.picture


def draw_boxes(
    picture: np.ndarray,
    boxes_xyxy: ArrayLike,
    *,
    labels: Sequence[str] | None = None,
    colors: ArrayLike | None = None,
    frames: bool = True,
) -> np.ndarray:
    """Boxes (people, 4) pixels as thin frames with labels over a copy of the picture; empty boxes are left out."""
    canvas = Canvas(checked(picture).copy())
    boxes = np.nan_to_num(np.asarray(boxes_xyxy, np.float32).reshape(-1, 4))
    own = scheme_of.person_colors(np.arange(len(boxes))) if colors is None else np.asarray(colors).reshape(-1, 3)
    if labels is not None and len(labels) != len(boxes):
        raise ValueError(f"{len(labels)} labels for {len(boxes)} people: give one label for each")
    size = text_height(canvas.picture)
    for i, box in enumerate(boxes):
        if (box[2:] <= box[:2]).any():
            continue
        if frames:
            canvas.frame(box, OUTLINE, canvas.unit * 1.0)
            canvas.frame(box, own[i], canvas.unit * 0.5)
        if labels is not None and labels[i]:
            write_label(canvas.picture, labels[i], box[:2], own[i], size)
    return canvas.picture


def _joint_states(
    joints: ArrayLike, confidence: ArrayLike | None, occluded: ArrayLike | None, skeleton: Skeleton, threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (n, k, 2) and which of them are solid and which are shown at all, both (n, k) bool."""
    points = np.asarray(joints, np.float64)
    if points.size == 0:
        points = points.reshape(0, skeleton.num_joints, 2)
    if points.ndim != 3 or points.shape[1:] != (skeleton.num_joints, 2):
        raise ValueError(f"joints have shape {points.shape}: expected (people, {skeleton.num_joints}, 2)")
    sure = _fitting("confidence", confidence, points, 1.0)
    hollow = _fitting("occluded", occluded, points, 0.0) > 0
    shown = np.isfinite(points).all(axis=-1) & (sure > 0) & (sure >= threshold / 3)
    return points, shown & (sure >= threshold) & ~hollow, shown


def _fitting(name: str, values: ArrayLike | None, points: np.ndarray, default: float) -> np.ndarray:
    """One number for each joint, (n, k) float; `default` where none are given."""
    given = np.full(points.shape[:2], default) if values is None else np.asarray(values, float)
    if given.size == points.size == 0:
        return given.reshape(points.shape[:2])
    if given.shape != points.shape[:2]:
        raise ValueError(f"{name} has shape {given.shape}, which does not fit joints {points.shape}")
    return given


def _draw_person(
    canvas: Canvas,
    points: np.ndarray,
    solid: np.ndarray,
    shown: np.ndarray,
    skeleton: Skeleton,
    colors: tuple[np.ndarray, np.ndarray],
) -> None:
    """One person: outlines of all limbs first, so that none crosses another limb of the same person."""
    limbs = scheme_of.limb_indices(skeleton)
    head = scheme_of.is_head(skeleton)
    radius = canvas.stroke(_extent(points[shown])) * 0.5
    fine = np.where(head[limbs].any(axis=1), 0.5, 1.0) * np.where(solid[limbs].all(axis=1), 1.0, 0.45) * radius
    drawn = np.flatnonzero(shown[limbs].all(axis=1))
    for i in drawn:
        canvas.capsule(points[limbs[i]], fine[i] + canvas.unit * 0.45, OUTLINE)
    for i in drawn:
        canvas.capsule(points[limbs[i]], fine[i], colors[0][i])
    dots = np.where(head, 0.85, 1.3) * radius
    for k in np.flatnonzero(shown):
        rim, core = (RIM, colors[1][k]) if solid[k] else (colors[1][k], OUTLINE)
        canvas.dot(points[k], dots[k] + canvas.unit * 0.9, OUTLINE)
        canvas.dot(points[k], dots[k] + canvas.unit * 0.5, rim)
        canvas.dot(points[k], dots[k] * (1.0 if solid[k] else 0.65), core)


def _extent(points: np.ndarray) -> float:
    """The longer side of the points' box, in pixels."""
    return float(np.ptp(points, axis=0).max()) if len(points) else 0.0


def _hull(points: np.ndarray) -> np.ndarray:
    """(4,) xyxy around the points; an empty box for none."""
    return np.concatenate([points.min(axis=0), points.max(axis=0) + 1]) if len(points) else np.zeros(4)
