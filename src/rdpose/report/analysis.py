"""A results file taken apart: by size, by crowd, by joint, by kind of error."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rdpose import geometry, oks
from rdpose.data.people import People
from rdpose.evaluation.misassignment import similarities
from rdpose.report import errors, matching
from rdpose.report.matching import NOBODY, THRESHOLDS, Curves, Found, Similarities

SIZES = (
    *(("under 32 px", 0, 32), ("32 to 64 px", 32, 64), ("64 to 96 px", 64, 96)),
    *(("96 to 160 px", 96, 160), ("over 160 px", 160, 1e5)),
)
"""Names and limits of a person's size, the square root of the annotated area in pixels."""
CROWDS = (("easy, 0 to 0.1", 0.0, 0.1), ("medium, 0.1 to 0.8", 0.1, 0.8), ("hard, from 0.8", 0.8, np.inf))
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


def analyse(path: Path, truth: People, *, name: str | None = None) -> Analysis:
    """Take a COCO results file apart.

    Raises:
        FileNotFoundError, ValueError: as `matching.read`.
    """
    everything = matching.read(path, truth)
    found = matching.best_of_pictures(everything)
    alike = matching.similarities(found, truth)
    index = crowd_index(truth)
    groups = [(index >= low) & (index < high) for _, low, high in CROWDS]
    levels = matching.curves_by_pictures(found, truth, alike, groups)
    assigned, ignored = assign(found, truth, alike)
    kinds = errors.classify(found, truth, assigned)
    everybody = matching.curves(found, truth, alike)
    finder, likeness = _finders(truth, alike, np.where(found.wanted == NOBODY, assigned, found.wanted))
    return Analysis(
        name=name or path.stem,
        found=found,
        all=everybody,
        by_size=[(label, matching.curves(found, truth, alike, area=(low**2, high**2))) for label, low, high in SIZES],
        by_crowd=list(zip([label for label, _, _ in CROWDS], levels, strict=True)),
        by_joint=ap_of_joints(found, truth, assigned, ignored),
        kinds=kinds,
        gains=_gains(found, truth, assigned, kinds, everybody.ap),
        misassigned=misassigned(everything, truth),
        finder=finder,
        likeness=likeness,
    )


def crowd_index(truth: People) -> np.ndarray:
    """(pictures,): `geometry.crowd_index` of each; crowds do not count."""
    index = np.zeros(truth.num_images)
    boxes = truth.box_xywh + np.array([0, 0, 1, 1])  # reading counted pixels: w - 1, h - 1
    for image in np.unique(truth.image_index):
        rows = truth.people_of(image)
        rows = rows[truth.labelled[rows]]
        index[image] = geometry.crowd_index(boxes[rows], truth.joints[rows], truth.visible[rows] > 0)
    return index


def assign(found: Found, truth: People, alike: Similarities) -> tuple[np.ndarray, np.ndarray]:
    """(found,) whom each result stands for at OKS 0.1 (NOBODY: nobody), and which results are not to be counted."""
    chosen = matching.match(alike, len(found), truth.labelled, truth.crowd, np.array([oks.LOOSE]))[0]
    ignored = (chosen != NOBODY) & ~truth.labelled[chosen]
    return np.where(ignored, NOBODY, chosen), ignored


def ap_of_joints(found: Found, truth: People, assigned: np.ndarray, ignored: np.ndarray) -> np.ndarray:
    """(joints,) AP of each joint alone, mean over the ten thresholds.

    People are assigned first, at OKS 0.1; then each joint is a finding of its own, as sure as its person times itself,
    right where its keypoint similarity reaches the threshold; unlabelled joints of assigned people do not count.
    """
    someone = assigned != NOBODY
    alike = np.where(someone[:, None], errors.similarity(found.joints, truth, assigned), -1.0)
    skipped = (someone[:, None] & (truth.visible[assigned] == 0)) | ignored[:, None]
    scores = found.scores[:, None] * found.confidence
    result = np.empty(found.joints.shape[1])
    for joint in range(len(result)):
        right = alike[:, joint] >= THRESHOLDS[:, None]
        number = int((truth.visible[truth.labelled, joint] > 0).sum())
        aside = np.broadcast_to(skipped[:, joint], right.shape)
        result[joint] = matching.precision_at_recalls(scores[:, joint], right, aside, number)[0].mean()
    return result


def misassigned(found: Found, truth: People) -> tuple[int, int] | None:
    """How many results are nearer, by OKS, to a neighbour than to the person wanted; and of how many with neighbours.

    All results of a picture count, as for `rdpose.evaluation.misassignment`. None where the file does not say whom
    its results looked for (`annotation_id`, written with given boxes).
    """
    if not (found.wanted != NOBODY).any():
        return None
    rows = np.flatnonzero((found.wanted != NOBODY) & truth.labelled[found.wanted])
    visible = truth.visible * truth.labelled[:, None]
    to_own, to_neighbour = similarities(
        found.joints[rows],
        found.wanted[rows],
        truth.joints,
        visible,
        truth.area,
        truth.image_index,
        truth.skeleton.sigmas,
    )
    return int((to_neighbour > to_own).sum()), int((to_neighbour >= 0).sum())


def _gains(found: Found, truth: People, assigned: np.ndarray, kinds: np.ndarray, ap: float) -> np.ndarray:
    """(kinds,): AP with one kind of errors put right, less AP."""
    gains = np.zeros(len(errors.KINDS))
    for kind in range(errors.JITTER, len(errors.KINDS)):
        better = matching.moved(found, errors.put_right(found, truth, assigned, kinds, kind))
        gains[kind] = matching.curves(better, truth, matching.similarities(better, truth)).ap - ap
    return gains


def _finders(truth: People, alike: Similarities, meant: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(people,) the result of each person and its OKS, from the person that each result means (found,)."""
    finder, likeness = np.full(len(truth), NOBODY), np.zeros(len(truth))
    for rows, people, values in alike.blocks:
        at, column = np.nonzero(meant[rows][:, None] == people)
        finder[people[column]], likeness[people[column]] = rows[at], values[at, column]
    return finder, likeness
