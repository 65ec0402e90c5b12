"""What every detector returns, and how it is called."""

from __future__ import annotations

from typing import NamedTuple, Protocol

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
