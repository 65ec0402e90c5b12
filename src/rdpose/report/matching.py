"""Who of the found is who of the annotated: OKS in every picture, matching and average precision by COCO's rules.

The rules are those of cocodataset.org/#keypoints-eval: at most 20 results a picture; the surest chooses first; groups
and people without labelled joints count neither as found nor as missed; precision is read at 101 recalls. The figures
are those of pycocotools (tests/report/test_matching.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from rdpose import oks
from rdpose.data.people import People
from rdpose.data.tables import find_rows
from rdpose.evaluation import results
from rdpose.oks import THRESHOLDS

MAX_RESULTS = 20
RECALLS = np.linspace(0, 1, 101)
NOBODY = -1


@dataclass(frozen=True, eq=False)
class Found:
    """N results of one file, sorted by picture and there by score."""

    image_index: np.ndarray
    """(N,) int64: row in the columns of pictures."""
    joints: np.ndarray
    """(N, K, 2) float64 pixels."""
    confidence: np.ndarray
    """(N, K)."""
    scores: np.ndarray
    """(N,)."""
    wanted: np.ndarray
    """(N,) int64: row of the annotated person that was looked for, NOBODY where the file does not say."""

    def __len__(self) -> int:
        return len(self.scores)

    @cached_property
    def area(self) -> np.ndarray:
        """(N,) square pixels: of the box around all joints, as COCO gives results an area."""
        return np.ptp(self.joints, axis=1).prod(axis=-1)


@dataclass(frozen=True, eq=False)
class Similarities:
    """OKS of all results with all people of their picture; one block for each picture that has both."""

    blocks: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    """(found rows (n,), truth rows (m,), OKS (n, m))."""

    @cached_property
    def padded(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The blocks as three arrays, filled up with NOBODY: rows (b, n), people (b, m), OKS (b, n, m)."""
        count = len(self.blocks)
        most = [max((len(block[side]) for block in self.blocks), default=0) for side in (0, 1)]
        rows, people = np.full((count, most[0]), NOBODY), np.full((count, most[1]), NOBODY)
        values = np.full((count, *most), float(NOBODY))
        for i, (found, truth, alike) in enumerate(self.blocks):
            rows[i, : len(found)], people[i, : len(truth)] = found, truth
            values[i, : len(found), : len(truth)] = alike
        return rows, people, values


def read(path: Path, truth: People) -> Found:
    """A COCO results file as columns.

    Raises:
        FileNotFoundError, ValueError: there is no such file, or its pictures or joints are not those of the truth.
    """
    table = results.read(path, truth.skeleton.num_joints)
    image = find_rows(table.image_id, truth.image_id)
    if (unknown := table.image_id[image < 0]).size:
        raise ValueError(f"{path} has results of picture {unknown[0]}, which the annotations do not list")
    wanted = find_rows(table.annotation_id, truth.person_id)
    order = np.lexsort((-table.score, image))
    return Found(image[order], table.joints[order], table.keypoints[order, :, 2], table.score[order], wanted[order])


def best_of_pictures(found: Found) -> Found:
    """The first MAX_RESULTS of each picture, which figures are made of."""
    starts = np.searchsorted(found.image_index, found.image_index, side="left")
    kept = np.arange(len(found)) - starts < MAX_RESULTS
    return Found(*(getattr(found, column.name)[kept] for column in fields(found)))


def similarities(found: Found, truth: People) -> Similarities:
    """OKS of everybody found with everybody annotated, picture by picture."""
    blocks = []
    starts = np.searchsorted(found.image_index, np.arange(truth.num_images + 1))
    for image in np.unique(found.image_index):
        people = truth.people_of(image)
        rows = np.arange(starts[image], starts[image + 1])
        if len(people):
            blocks.append((rows, people, _oks(found.joints[rows], truth, people)))
    return Similarities(blocks)


def _oks(joints: np.ndarray, truth: People, people: np.ndarray) -> np.ndarray:
    """(n, m): COCO's OKS; for people without labels, how near the joints are to their doubled box."""
    area, sigmas = truth.area[people], truth.skeleton.sigmas
    alike = oks.oks_to_truth(joints, truth.joints[people], truth.visible[people], area, sigmas)
    bare = ~truth.visible[people].any(axis=1)
    if bare.any():
        box = truth.box_xywh[people[bare]] + np.array([0.0, 0, 1, 1])  # reading counted pixels: w - 1, h - 1
        low, high = box[:, :2] - box[:, 2:], box[:, :2] + 2 * box[:, 2:]
        outside = np.maximum(low[:, None] - joints[:, None], 0) + np.maximum(joints[:, None] - high[:, None], 0)
        alike[:, bare] = oks.of_joints(outside, np.zeros(2), area[bare], sigmas).mean(axis=-1)
    return alike


def match(
    alike: Similarities, num_found: int, counted: np.ndarray, crowd: np.ndarray, thresholds: np.ndarray
) -> np.ndarray:
    """(thresholds, found) int64: the row of the person whom each result finds, NOBODY if none.

    The surest result chooses first and takes the most similar person who is still free and at least as similar as the
    threshold; people who do not count (`counted` (people,) False) are chosen last, and groups may be chosen often.
    """
    chosen = np.full((len(thresholds), num_found), NOBODY)
    rows, people, values = alike.padded
    limits = np.minimum(thresholds, 1 - 1e-10)[:, None, None]
    counts, group = (flags[people] & (people != NOBODY) for flags in (counted, crowd))
    taken = np.zeros((len(thresholds), *people.shape), bool)
    for rank in range(rows.shape[1]):  # the surest result of every picture, then the next ...
        value = values[:, rank]
        free = (value >= limits) & (~taken | group)
        first = free & counts
        free = np.where(first.any(axis=-1, keepdims=True), first, free)
        level, picture = np.nonzero(free.any(axis=-1))
        likeness = np.where(free, value, NOBODY)[level, picture]
        best = people.shape[1] - 1 - likeness[:, ::-1].argmax(axis=-1)  # of equals the last
        chosen[level, rows[picture, rank]] = people[picture, best]
        taken[level, picture, best] = True
    return chosen


def precision_at_recalls(
    scores: np.ndarray, right: np.ndarray, ignored: np.ndarray, num_truth: int
) -> tuple[np.ndarray, np.ndarray]:
    """Interpolated precision (..., 101) at RECALLS, and the highest recall (...,), of results (..., n).

    Precision at a recall is the best one reached there or later, 0 beyond the last; NaN where there is no truth.
    """
    shape = right.shape[:-1]
    if not num_truth:
        return np.full((*shape, len(RECALLS)), np.nan), np.full(shape, np.nan)
    order = np.argsort(-scores, kind="stable")
    right, counts = right[..., order] & ~ignored[..., order], ~ignored[..., order]
    true = right.cumsum(axis=-1, dtype=np.float64)
    recall, precision = true / num_truth, true / np.maximum(counts.cumsum(axis=-1), 1)
    precision = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    curves = np.zeros((*shape, len(RECALLS)))
    for at in np.ndindex(shape):
        place = np.searchsorted(recall[at], RECALLS, side="left")
        inside = place < recall.shape[-1]
        curves[at][inside] = precision[at][place[inside]]
    return curves, recall[..., -1] if recall.shape[-1] else np.zeros(shape)


@dataclass(frozen=True, eq=False)
class Curves:
    """Precision over recall at the ten thresholds, with the means that the field prints."""

    precision: np.ndarray
    """(10, 101) at RECALLS."""
    recall: np.ndarray
    """(10,) the highest reached."""
    num_people: int

    @property
    def ap(self) -> float:
        """Mean over thresholds and recalls, 0..1; NaN without people."""
        return float(self.precision.mean())

    def precision_at(self, threshold: float) -> np.ndarray:
        """(101,) at RECALLS, for the nearest of the thresholds."""
        return self.precision[int(np.argmin(abs(THRESHOLDS - threshold)))]


def curves(found: Found, truth: People, alike: Similarities, *, area: tuple[float, float] = (0.0, np.inf)) -> Curves:
    """COCO's curves; of people whose area lies in the range (square pixels) alone, if it is given."""
    return curves_by_pictures(found, truth, alike, [np.ones(truth.num_images, bool)], area=area)[0]


def curves_by_pictures(
    found: Found,
    truth: People,
    alike: Similarities,
    groups: Sequence[np.ndarray],
    *,
    area: tuple[float, float] = (0.0, np.inf),
) -> list[Curves]:
    """COCO's curves for groups of pictures, each (pictures,) bool."""
    counted = truth.labelled & (truth.area >= area[0]) & (truth.area <= area[1])
    chosen = match(alike, len(found), counted, truth.crowd, THRESHOLDS)
    size = found.area
    right = (chosen != NOBODY) & counted[chosen]
    ignored = np.where(chosen == NOBODY, (size < area[0]) | (size > area[1]), ~counted[chosen])
    made = []
    for pictures in groups:
        rows, number = pictures[found.image_index], int((counted & pictures[truth.image_index]).sum())
        precision = precision_at_recalls(found.scores[rows], right[:, rows], ignored[:, rows], number)
        made.append(Curves(*precision, number))
    return made


def moved(found: Found, joints: np.ndarray) -> Found:
    """The same results with other joints (N, K, 2)."""
    return replace(found, joints=joints)
