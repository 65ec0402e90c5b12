"""IDF1: how well identities in a video are kept (Ristani et al., ECCV 2016 workshops), from boxes.

frames of truth and of a tracker's answers, each (ids (n,), boxes_xyxy (n, 4)), in the same order:

    print(identity_scores(truth, found).idf1)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from rdpose import geometry

Frame = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class IdentityScores:
    """Boxes whose identity is right (`true`), answers too many (`false`), people not told (`missed`), and `switches`:
    how often a person's answers change from one identity to another."""

    true: int
    false: int
    missed: int
    switches: int

    @property
    def idf1(self) -> float:
        """2 true / (2 true + false + missed), 0 to 1; 1 where nobody is there and nobody is told."""
        total = 2 * self.true + self.false + self.missed
        return 2 * self.true / total if total else 1.0


def identity_scores(truth: Iterable[Frame], found: Iterable[Frame], *, least_iou: float = 0.5) -> IdentityScores:
    """Measure a tracker's answers for the frames of one video.

    Each true identity is given at most one answered identity, for the whole video, so that as many boxes as possible
    (IoU from `least_iou` on) agree: that assignment's boxes are the true ones.

    Raises:
        ValueError: not as many frames of one as of the other.
    """
    together: dict[tuple[int, int], int] = {}
    last: dict[int, int] = {}
    num_truth = num_found = switches = 0
    for (own_ids, own_boxes), (ids, boxes) in zip(truth, found, strict=True):
        num_truth, num_found = num_truth + len(own_ids), num_found + len(ids)
        iou = geometry.iou(own_boxes, boxes)
        for row, column in np.argwhere(iou >= least_iou).tolist():
            pair = int(own_ids[row]), int(ids[column])
            together[pair] = together.get(pair, 0) + 1
        for row, column in zip(*linear_sum_assignment(iou, maximize=True), strict=True):
            if iou[row, column] >= least_iou:
                person, answer = int(own_ids[row]), int(ids[column])
                switches += last.get(person, answer) != answer
                last[person] = answer
    true = _most_agreement(together)
    return IdentityScores(true, num_found - true, num_truth - true, switches)


def _most_agreement(together: dict[tuple[int, int], int]) -> int:
    """The largest sum of counts with every identity of either side used once."""
    if not together:
        return 0
    rows, columns = (np.unique([pair[side] for pair in together], return_inverse=True)[1] for side in (0, 1))
    table = np.zeros((rows.max() + 1, columns.max() + 1))
    table[rows, columns] = list(together.values())
    return int(table[linear_sum_assignment(table, maximize=True)].sum())
