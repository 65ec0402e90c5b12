"""Results as columns, and COCO's evaluation of them by hotcoco: precision over recall, and who of the found is who.

The rules are those of cocodataset.org/#keypoints-eval: at most 20 results a picture; the surest chooses first; groups
and people without labelled joints count neither as found nor as missed; precision is read at 101 recalls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from hotcoco import COCO

from rdpose.data.people import People
from rdpose.data.tables import find_rows
from rdpose.evaluation import coco, results
from rdpose.io.parsed import AnyFile
from rdpose.oks import THRESHOLDS

MAX_RESULTS = 20
RECALLS = np.linspace(0, 1, 101)
NOBODY = -1
EVERY_AREA = (0.0, float("inf"))


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


def read(source: AnyFile, truth: People) -> Found:
    """A COCO results file as columns.

    Raises:
        FileNotFoundError, ValueError: there is no such file, or its pictures or joints are not those of the truth.
    """
    table = results.read(source, truth.skeleton.num_joints)
    image = find_rows(table.image_id, truth.image_id)
    if (unknown := table.image_id[image < 0]).size:
        raise ValueError(f"{source} has results of picture {unknown[0]}, which the annotations do not list")
    wanted = find_rows(table.annotation_id, truth.person_id)
    order = np.lexsort((-table.score, image))
    return Found(image[order], table.joints[order], table.keypoints[order, :, 2], table.score[order], wanted[order])


def best_of_pictures(found: Found) -> Found:
    """The first MAX_RESULTS of each picture, which figures are made of."""
    starts = np.searchsorted(found.image_index, found.image_index, side="left")
    kept = np.arange(len(found)) - starts < MAX_RESULTS
    return Found(*(getattr(found, column.name)[kept] for column in fields(found)))


@dataclass(frozen=True, eq=False)
class Curves:
    """Precision over recall at the ten thresholds, with the mean that the field prints."""

    precision: np.ndarray
    """(10, 101) at RECALLS; NaN without people."""
    num_people: int

    @property
    def ap(self) -> float:
        """Mean over thresholds and recalls, 0..1; NaN without people."""
        return float(self.precision.mean())

    def precision_at(self, threshold: float) -> np.ndarray:
        """(101,) at RECALLS, for the nearest of the thresholds."""
        return self.precision[int(np.argmin(abs(THRESHOLDS - threshold)))]


class Evaluator:
    """COCO's evaluation for the annotated people. Its ids are rows + 1: 0 is nobody, and nowhere."""

    def __init__(self, truth: People) -> None:
        self.truth = truth
        people = _rows(
            truth.joints,
            truth.visible,
            id=np.arange(len(truth)) + 1,
            image_id=truth.image_index + 1,
            bbox=truth.box_xywh + np.array([0.0, 0, 1, 1]),  # reading counted pixels: w - 1, h - 1
            area=truth.area,
            iscrowd=truth.crowd.astype(int),
            num_keypoints=(truth.visible > 0).sum(axis=1) * truth.counted,
        )
        images = [{"id": row + 1} for row in range(truth.num_images)]
        content = {"images": images, "annotations": people, "categories": [{"id": 1, "name": "person"}]}
        self.labels = coco.Truth(Path(), COCO(content), truth.skeleton, frozenset({1}))

    def load(self, found: Found) -> COCO:
        """The best results of each picture as the evaluator holds them, in the same order."""
        rows = _rows(found.joints, found.confidence, image_id=found.image_index + 1, score=found.scores)
        return self.labels.coco.load_res(rows)

    def curves(
        self, found: COCO, *, areas: Sequence[tuple[float, float]] = (EVERY_AREA,), pictures: np.ndarray | None = None
    ) -> list[Curves]:
        """Of people whose area lies in each range (square pixels), in all pictures or in some, (pictures,) bool."""
        pictures = np.ones(self.truth.num_images, bool) if pictures is None else pictures
        images = [0, *np.flatnonzero(pictures) + 1]  # no ids at all would be all pictures
        done = coco.evaluated(self.labels, found, area_rng=areas, img_ids=images)
        size = self.truth.area[self.truth.labelled & pictures[self.truth.image_index]]
        numbers = [int(((size >= low) & (size <= high)).sum()) for low, high in areas]
        curves = np.moveaxis(done.eval["precision"][..., 0], 3, 0)[..., 0]  # type: ignore
        return [Curves(np.where(curve < 0, np.nan, curve), num) for curve, num in zip(curves, numbers, strict=True)]

    def match(self, found: COCO, threshold: float) -> np.ndarray:
        """(found,) int64: the row of the person whom each result finds at a threshold, NOBODY if none."""
        pictures = coco.evaluated(self.labels, found, area_rng=[EVERY_AREA], iou_thrs=[threshold]).eval_imgs
        return np.concatenate([[], *(picture["dtMatches"][0] for picture in pictures if picture)]).astype(int) - 1


def _rows(joints: np.ndarray, marks: np.ndarray, **columns: np.ndarray) -> list[dict[str, Any]]:
    """The rows of a COCO file from columns, of people alone; joints (n, k, 2) are marked (n, k) as visible or sure."""
    columns["keypoints"] = np.dstack([joints, marks]).reshape(len(joints), 3 * joints.shape[1])
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [{"category_id": 1} | dict(zip(columns, row, strict=True)) for row in rows]
