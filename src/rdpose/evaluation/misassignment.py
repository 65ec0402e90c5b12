"""Misassignment: how often the pose found in a person's box is the pose of a neighbour, the error FDM is meant to cure.

A pose is misassigned when, by OKS, it is more like another person of its picture than like its own. Both are people who
count (`People.labelled`): single, labelled, and not left out by the file's `num_keypoints`, as in AP. The command, the
report and the robustness figures all ask `likeness`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rdpose import oks
from rdpose.data import annotations as annotation_files
from rdpose.data.people import People
from rdpose.evaluation import labels, results
from rdpose.io.parsed import AnyFile, Source


class Likeness(NamedTuple):
    """How like n poses are to people of their pictures."""

    to_own: np.ndarray
    """(n,) OKS to the person who was looked for."""
    to_neighbour: np.ndarray
    """(n,) the highest to another person who counts; -1 without one, and where the own person does not count."""

    @property
    def with_neighbour(self) -> np.ndarray:
        """(n,) bool: who could be mistaken for somebody."""
        return self.to_neighbour >= 0

    @property
    def misassigned(self) -> np.ndarray:
        """(n,) bool: whose pose is more like a neighbour's."""
        return self.to_neighbour > self.to_own


def likeness(joints: np.ndarray, person: np.ndarray, truth: People) -> Likeness:
    """The likeness of poses (n, k, 2) of people in rows `person` (n,) of the truth."""
    to_own, to_neighbour = similarities(
        joints,
        person,
        truth.joints,
        truth.visible,
        truth.area,
        truth.image_index,
        truth.skeleton.sigmas,
        counted=truth.labelled,
    )
    return Likeness(to_own, np.where(truth.labelled[person], to_neighbour, -1.0))


@dataclass(frozen=True, eq=False)
class Misassignment:
    """What became of the results whose picture shows another labelled person; without one, nothing can be mistaken."""

    rate: float
    """Share of `num_with_neighbours` that are misassigned; -1 where there are none."""
    num_misassigned: int
    num_with_neighbours: int
    num_results: int
    person_id: np.ndarray
    """(misassigned,) int64: the annotation ids of the people whose results these are."""

    def __str__(self) -> str:
        return (
            f"misassignment rate {self.rate:.3f} ({self.num_misassigned} of {self.num_with_neighbours} results with "
            f"neighbours; {self.num_results} results)"
        )


def misassignment(source: Source, annotations: AnyFile | People) -> Misassignment:
    """The misassignment rate of results with given boxes.

    Args:
        source: results that name their person by `annotation_id`, at most one for each.
        annotations: COCO keypoint file, or what was read of it.

    Raises:
        FileNotFoundError, ValueError: a file is missing, or is not what it should be; the message names it.
    """
    truth = annotations if isinstance(annotations, People) else annotation_files.read(annotations, "")
    path = "the annotations" if isinstance(annotations, People) else str(annotations)
    results.refuse_doubles(truth.person_id.tolist(), path)
    found = results.read(source, truth.skeleton.num_joints)
    own = labels.own_result(found, truth.person_id, source, path)
    person = np.flatnonzero((own >= 0) & truth.labelled)
    alike = likeness(found.joints[own[person]], person, truth)
    wrong, with_neighbours = alike.misassigned, int(alike.with_neighbour.sum())
    return Misassignment(
        rate=float(wrong.sum() / with_neighbours) if with_neighbours else -1.0,
        num_misassigned=int(wrong.sum()),
        num_with_neighbours=with_neighbours,
        num_results=len(person),
        person_id=truth.person_id[person[wrong]],
    )


def similarities(
    joints: np.ndarray,
    person: np.ndarray,
    truth_joints: np.ndarray,
    truth_visible: np.ndarray,
    truth_areas: np.ndarray,
    truth_image: np.ndarray,
    sigmas: Sequence[float] | np.ndarray,
    *,
    counted: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """OKS of n poses (n, k, 2) to their own person, and the highest to another person of the same picture who counts.

    Args:
        person: (n,) the row of each pose's own person in the truth, m people.
        truth_joints, truth_visible, truth_areas, truth_image: (m, k, 2), (m, k), (m,), (m,).
        counted: (m,) bool, who can be a neighbour.

    Returns:
        (n,) and (n,), each of COCO's definition; the second is -1 where nobody else counts in the picture.
    """
    order = np.argsort(truth_image, kind="stable")
    first = np.searchsorted(truth_image[order], truth_image[person], side="left")
    count = np.searchsorted(truth_image[order], truth_image[person], side="right") - first
    pose = np.repeat(np.arange(len(person)), count)
    step = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    other = order[np.repeat(first, count) + step]
    alike = oks.oks_to_own(joints[pose], truth_joints[other], truth_visible[other], truth_areas[other], sigmas)
    to_own, to_neighbour = np.zeros(len(person)), np.full(len(person), -1.0)
    is_own = other == person[pose]
    to_own[pose[is_own]] = alike[is_own]
    is_neighbour = ~is_own & counted[other]
    np.maximum.at(to_neighbour, pose[is_neighbour], alike[is_neighbour])
    return to_own, to_neighbour
