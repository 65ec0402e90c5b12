"""Object keypoint similarity (OKS): how alike two poses are, which of them are the same person, how sure we are of one.

Conventions: joints `(people, joints, 2)` in pixels, x then y; areas `(people,)` in square pixels; sigmas `(joints,)`.
All arithmetic is float64, so that a threshold decides as it does in the published evaluators.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""OKS from which on a pose counts as right, one after the other: COCO's."""
LOOSE = 0.1
"""OKS from which on a pose stands for a person at all, however bad it is."""

_TINY = float(np.spacing(1.0))  # keeps a zero area from dividing by zero, as in COCO's own evaluator


def oks(
    joints_a: ArrayLike, areas_a: ArrayLike, joints_b: ArrayLike, areas_b: ArrayLike, sigmas: Sequence[float] | Array
) -> Array:
    """Similarity of every pose of `a` to every pose of `b`: (n, k, 2), (n,), (m, k, 2), (m,) -> (n, m) in [0, 1].

    The HRNet family's form for two predictions: the mean over all joints of exp(-d^2 / (8 sigma^2 area)), where area
    is the mean of the two poses' areas.
    """
    joints_a, joints_b = _scaled(joints_a, sigmas), _scaled(joints_b, sigmas)
    area = (np.asarray(areas_a, np.float64)[:, None] + np.asarray(areas_b, np.float64)) / 2 + _TINY
    squared = np.square(joints_a[:, None] - joints_b).sum(-1)
    return np.exp(-squared / area[..., None]).mean(-1)


def oks_to_truth(
    joints: ArrayLike,
    truth_joints: ArrayLike,
    truth_visible: ArrayLike,
    truth_areas: ArrayLike,
    sigmas: Sequence[float] | Array,
) -> Array:
    """Similarity of n predictions to m annotated people as COCO defines it: (n, k, 2), (m, k, 2), ... -> (n, m).

    The mean runs over the joints that the annotation labels (`truth_visible` (m, k) > 0), the area is the annotated
    one (cocodataset.org/#keypoints-eval). A person without a labelled joint has similarity 0 to everything: COCO
    leaves such people out of the count, so nothing can be like them.
    """
    return oks_to_own(np.asarray(joints)[:, None], truth_joints, truth_visible, truth_areas, sigmas)


def oks_to_own(
    joints: ArrayLike,
    truth_joints: ArrayLike,
    truth_visible: ArrayLike,
    truth_areas: ArrayLike,
    sigmas: Sequence[float] | Array,
) -> Array:
    """Similarity of n predictions to one annotated person each: (n, k, 2), (n, k, 2), (n, k), (n,) -> (n,).

    The measure of `oks_to_truth`, row by row; leading axes broadcast.
    """
    labelled = np.asarray(truth_visible) > 0
    alike = of_joints(joints, truth_joints, truth_areas, sigmas) * labelled
    return alike.sum(-1) / np.maximum(labelled.sum(-1), 1)


def of_joints(
    joints: ArrayLike, truth_joints: ArrayLike, truth_areas: ArrayLike, sigmas: Sequence[float] | Array
) -> Array:
    """Keypoint similarity exp(-d^2 / (8 sigma^2 area)), of which OKS is the mean: (n, k, 2), (n, k, 2), (n,) -> (n, k).

    Leading axes broadcast.
    """
    area = np.asarray(truth_areas, np.float64) + _TINY
    squared = np.square(_scaled(joints, sigmas) - _scaled(truth_joints, sigmas)).sum(-1)
    return np.exp(-squared / area[..., None])


def rescore(box_scores: ArrayLike, confidences: ArrayLike, threshold: float = 0.0) -> Array:
    """Score of a pose from its box's and its joints': (n,), (n, k) -> (n,).

    The family's rule: box score times the mean of the joint confidences above `threshold`; 0 when none is above.
    """
    confidences = np.asarray(confidences, np.float64)
    sure = confidences > threshold
    mean = (confidences * sure).sum(-1) / np.maximum(sure.sum(-1), 1)
    return np.asarray(box_scores, np.float64) * mean


def oks_nms(
    joints: ArrayLike,
    scores: ArrayLike,
    areas: ArrayLike,
    image_index: ArrayLike,
    sigmas: Sequence[float] | Array,
    threshold: float,
) -> NDArray[np.int64]:
    """Greedy suppression in many pictures at once: the indices of the poses that stay, ascending.

    In each picture the best pose stays and every pose with OKS above `threshold` to it goes; then the next best, and
    so on. Of equal scores the earlier row is the better one. `image_index` (n,) tells pictures apart and may come in
    any order; joints (n, k, 2), scores and areas (n,).
    """
    image, joints = np.asarray(image_index), np.asarray(joints, np.float64)
    order = np.lexsort((-np.asarray(scores, np.float64), image))
    same_person = _SamePerson(joints, np.asarray(areas, np.float64), np.asarray(sigmas), threshold)
    open_rows, kept = order, [order[:0]]
    while len(open_rows):
        leads = np.append(True, image[open_rows[1:]] != image[open_rows[:-1]])
        leaders, rest = open_rows[leads], open_rows[~leads]
        its_leader = leaders[np.cumsum(leads)[~leads] - 1]
        open_rows = rest[~same_person(its_leader, rest)]
        kept.append(leaders)
    return np.sort(np.concatenate(kept))


def _scaled(joints: ArrayLike, sigmas: Sequence[float] | Array) -> Array:
    """Joints in units in which OKS is exp(-distance^2 / area)."""
    return np.asarray(joints, np.float64) / (np.sqrt(8) * np.asarray(sigmas, np.float64))[:, None]


class _SamePerson:
    """Tells for pairs of rows of a table of poses whether their OKS exceeds the threshold.

    Most pairs are far apart and are ruled out by a few joints, the probes: of k joints in all, any m must contribute
    more than m - k (1 - threshold) to the sum, so the nearest of the m has to lie within a reach that follows from it.
    Probes are float32, with a reach so much longer that rounding rules out nobody; OKS itself is float64.
    """

    def __init__(self, joints: NDArray, areas: Array, sigmas: Array, threshold: float) -> None:
        self.joints, self.half_areas, self.threshold = joints, (areas + _TINY) / 2, threshold
        self.scale = 1 / (np.sqrt(8) * sigmas[:, None])
        spare = len(sigmas) * (1 - threshold)
        few = min(len(sigmas), max(1, int(spare) + 2))
        sharpest = np.argsort(sigmas, kind="stable")[:few]
        probes = joints[:, sharpest] * self.scale[sharpest]
        self.probes = np.ascontiguousarray(probes.transpose(1, 2, 0), dtype=np.float32)
        share = (few - spare) / few
        rounding = 4 * np.finfo(np.float32).eps * np.abs(probes).max(initial=0)
        # (a + b)^2 <= 1.1 a^2 + 11 b^2, with a the reach and b the rounding; half of it comes from each of a pair
        reach = 1.1 * -np.log(share) * self.half_areas + 5.5 * rounding**2 if share > 0 else np.full(len(areas), np.inf)
        self.half_reach = reach.astype(np.float32)

    def __call__(self, row_a: NDArray[np.int64], row_b: NDArray[np.int64]) -> NDArray[np.bool_]:
        reach = self.half_reach[row_a] + self.half_reach[row_b]
        same = np.zeros(len(reach), bool)
        for x, y in self.probes:  # one after the other, for columns stay in the cache: twice as fast as all at once
            same |= np.square(x[row_a] - x[row_b]) + np.square(y[row_a] - y[row_b]) <= reach
        near = np.flatnonzero(same)
        row_a, row_b = row_a[near], row_b[near]
        apart = np.square((self.joints[row_a] - self.joints[row_b]) * self.scale).sum(-1)
        area = self.half_areas[row_a] + self.half_areas[row_b]
        same[near] = np.exp(-apart / area[:, None]).mean(-1) > self.threshold
        return same
