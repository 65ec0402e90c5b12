"""A results file taken apart: by size, by crowd, by joint, by kind of error."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from hotcoco.metrics import average_precision

from rdpose import geometry, oks
from rdpose.data.people import People
from rdpose.evaluation.misassignment import likeness
from rdpose.io.parsed import AnyFile
from rdpose.report import errors, matching
from rdpose.report.matching import EVERY_AREA, NOBODY, THRESHOLDS, Curves, Evaluator, Found

SIZES = {
    "under 32 px": (0, 32),
    "32 to 64 px": (32, 64),
    "64 to 96 px": (64, 96),
    "96 to 160 px": (96, 160),
    "over 160 px": (160, 1e5),
}
"""Names and limits of a person's size, the square root of the annotated area in pixels."""
CROWDS = {"easy, 0 to 0.1": (0.0, 0.1), "medium, 0.1 to 0.8": (0.1, 0.8), "hard, from 0.8": (0.8, np.inf)}
"""Names and limits of a picture's crowd index, the levels of CrowdPose."""


@dataclass(frozen=True, eq=False)
class Analysis:
    """Everything that a report says about one results file. AP as 0..1; NaN where there is nobody to find."""

    name: str
    found: Found
    all: Curves
    by_size: list[tuple[str, Curves]]
    by_crowd: list[tuple[str, Curves]]
    by_joint: np.ndarray
    """(joints,) AP of single joints; see `ap_of_joints`."""
    kinds: np.ndarray
    """(found, joints) int8: index in errors.KINDS, -1 where not judged."""
    gains: np.ndarray
    """(kinds,) AP that would be won if all errors of a kind were put right; 0 for good."""
    misassigned: tuple[int, int] | None
    """Results nearer to a neighbour than to the person wanted, and results with a neighbour; None if not known."""
    finder: np.ndarray
    """(people,) int64: row of the result that looked for each person, or else that stands for it; NOBODY for none."""
    likeness: np.ndarray
    """(people,) OKS of that result, 0 for none."""


def analyse(source: AnyFile, truth: People, *, name: str | None = None) -> Analysis:
    """Take a COCO results file apart.

    Raises:
        FileNotFoundError, ValueError: as `matching.read`.
    """
    everything = matching.read(source, truth)
    found = matching.best_of_pictures(everything)
    evaluator = Evaluator(truth)
    loaded = evaluator.load(found)
    areas = [EVERY_AREA, *((low**2, high**2) for low, high in SIZES.values())]
    everybody, *by_size = evaluator.curves(loaded, areas=areas)
    index = crowd_index(truth)
    levels = [(index >= low) & (index < high) for low, high in CROWDS.values()]
    by_crowd = [evaluator.curves(loaded, pictures=level)[0] for level in levels]
    chosen = evaluator.match(loaded, oks.LOOSE)
    assigned = np.where(truth.labelled[chosen], chosen, NOBODY)
    kinds = errors.classify(found, truth, assigned)
    finder, likeness = _finders(found, truth, np.where(found.wanted == NOBODY, assigned, found.wanted))
    return Analysis(
        name=name or Path(source).stem,
        found=found,
        all=everybody,
        by_size=list(zip(SIZES, by_size, strict=True)),
        by_crowd=list(zip(CROWDS, by_crowd, strict=True)),
        by_joint=ap_of_joints(found, truth, chosen),
        kinds=kinds,
        gains=_gains(found, evaluator, assigned, kinds, everybody.ap),
        misassigned=misassigned(everything, truth),
        finder=finder,
        likeness=likeness,
    )


def crowd_index(truth: People) -> np.ndarray:
    """(pictures,): the file's, or else `geometry.crowd_index` of those who count."""
    if not np.isnan(truth.crowd_index).any():
        return truth.crowd_index
    index = np.zeros(truth.num_images)
    boxes = truth.box_xywh + np.array([0, 0, 1, 1])  # reading counted pixels: w - 1, h - 1
    for image in np.unique(truth.image_index):
        rows = truth.people_of(image)
        rows = rows[truth.labelled[rows]]
        index[image] = geometry.crowd_index(boxes[rows], truth.joints[rows], truth.visible[rows] > 0)
    return index


def ap_of_joints(found: Found, truth: People, chosen: np.ndarray) -> np.ndarray:
    """(joints,) AP of each joint alone, mean over the ten thresholds.

    People are chosen first (found,), at OKS 0.1; then each joint is a finding of its own, as sure as its person times
    itself, right where its keypoint similarity reaches the threshold; joints of which the chosen person has no label,
    or that does not count, do not count.
    """
    someone, labelled = (chosen != NOBODY)[:, None], (truth.visible > 0) & truth.labelled[:, None]
    alike = np.where(someone, errors.similarity(found.joints, truth, chosen), -1.0)
    scores, skipped = found.scores[:, None] * found.confidence, someone & ~labelled[chosen]
    number = labelled.sum(axis=0)
    values = [
        [average_precision(sure, near >= threshold, people, aside) for threshold in THRESHOLDS]
        for sure, near, people, aside in zip(scores.T, alike.T, number, skipped.T, strict=True)
    ]
    return np.where(number > 0, np.mean(values, axis=1), np.nan)


def misassigned(found: Found, truth: People) -> tuple[int, int] | None:
    """How many results are nearer, by OKS, to a neighbour than to the person wanted; and of how many with neighbours.

    All results of a picture count, as for `rdpose.evaluation.misassignment`. None where the file does not say whom
    its results looked for (`annotation_id`, written with given boxes).
    """
    if not (found.wanted != NOBODY).any():
        return None
    rows = np.flatnonzero((found.wanted != NOBODY) & truth.labelled[found.wanted])
    alike = likeness(found.joints[rows], found.wanted[rows], truth)
    return int(alike.misassigned.sum()), int(alike.with_neighbour.sum())


def _gains(found: Found, evaluator: Evaluator, assigned: np.ndarray, kinds: np.ndarray, ap: float) -> np.ndarray:
    """(kinds,): AP with one kind of errors put right, less AP."""
    gains = np.zeros(len(errors.KINDS))
    for kind in range(errors.JITTER, len(errors.KINDS)):
        better = replace(found, joints=errors.put_right(found, evaluator.truth, assigned, kinds, kind))
        gains[kind] = evaluator.curves(evaluator.load(better))[0].ap - ap
    return gains


def _finders(found: Found, truth: People, meant: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(people,) the result of each person and its OKS, from the person that each result means (found,)."""
    rows = np.flatnonzero((meant != NOBODY) & (truth.image_index[meant] == found.image_index))
    people = meant[rows]
    own = (truth.joints[people], truth.visible[people], truth.area[people])
    finder, likeness = np.full(len(truth), NOBODY), np.zeros(len(truth))
    finder[people], likeness[people] = rows, oks.oks_to_own(found.joints[rows], *own, truth.skeleton.sigmas)
    return finder, likeness
