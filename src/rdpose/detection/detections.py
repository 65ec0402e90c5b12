"""What every detector returns, and how it is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from rdpose import geometry


class Detections(NamedTuple):
    """People in one picture."""

    boxes_xyxy: np.ndarray
    """(n, 4) float32 pixels of the picture, each with an area."""
    scores: np.ndarray
    """(n,) float32, 0 to 1."""


class Detector(Protocol):
    """Finds people: picture (height, width, 3) RGB uint8 -> Detections; `name` is the picture's, for files of boxes."""

    def __call__(self, picture: np.ndarray, name: str = "") -> Detections: ...


@runtime_checkable
class BatchDetector(Detector, Protocol):
    """A detector that looks at several pictures at once; each gets what it would get alone."""

    def many(self, pictures: Sequence[np.ndarray], names: Sequence[str]) -> list[Detections]:
        """Detections of each picture (height, width, 3) RGB uint8, in their order; `names` are the pictures'."""
        ...


def find_all(detector: Detector, pictures: Sequence[np.ndarray], names: Sequence[str]) -> list[Detections]:
    """Detections of each picture, in one call of a detector that takes several."""
    if isinstance(detector, BatchDetector):
        return detector.many(pictures, names)
    return [detector(picture, name) for picture, name in zip(pictures, names, strict=True)]


def whole_picture(picture: np.ndarray, name: str = "") -> Detections:
    """One person, whose box is the picture (height, width, 3)."""
    del name
    height, width = picture.shape[:2]
    return Detections(np.array([[0, 0, width, height]], np.float32), np.ones(1, np.float32))


def sift(boxes_xyxy: ArrayLike, scores: ArrayLike, *, min_score: float) -> Detections:
    """Boxes (n, 4) and scores (n,) without those below `min_score` and those without area, the best first."""
    boxes, scores = np.asarray(boxes_xyxy, np.float32).reshape(-1, 4), np.asarray(scores, np.float32).reshape(-1)
    good = geometry.valid_boxes(geometry.xyxy_to_xywh(boxes)) & (scores >= min_score)
    best_first = np.argsort(-scores[good], kind="stable")
    return Detections(boxes[good][best_first], scores[good][best_first])


def clip(boxes_xyxy: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) cut at the picture's edges."""
    height, width = picture.shape[:2]
    return np.clip(boxes_xyxy, 0, (width, height, width, height)).astype(np.float32)


def suppress(found: Detections, threshold: float) -> Detections:
    """Of boxes, the best first, those that no better one overlaps by an IoU above `threshold`."""
    alike = geometry.iou(found.boxes_xyxy, found.boxes_xyxy) > threshold
    kept: list[int] = []
    for row in range(len(found.scores)):
        if not alike[row, kept].any():
            kept.append(row)
    return Detections(found.boxes_xyxy[kept], found.scores[kept])
