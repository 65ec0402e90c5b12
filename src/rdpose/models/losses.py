"""How wrong a heatmap is: the HRNet family's weighted squared error, hard-joint mining and joint weights."""

from __future__ import annotations

from typing import Literal

import numpy as np
from torch import Tensor

from rdpose.skeletons import Skeleton

JOINT_WEIGHTS = {"elbow": 1.2, "knee": 1.2, "wrist": 1.5, "ankle": 1.5}
"""What counts more than 1: the HRNet family's weights, by the last word of a joint's name."""


def heatmap_loss(
    predicted: Tensor,
    target: Tensor,
    weight: Tensor,
    *,
    reduction: Literal["mean", "map_sum"] = "mean",
    ohkm_topk: int = 0,
    emphasis: Tensor | None = None,
) -> Tensor:
    """Half the squared error of weighted heatmaps, averaged over joints and people.

    Both sides are multiplied by the joint's weight before they are compared, so a weight counts squared. A joint of
    weight 0 adds nothing but stays in the average, as in the HRNet family: losses of equal batches average exactly.

    Args:
        predicted, target: (batch, joints, height, width).
        weight: (batch, joints), 0 for unlabelled joints, else 1 or a real number.
        reduction: over a map, "mean" (the family's) or "map_sum": height x width times as much.
        ohkm_topk: average only this many joints of each person, those of largest error; 0 averages all.
        emphasis: (batch, joints, height, width), how much more than once each cell's error counts; None is nowhere.

    Returns:
        A scalar, float32 also for half-precision predictions against float32 targets.

    Raises:
        ValueError: shapes do not fit, `reduction` is unknown, or fewer than `ohkm_topk` joints exist.
    """
    if predicted.shape != target.shape or weight.shape != predicted.shape[:2]:
        shapes = f"{tuple(predicted.shape)}, {tuple(target.shape)}, {tuple(weight.shape)}"
        raise ValueError(f"predicted, target and weight are {shapes}; expected two (b, k, h, w) and one (b, k)")
    if reduction not in ("mean", "map_sum"):
        raise ValueError(f"unknown reduction {reduction!r}; choose mean or map_sum")
    if not 0 <= ohkm_topk <= predicted.shape[1]:
        raise ValueError(f"ohkm_topk is {ohkm_topk}; expected 0 to {predicted.shape[1]}, the number of joints")
    squared = (predicted - target).square()
    if emphasis is not None:
        squared = squared * (1 + emphasis)
    error = squared.mean((2, 3)) if reduction == "mean" else squared.sum((2, 3))
    error = 0.5 * error * weight.square()
    if ohkm_topk:
        error = error.topk(ohkm_topk, dim=1).values
    return error.mean()


def joint_weights(skeleton: Skeleton) -> np.ndarray:
    """(joints,) float32: 1.2 for elbows and knees, 1.5 for wrists and ankles, 1 for the rest, by the joints' names."""
    heavier = [[weight for word, weight in JOINT_WEIGHTS.items() if word in joint.lower()] for joint in skeleton.joints]
    return np.array([max(weights, default=1.0) for weights in heavier], dtype=np.float32)
