"""Pictures and the boxes of their people: given, or found by a detector, and checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rdpose import detection, geometry
from rdpose.detection import Detector
from rdpose.io.image_like import ImageLike, as_rgb


class Task(NamedTuple):
    """A picture and where to look in it."""

    picture: ImageLike
    """(height, width, 3) RGB uint8, or what `PoseEstimator` takes beside."""
    boxes_xyxy: ArrayLike | None = None
    """(N, 4) pixels; None: the estimator's detector finds them."""
    scores: ArrayLike | None = None
    """(N,) how sure the detector is of each given box; None: of all of them."""
    name: str = ""
    """For detectors that look the picture up by its name."""


class Located(NamedTuple):
    """A picture and the boxes of its people."""

    picture: np.ndarray
    """(height, width, 3) RGB uint8."""
    boxes_xyxy: np.ndarray
    """(N, 4) float32 pixels, each with an area."""
    scores: np.ndarray
    """(N,) float32."""


def locate(tasks: Sequence[Task], detector: Detector) -> list[Located]:
    """The people of each task; pictures without boxes go through the detector together.

    Raises:
        FileNotFoundError, ValueError: a picture cannot be read, or its boxes or scores are of no use.
    """
    pictures = [as_rgb(task.picture) for task in tasks]
    boxes = [(task.boxes_xyxy, task.scores) for task in tasks]
    open_tasks = [number for number, task in enumerate(tasks) if task.boxes_xyxy is None]
    if open_tasks:
        few, names = [pictures[number] for number in open_tasks], [tasks[number].name for number in open_tasks]
        for number, found in zip(open_tasks, detection.find_all(detector, few, names), strict=True):
            boxes[number] = (found.boxes_xyxy, found.scores)
    return [Located(picture, *_checked(*own)) for picture, own in zip(pictures, boxes, strict=True)]


def _checked(boxes: ArrayLike | None, scores: ArrayLike | None) -> tuple[np.ndarray, np.ndarray]:
    checked = _checked_boxes([] if boxes is None else boxes)
    sure = np.ones(len(checked), np.float32) if scores is None else np.asarray(scores, np.float32)
    if sure.shape != (len(checked),):
        raise ValueError(f"{len(checked)} boxes with scores of shape {sure.shape}: give one score for each box")
    if not np.isfinite(sure).all():
        raise ValueError(f"a box's score is {sure[~np.isfinite(sure)][0]}: give numbers")
    return checked, sure


def _checked_boxes(boxes: ArrayLike) -> np.ndarray:
    """(N, 4) float32 of boxes that have an area."""
    array = np.asarray(boxes, np.float32)
    array = array.reshape(0, 4) if not array.size else array
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f"boxes are (N, 4) x1, y1, x2, y2; got shape {array.shape}")
    bad = np.flatnonzero(~geometry.valid_boxes(geometry.xyxy_to_xywh(array)))
    if len(bad):
        raise ValueError(
            f"box {bad[0]} ({array[bad[0]].tolist()}) has no area: give x1, y1, x2, y2 in pixels, not width and height"
        )
    return array
