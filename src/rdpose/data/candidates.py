"""Candidates: where a joint may be and how sure that is, for people whose target heatmaps have several peaks.

A label says one place. A teacher's heatmap often has two peaks, or a low one, and its pupil shall learn just that. In a
COCO-format file a person has `candidates` for it, three numbers for each candidate of each joint:

    {"keypoints": [...], "candidates": [x, y, height, x, y, height,     # the first joint, here with two candidates
                                        x, y, height, x, y, height,     # the second joint
                                        ...]}

- Joints stand in the order of the file's `keypoints`; every joint of every person has as many candidates.
- `height` is 0 to 1. A joint that the picture does not show has candidates of height 0: its target is empty.
- A height below 0 says that nothing is known of the joint: it weighs nothing in the loss.
- People without `candidates` have their labels, of height 1.

`engine.training_step.soft_maps` draws the targets.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rdpose import geometry
from rdpose.data.crops import inside
from rdpose.data.transforms import View
from rdpose.io.parsed import Rows
from rdpose.skeletons import Skeleton

UNKNOWN = -1.0
"""Height of the candidates of a joint of which nothing is known."""
UNSURE = 0.1
"""Height from which on it matters that the view does not show a candidate."""


def read(rows: Rows, skeleton: Skeleton, path: Path | str) -> np.ndarray | None:
    """(people, joints, candidates, 3) float32 of a file's rows, zeros where a row has none; None where no row has any.

    Raises:
        ValueError: the numbers are not three for each candidate of each joint, or not as many for everybody.
    """
    flat = [row.get("candidates") or () for row in rows]
    length = max(map(len, flat), default=0)
    if not length:
        return None
    joints = skeleton.num_joints
    wrong = next((i for i, numbers in enumerate(flat) if len(numbers) not in (0, length)), None)
    if length % (3 * joints) or wrong is not None:
        row = flat.index(max(flat, key=len)) if wrong is None else wrong
        raise ValueError(
            f"{path}: annotation {rows[row].get('id', row)} has {len(flat[row])} numbers in `candidates`; write x, y "
            f"and height for each candidate, as many candidates for each of the {joints} joints and for every person"
        )
    try:
        table = np.array([numbers or [0] * length for numbers in flat], np.float32)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: a `candidates` holds something else than numbers ({error}); fix it") from None
    return table.reshape(len(rows), joints, -1, 3)


def reorder(candidates: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(N, J, C, 3) -> (N, K, C, 3), from columns (K,); nothing is known of joints whose column is -1."""
    found = candidates[:, columns]
    found[:, columns < 0] = (0, 0, UNKNOWN)
    return found


def complete(candidates: np.ndarray, joints: np.ndarray, visible: np.ndarray, number: int) -> np.ndarray:
    """(N, K, number, 3): a file's candidates (N, K, C, 3), and the labels of the people who have none.

    Args:
        candidates: C is at most `number`, and may be 0.
        joints: (N, K, 2) pixels.
        visible: (N, K), 0 where unlabelled: nothing is known there.
    """
    found = np.zeros((*visible.shape, number, 3), np.float32)
    found[:, :, : candidates.shape[2]] = candidates
    bare = ~(found[..., 2] != 0).any(axis=(1, 2))
    found[bare, :, 0, :2] = joints[bare]
    found[bare, :, 0, 2] = np.where(visible[bare] > 0, 1, UNKNOWN)
    return found


def in_view(
    candidates: np.ndarray, view: View, transform: np.ndarray, image_size: tuple[int, int], flip_order: np.ndarray
) -> np.ndarray:
    """A person's candidates (joints, candidates, 3) in the crop, float32.

    Nothing is known of a joint that may lie where the picture is made to end or, in a view of a part of the body,
    outside the crop. A whole person's joint outside the crop has an empty target.

    Args:
        candidates: (joints, candidates, 3) x, y in picture pixels and height.
        transform: (2, 3) from picture to crop.
        image_size: (width, height) of the crop.
        flip_order: (joints,) the index of each joint's mirror image.
    """
    places, heights = np.split(candidates, [2], axis=-1)
    in_crop = geometry.apply(transform, places.reshape(-1, 2)).reshape(places.shape)
    beyond = ~inside(places, view.frame_xyxy)
    if view.part:
        beyond |= ~inside(in_crop, (0, 0, *image_size))
    unsure = np.any(beyond & (heights[..., 0] > UNSURE), axis=1, keepdims=True)
    found = np.concatenate([in_crop, np.where(unsure[..., None], UNKNOWN, heights)], axis=-1)
    return (found[flip_order] if view.flip else found).astype(np.float32)
