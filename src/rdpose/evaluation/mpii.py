"""MPII's evaluation: PCKh, the share of joints found within a part of the head's size (Andriluka et al., CVPR 2014).

Head size is 0.6 x the diagonal of the annotated head box, which `gt_valid.mat` holds. The family's valid.json does
not; but MPII places upper neck and head top on the box such that they are 0.8 diagonals apart, so that 0.75 x their
distance is the same number (to the four digits of the file) wherever both are labelled.

Joints of the files count pixels from 1, results from 0. Pelvis and thorax are left out of the mean, which weighs
each joint by how often it is labelled. The family's column Mean@0.1 is in fact taken at 0.11; ours is at 0.10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io

from rdpose.data.mpii import people_rows
from rdpose.evaluation import labels, results
from rdpose.evaluation.pck import share
from rdpose.evaluation.scores import Scores
from rdpose.io.parsed import AnyFile, ParsedFile, Source
from rdpose.skeletons import MPII_16, Skeleton

COLUMNS = {
    "Head": ("head_top",),
    "Shoulder": ("left_shoulder", "right_shoulder"),
    "Elbow": ("left_elbow", "right_elbow"),
    "Wrist": ("left_wrist", "right_wrist"),
    "Hip": ("left_hip", "right_hip"),
    "Knee": ("left_knee", "right_knee"),
    "Ankle": ("left_ankle", "right_ankle"),
}
OUT_OF_MEAN = ("pelvis", "thorax")
HEAD_OF_NECK = 0.75
"""Head size / distance from upper neck to head top: 0.6 / 0.8."""


@dataclass(frozen=True, eq=False)
class Heads:
    """The m people of an MPII file, in its order; pixels from 0."""

    path: Path
    joints: np.ndarray
    """(m, 16, 2) float64."""
    labelled: np.ndarray
    """(m, 16) bool."""
    head_size: np.ndarray
    """(m,) float64; 0 unknown."""
    note: str


def measure(source: Source, truth: Heads, *, name: str) -> Scores:
    """PCKh@0.5 in per cent for each joint, `Mean`, and `Mean@0.1`, as the family prints them.

    Args:
        source: results whose `annotation_id` is the person's row in the file, or the family's own pred.mat.

    Raises:
        FileNotFoundError, ValueError: a file is missing, or is not what it should be; the message names it.
    """
    found = _read_joints(source, truth)
    known = truth.head_size > 0
    labelled = truth.labelled & known[:, None]
    distance = np.linalg.norm(found - truth.joints, axis=-1) / np.where(known, truth.head_size, 1)[:, None]
    right = distance <= 0.5
    figures = {
        kind: _mean([share(right, labelled, [place]) for place in MPII_16.places(joints)])
        for kind, joints in COLUMNS.items()
    }
    counted = [joint not in OUT_OF_MEAN for joint in MPII_16.joints]
    figures |= {"Mean": share(right, labelled, counted), "Mean@0.1": share(distance <= 0.1, labelled, counted)}
    return Scores(name, figures, "; ".join(filter(None, ["PCKh@0.5, Mean@0.1 at 0.10", truth.note])))


def read_truth(file: ParsedFile, *, skeleton: Skeleton | None = None) -> Heads:
    """Joints and head sizes of gt_valid.mat, or of valid.json (the .mat is taken where it lies beside it).

    Args:
        skeleton: only that of MPII is taken; its files name no joints.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not one of the family's MPII files, or has no labels; or other joints are asked for.
    """
    if skeleton is not None and skeleton.joints != MPII_16.joints:
        raise ValueError(f"PCKh is measured in MPII's 16 joints, not in those of {skeleton.name}; use data.metric=pck")
    path = file.path
    matlab = path if path.suffix == ".mat" else path.with_name(f"gt_{path.stem}.mat")
    if path.suffix == ".mat" or matlab.is_file():
        return _from_matlab(matlab)
    rows = people_rows(file)
    try:
        joints = np.array([row["joints"] for row in rows], np.float64).reshape(-1, MPII_16.num_joints, 2) - 1
        labelled = np.array([row["joints_vis"] for row in rows]).reshape(-1, MPII_16.num_joints) > 0
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not one of the family's MPII files with labels ({type(error).__name__}: {error}); "
            "take valid.json or train.json"
        ) from None
    ends = MPII_16.places(("upper_neck", "head_top"))
    size = HEAD_OF_NECK * np.linalg.norm(joints[:, ends[1]] - joints[:, ends[0]], axis=-1)
    size = np.where(labelled[:, ends].all(axis=1), size, 0)
    lost = int((size == 0).sum())
    note = "head sizes from upper neck and head top, no gt_valid.mat"
    return Heads(path, joints, labelled, size, note + (f"; {lost} people without them left out" if lost else ""))


def _from_matlab(path: Path) -> Heads:
    content = _load_matlab(path, ("pos_gt_src", "jnt_missing", "headboxes_src"))
    joints = np.asarray(content["pos_gt_src"], np.float64).transpose(2, 0, 1) - 1
    box = np.asarray(content["headboxes_src"], np.float64)
    size = 0.6 * np.linalg.norm(box[1] - box[0], axis=0)
    return Heads(path, joints, np.asarray(content["jnt_missing"]).T == 0, size, "")


def _load_matlab(path: Path, keys: Sequence[str]) -> dict[str, np.ndarray]:
    try:
        content = scipy.io.loadmat(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} does not exist; check the path of the file") from None
    except (ValueError, TypeError, NotImplementedError) as error:
        raise ValueError(f"{path} is not a MATLAB file that can be read ({error})") from None
    if missing := [key for key in keys if key not in content]:
        raise ValueError(f"{path} holds no `{missing[0]}`; it is not the family's file")
    return content


def _read_joints(source: Source, truth: Heads) -> np.ndarray:
    """(m, 16, 2) float64 pixels from 0; infinitely far where a person has no result."""
    num_people = len(truth.joints)
    if isinstance(source, AnyFile) and Path(source).suffix == ".mat":
        found = np.asarray(_load_matlab(Path(source), ["preds"])["preds"], np.float64)
        if found.shape[:2] != (num_people, MPII_16.num_joints):
            raise ValueError(
                f"{source} holds poses {found.shape}, {truth.path} has {num_people} people of 16 joints; "
                "measure it against its own set's file"
            )
        return found[..., :2] - 1
    columns = results.read(source, MPII_16.num_joints)
    own = labels.own_result(columns, np.arange(num_people), source, truth.path)
    found = np.full((num_people, MPII_16.num_joints, 2), np.inf)
    found[own >= 0] = columns.joints[own[own >= 0]]
    return found


def _mean(values: Sequence[float]) -> float:
    """The mean of the figures that exist."""
    known = [value for value in values if value >= 0]
    return sum(known) / len(known) if known else -1.0
