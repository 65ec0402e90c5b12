"""Joint sets as data: names, limbs, flip pairs and OKS sigmas of COCO-17, CrowdPose-14, MPII-16 and one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

DEFAULT_SIGMA = 0.079
"""OKS sigma of a joint whose set names none: that of a COCO shoulder, the median of the body's joints."""


@dataclass(frozen=True)
class Skeleton:
    """A joint set. Indices in `limbs`, `flip_pairs` and `upper_body` count from 0 in the order of `joints`."""

    name: str
    joints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...]
    flip_pairs: tuple[tuple[int, int], ...]
    upper_body: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.sigmas) != self.num_joints:
            raise ValueError(f"skeleton {self.name}: {len(self.sigmas)} sigmas for {self.num_joints} joints")
        if len(set(self.joints)) != self.num_joints:
            raise ValueError(f"skeleton {self.name}: joint names are not unique")
        used = [index for pairs in (self.limbs, self.flip_pairs) for pair in pairs for index in pair]
        if any(not 0 <= index < self.num_joints for index in (*used, *self.upper_body)):
            raise ValueError(f"skeleton {self.name}: a limb, flip pair or upper-body joint is not one of its joints")

    @property
    def num_joints(self) -> int:
        return len(self.joints)

    @cached_property
    def flip_order(self) -> np.ndarray:
        """(joints,) int64: the index of each joint's mirror image; `joints[flip_order]` renames after a flip."""
        order = np.arange(self.num_joints)
        for left, right in self.flip_pairs:
            order[left], order[right] = right, left
        return order

    def columns_in(self, other: Skeleton) -> np.ndarray:
        """(joints,) int64: where each of these joints stands in `other`, by name; -1 where it has no such joint."""
        return np.array([other.joints.index(name) if name in other.joints else -1 for name in self.joints])


def from_names(
    joints: Sequence[str],
    *,
    name: str = "own",
    limbs: Sequence[Sequence[int]] = (),
    sigmas: Sequence[float] | None = None,
    flip_pairs: Sequence[Sequence[int]] | None = None,
    upper_body: Sequence[int] | None = None,
) -> Skeleton:
    """A skeleton from joint names: flip pairs from left_/right_ names, `DEFAULT_SIGMA`, the first half as upper body.

    Raises:
        ValueError: names repeat, or an index or a number of sigmas does not fit them.
    """
    names = tuple(joints)
    return Skeleton(
        name=name,
        joints=names,
        limbs=tuple((int(a), int(b)) for a, b in limbs),
        sigmas=tuple(sigmas) if sigmas is not None else (DEFAULT_SIGMA,) * len(names),
        flip_pairs=tuple((int(a), int(b)) for a, b in (find_flip_pairs(names) if flip_pairs is None else flip_pairs)),
        upper_body=tuple(upper_body) if upper_body is not None else tuple(range((len(names) + 1) // 2)),
    )


def find_flip_pairs(joints: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of joints whose names differ by left and right alone (left_knee and right_knee, Left Hip and Right Hip)."""
    mirrored = [_mirror_name(name) for name in joints]
    index = {name.lower(): i for i, name in enumerate(joints)}
    pairs = [(i, index[name]) for i, name in enumerate(mirrored) if name is not None and name in index]
    return [(left, right) for left, right in pairs if left < right]


def _mirror_name(name: str) -> str | None:
    lower = name.lower()
    if "left" in lower:
        return lower.replace("left", "right")
    if "right" in lower:
        return lower.replace("right", "left")
    return None


def get(name: str) -> Skeleton:
    """The built-in skeleton called `name`: coco, crowdpose or mpii."""
    if name not in SKELETONS:
        raise ValueError(f"unknown skeleton {name!r}; built in are {', '.join(SKELETONS)}")
    return SKELETONS[name]


# Sigmas of COCO: cocodataset.org/#keypoints-eval (object keypoint similarity).
COCO_17 = from_names(
    [
        "nose",
        "left_eye",
        "right_eye",
        "left_ear",
        "right_ear",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
        "left_hip",
        "right_hip",
        "left_knee",
        "right_knee",
        "left_ankle",
        "right_ankle",
    ],
    name="coco",
    limbs=(
        *((15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8)),
        *((7, 9), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)),
    ),
    sigmas=(
        *(0.026, 0.025, 0.025, 0.035, 0.035),
        *(0.079, 0.079, 0.072, 0.072, 0.062, 0.062),
        *(0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
    ),
    upper_body=range(11),
)

# The limbs of the official CrowdPose file name joints that do not exist; these are the body's own.
CROWDPOSE_14 = from_names(
    [
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
        "left_hip",
        "right_hip",
        "left_knee",
        "right_knee",
        "left_ankle",
        "right_ankle",
        "head",
        "neck",
    ],
    name="crowdpose",
    limbs=(
        *((12, 13), (13, 0), (13, 1), (0, 2), (2, 4), (1, 3), (3, 5), (0, 6), (1, 7), (6, 7)),
        *((6, 8), (8, 10), (7, 9), (9, 11)),
    ),
    sigmas=(*(0.079,) * 2, *(0.072,) * 2, *(0.062,) * 2, *(0.107,) * 2, *(0.087,) * 2, *(0.089,) * 2, *(0.079,) * 2),
    upper_body=(0, 1, 2, 3, 4, 5, 12, 13),
)

# MPII publishes no sigmas; the body's are COCO's, trunk and head take the shoulder's.
MPII_16 = from_names(
    [
        "right_ankle",
        "right_knee",
        "right_hip",
        "left_hip",
        "left_knee",
        "left_ankle",
        "pelvis",
        "thorax",
        "upper_neck",
        "head_top",
        "right_wrist",
        "right_elbow",
        "right_shoulder",
        "left_shoulder",
        "left_elbow",
        "left_wrist",
    ],
    name="mpii",
    limbs=(
        *((0, 1), (1, 2), (2, 6), (6, 3), (3, 4), (4, 5), (6, 7), (7, 8), (8, 9)),
        *((10, 11), (11, 12), (12, 7), (7, 13), (13, 14), (14, 15)),
    ),
    sigmas=(0.089, 0.087, 0.107, 0.107, 0.087, 0.089, *(0.079,) * 4, 0.062, 0.072, 0.079, 0.079, 0.072, 0.062),
    upper_body=(7, 8, 9, 10, 11, 12, 13, 14, 15),
)

SKELETONS = {skeleton.name: skeleton for skeleton in (COCO_17, CROWDPOSE_14, MPII_16)}
