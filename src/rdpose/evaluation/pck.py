"""PCK: the share of joints found within a part of the person's torso, for sets whose people have no area.

A joint is right within 0.2 torsos of its place; the torso is the distance from left hip to right shoulder, or from
right hip to left shoulder where that is not labelled (Sapp and Taskar, CVPR 2013, measure the same for FLIC). People
with neither cannot be measured; the note counts them. An annotated person without a result has every joint wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rdpose.evaluation import labels, results
from rdpose.evaluation.labels import LabelledPeople
from rdpose.evaluation.scores import Scores
from rdpose.io.parsed import Source
from rdpose.skeletons import Skeleton

THRESHOLD = 0.2
TORSOS = (("left_hip", "right_shoulder"), ("right_hip", "left_shoulder"))


def measure(source: Source, truth: LabelledPeople, *, name: str) -> Scores:
    """PCK@0.2 in per cent for each kind of joint (left and right as one) and `Mean` over all labelled joints.

    Args:
        source: one result for each annotated person, named by `annotation_id`.
        truth: the labelled people.

    Raises:
        FileNotFoundError, ValueError: a file is missing, or is not what it should be; the message names it.
    """
    found = results.read(source, truth.skeleton.num_joints)
    own = labels.own_result(found, truth.person_id, source, truth.path)
    nowhere = np.full((1, truth.skeleton.num_joints, 2), np.inf)
    joints = np.concatenate([found.joints, nowhere])[own]
    right, labelled = compare(joints, truth.joints, truth.visible, truth.skeleton, truth.path)
    kinds = [joint.removeprefix("left_").removeprefix("right_") for joint in truth.skeleton.joints]
    figures = {
        kind.replace("_", " ").capitalize(): share(right, labelled, [kind == other for other in kinds])
        for kind in dict.fromkeys(kinds)
    }
    lost = int((~labelled.any(axis=1)).sum())
    note = f"PCK@{THRESHOLD} of the torso" + (f"; {lost} people without a labelled torso left out" if lost else "")
    return Scores(name, figures | {"Mean": share(right, labelled)}, note)


def compare(
    joints: np.ndarray,
    truth: np.ndarray,
    visible: np.ndarray,
    skeleton: Skeleton,
    path: Path | str,
    *,
    threshold: float = THRESHOLD,
) -> tuple[np.ndarray, np.ndarray]:
    """Which joints are within the threshold, and which can be measured: labelled, of people with a torso; both (m, k).

    Args:
        joints, truth: (m, k, 2) pixels.
        visible: (m, k), above 0 where labelled.
        path: of the truth, for the message.
        threshold: in torsos.

    Raises:
        ValueError: the joint set has no hips and shoulders.
    """
    torso = torso_sizes(truth, visible, skeleton, path)[:, None]
    return np.linalg.norm(joints - truth, axis=-1) <= threshold * torso, (visible > 0) & (torso > 0)


def torso_sizes(joints: np.ndarray, visible: np.ndarray, skeleton: Skeleton, path: Path | str) -> np.ndarray:
    """(m,) float64 pixels for people's joints (m, k, 2) and flags (m, k); 0 where no torso is labelled.

    Raises:
        ValueError: the joint set has no hips and shoulders; the message names `path`.
    """
    names = skeleton.joints
    if not {name for torso in TORSOS for name in torso} <= set(names):
        raise ValueError(f"{path} has no left and right hip and shoulder among its joints; PCK needs a torso")
    sizes = np.zeros(len(joints))
    for hip, shoulder in reversed([(names.index(hip), names.index(shoulder)) for hip, shoulder in TORSOS]):
        both = (visible[:, [hip, shoulder]] > 0).all(axis=1)
        sizes = np.where(both, np.linalg.norm(joints[:, hip] - joints[:, shoulder], axis=-1), sizes)
    return sizes


def share(
    right: np.ndarray, labelled: np.ndarray, joints: Sequence[bool] | Sequence[int] | slice = slice(None)
) -> float:
    """Per cent of the labelled joints (m, k) that are right, -1 where none is labelled; of some joints if asked."""
    counted = labelled[:, joints].sum()
    return float(100 * (right & labelled)[:, joints].sum() / counted) if counted else -1.0
