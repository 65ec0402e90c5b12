"""What kind of error each joint is: jitter, inversion, swap, miss.

After Ronchi & Perona, Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation (ICCV 2017). A joint is
compared by keypoint similarity exp(-d^2 / (8 sigma^2 area)) with its own truth, with the mirrored joint of the same
person, and with this joint and its mirror of everybody else in the picture; the most similar decides.
"""

from __future__ import annotations

import numpy as np

from rdpose import oks
from rdpose.data.people import People
from rdpose.report.matching import NOBODY, Found

KINDS = ("good", "jitter", "inversion", "swap", "miss")
GOOD, JITTER, INVERSION, SWAP, MISS = range(5)
UNJUDGED = -1
"""The joint is unlabelled, or its person was not found."""

NEAR, EXACT = 0.5, 0.85
"""Similarities: from NEAR on a joint belongs to a place, from EXACT on it is as good as another annotator's."""


def classify(found: Found, truth: People, assigned: np.ndarray) -> np.ndarray:
    """(found, joints) int8: index in KINDS of each joint, UNJUDGED where there is nothing to compare with.

    Args:
        assigned: (found,) row of the person that each result stands for, NOBODY for none.
    """
    kinds = np.full(found.joints.shape[:2], UNJUDGED, np.int8)
    rows = np.flatnonzero(assigned != NOBODY)
    for image in np.unique(found.image_index[rows]):
        here = rows[found.image_index[rows] == image]
        people = truth.people_of(image)
        kinds[here] = _classify_in_picture(found.joints[here], truth, people, assigned[here])
    return kinds


def _classify_in_picture(joints: np.ndarray, truth: People, people: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(n, joints): kinds of n results of one picture, of which `own` (n,) are the people."""
    mirror = truth.skeleton.flip_order
    same = similarity(joints[:, None], truth, people)
    mirrored = similarity(joints[:, None], truth, people, mirror)
    is_own = (people == own[:, None])[..., None]
    candidates = [same, same, mirrored, mirrored]
    masks = [is_own, ~is_own, is_own, ~is_own]
    best = np.stack([np.where(mask, value, -1).max(axis=1) for mask, value in zip(masks, candidates, strict=True)])
    nearest, value = best.argmax(axis=0), best.max(axis=0)
    kinds = np.array([JITTER, SWAP, INVERSION, SWAP])[nearest]
    kinds[(nearest == 0) & (value >= EXACT)] = GOOD
    kinds[value < NEAR] = MISS
    return np.where(truth.visible[own] > 0, kinds, UNJUDGED)


def similarity(
    joints: np.ndarray, truth: People, people: np.ndarray, order: np.ndarray | slice = slice(None)
) -> np.ndarray:
    """Keypoint similarity of joints (n, joints, 2) to those of people in rows (n,) (in another `order`): (n, joints).

    With joints (n, 1, joints, 2), of each to all people (m,): (n, m, joints). -1 where a person's joint is unlabelled.
    """
    alike = oks.of_joints(joints, truth.joints[people][:, order], truth.area[people], truth.skeleton.sigmas)
    return np.where(truth.visible[people][:, order] > 0, alike, -1.0)


def put_right(found: Found, truth: People, assigned: np.ndarray, kinds: np.ndarray, kind: int) -> np.ndarray:
    """(found, joints, 2): the joints, those with errors of one kind moved to where they belong."""
    return np.where((kinds == kind)[..., None], truth.joints[assigned], found.joints)


def shares(kinds: np.ndarray) -> np.ndarray:
    """(joints, kinds): the share of each kind among the judged joints; NaN for a joint that was never judged."""
    counts = np.stack([(kinds == kind).sum(axis=0) for kind in range(len(KINDS))], axis=-1).astype(np.float64)
    total = counts.sum(axis=-1, keepdims=True)
    return np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)
