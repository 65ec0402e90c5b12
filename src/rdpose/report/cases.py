"""Which people a report shows, and their pictures: the worst, the typical, and where two results differ most."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from rdpose import drawing
from rdpose.data.people import OCCLUDED, People
from rdpose.drawing.files import encode
from rdpose.report.analysis import Analysis
from rdpose.report.matching import NOBODY

MIN_JOINTS = 6
"""People with fewer labelled joints tell little."""
SIDE = 300
"""Pixels of the longer side of a case's picture."""
NUM = 6
"""People of a group."""
OWN, NEIGHBOURS, ANSWER = (0, 190, 140), (170, 170, 176), (255, 159, 28)
"""Colours of the person's truth, of everybody else's, and of the answers."""


@dataclass(frozen=True)
class Case:
    """A person: the truth and each result's answer, as JPEG data addresses."""

    title: str
    pictures: list[tuple[str, str]]
    """(caption, data address)."""


def choose(analyses: Sequence[Analysis], truth: People) -> dict[str, np.ndarray]:
    """Rows of people for each group of cases, at most one of each picture, `NUM` a group.

    Worst are the people whose result has the least OKS; typical those nearest the median.
    """
    likeness = np.mean([analysis.likeness for analysis in analyses], axis=0)
    answered = np.all([analysis.finder != NOBODY for analysis in analyses], axis=0)
    shown = np.flatnonzero(truth.labelled & answered & ((truth.visible > 0).sum(axis=1) >= MIN_JOINTS))
    if not len(shown):
        return {}
    value = likeness[shown]
    groups = {"Worst": value, "Typical": abs(value - np.median(value))}
    if len(analyses) == 2:
        change = analyses[1].likeness[shown] - analyses[0].likeness[shown]
        groups |= {f"Better with {analyses[1].name}": -change, f"Better with {analyses[0].name}": change}
    return {
        name: _first_of_each_picture(shown[np.argsort(key, kind="stable")], truth)[:NUM] for name, key in groups.items()
    }


def _first_of_each_picture(rows: np.ndarray, truth: People) -> np.ndarray:
    _, first = np.unique(truth.image_index[rows], return_index=True)
    return rows[np.sort(first)]


def draw(person: int, analyses: Sequence[Analysis], truth: People) -> Case:
    """A person cut out of the picture, with the truth and with what each result found; neighbours in grey.

    Raises:
        FileNotFoundError, ValueError: the picture cannot be read.
    """
    image = int(truth.image_index[person])
    picture = truth.picture(image)
    corner, scale, crop = _cut(picture, person, analyses, truth)
    people = np.append(truth.others_in_picture(person), person)
    tones = np.where((people == person)[:, None], OWN, NEIGHBOURS)
    visible = truth.visible[people]
    joints = (truth.joints[people] - corner) * scale
    known = drawing.draw_poses(
        crop, joints, (visible > 0).astype(float), truth.skeleton, occluded=visible == OCCLUDED, colors=tones
    )
    shown = [("truth", _address(known))]
    for analysis in analyses:
        row = analysis.finder[person]
        places = (analysis.found.joints[row][None] - corner) * scale
        drawn = drawing.draw_poses(crop, places, analysis.found.confidence[row][None], truth.skeleton, colors=[ANSWER])
        shown.append((f"{analysis.name}, OKS {analysis.likeness[person]:.2f}", _address(drawn)))
    return Case(f"picture {truth.image_id[image]}, person {truth.person_id[person]}", shown)


def _cut(
    picture: np.ndarray, person: int, analyses: Sequence[Analysis], truth: People
) -> tuple[np.ndarray, float, np.ndarray]:
    """The corner (x, y) of the part that holds the person's box and all answers, its scale, and that part, scaled."""
    left_top, size = np.split(truth.box_xywh[person], 2)
    points = [left_top, left_top + size, *(a.found.joints[a.finder[person]] for a in analyses)]
    points = np.concatenate([np.reshape(part, (-1, 2)) for part in points])
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.12 * (high - low).max() + 4
    limit = np.array(picture.shape[1::-1])
    x, y = np.clip(low - margin, 0, limit - 2).astype(int)
    right, bottom = np.clip(high + margin, (x + 2, y + 2), limit).astype(int)
    scale = SIDE / max(right - x, bottom - y)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.array([x, y]), scale, cv2.resize(picture[y:bottom, x:right], None, fx=scale, fy=scale, interpolation=way)


def _address(picture: np.ndarray) -> str:
    """A picture as a data address that a page can hold."""
    return "data:image/jpeg;base64," + base64.b64encode(encode(picture, ".jpg")).decode()
