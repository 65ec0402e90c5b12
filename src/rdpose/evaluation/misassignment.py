"""Misassignment: how often the pose found in a person's box is the pose of a neighbour, the error FDM is meant to cure.

A result is misassigned when, by OKS, it is more like another labelled person of its picture than like its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rdpose import oks
from rdpose.evaluation import labels, results


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


def misassignment(source: results.Source, annotations: Path | str) -> Misassignment:
    """The misassignment rate of results with given boxes.

    Args:
        source: results that name their person by `annotation_id`, at most one for each.
        annotations: COCO keypoint file.

    Raises:
        FileNotFoundError, ValueError: a file is missing, or is not what it should be; the message names it.
    """
    people = labels.read(annotations)
    found = results.read(source, people.skeleton.num_joints)
    own = labels.own_result(found, people.person_id, source, annotations)
    person = np.flatnonzero(own >= 0)
    to_own, to_neighbour = similarities(
        found.joints[own[person]],
        person,
        people.joints,
        people.visible,
        people.area,
        people.image_id,
        people.skeleton.sigmas,
    )
    wrong, with_neighbours = to_neighbour > to_own, int((to_neighbour >= 0).sum())
    return Misassignment(
        rate=float(wrong.sum() / with_neighbours) if with_neighbours else -1.0,
        num_misassigned=int(wrong.sum()),
        num_with_neighbours=with_neighbours,
        num_results=len(person),
        person_id=people.person_id[person[wrong]],
    )


def similarities(
    joints: np.ndarray,
    person: np.ndarray,
    truth_joints: np.ndarray,
    truth_visible: np.ndarray,
    truth_areas: np.ndarray,
    truth_image: np.ndarray,
    sigmas: Sequence[float] | np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """OKS of n poses (n, k, 2) to their own person, and the highest to another labelled person of the same picture.

    Args:
        person: (n,) the row of each pose's own person in the truth, m people.
        truth_joints, truth_visible, truth_areas, truth_image: (m, k, 2), (m, k), (m,), (m,).

    Returns:
        (n,) and (n,), each of COCO's definition; the second is -1 where nobody else is labelled in the picture.
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
    is_neighbour = ~is_own & (truth_visible[other] > 0).any(axis=-1)
    np.maximum.at(to_neighbour, pose[is_neighbour], alike[is_neighbour])
    return to_own, to_neighbour
