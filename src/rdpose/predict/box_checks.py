"""Boxes beside their pictures: those that miss them are left out, and what is odd is told at the end, with counts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from rdpose.detection import Detections, Detector, find_all

BEYOND = 0.05
"""Share of a picture's size by which a box may end beyond it."""
SMALLEST_PX = 2
"""Of a box's longer side."""
COUNTED_FROM = 0.2
"""Score from which a network's boxes are counted where they are left out; below, they mean nothing."""


@dataclass
class Doubts:
    """What was odd about the boxes so far, as numbers of boxes."""

    num_boxes: int = 0
    """That were looked at."""
    num_outside: int = 0
    """That do not meet their picture."""
    num_beyond: int = 0
    """That end more than `BEYOND` to the right of their picture or below it."""
    num_tiny: int = 0
    num_below: int = 0
    """That were left out for their score."""
    best_below: float = 0.0

    def sift(self, found: Detections, picture: np.ndarray, min_score: float) -> Detections:
        """The boxes that meet their picture (height, width, 3) and reach the score, all of them counted."""
        sure = found.scores >= min_score
        self.num_below += int((~sure).sum())
        self.best_below = max([self.best_below, *found.scores[~sure].tolist()])
        boxes, scores = found.boxes_xyxy[sure], found.scores[sure]
        size_wh = np.array(picture.shape[1::-1])
        start, end = boxes[:, :2], boxes[:, 2:]
        meets = np.all((start < size_wh) & (end > 0), axis=1)
        self.num_boxes += len(meets)
        self.num_outside += int((~meets).sum())
        self.num_beyond += int((end > (1 + BEYOND) * size_wh).any(axis=1).sum())
        self.num_tiny += int((end - start < SMALLEST_PX).all(axis=1).sum())
        return Detections(boxes[meets], scores[meets])

    def notes(self, min_score: float) -> Iterator[str]:
        """What to tell people, a sentence each."""
        of_all = f"of {self.num_boxes} boxes"
        if self.num_beyond:
            question = "are they x1 y1 x2 y2, or made for another size?"
            yield f"{self.num_beyond} {of_all} end beyond their picture: {question}"
        if self.num_tiny:
            yield f"{self.num_tiny} {of_all} are smaller than {SMALLEST_PX} pixels: shares instead of pixels?"
        if self.num_outside:
            yield f"{self.num_outside} {of_all} lie outside their picture and were left out: are they another one's?"
        if self.num_below:
            are = f"{self.num_below} {'box lies' if self.num_below == 1 else 'boxes lie'}"
            lower = "" if self.num_boxes else "; lower it"
            best = math.floor(100 * self.best_below + 1e-3) / 100  # 0.299 is not 0.30, which would have been taken
            yield f"{are} below --min-score {min_score:g} (the best {best:.2f}) and were left out{lower}"


@dataclass(frozen=True)
class CheckedDetector:
    """A detector whose odd and unsure boxes are left out and counted.

    Args:
        detector: gives boxes below `min_score` too.
        min_score: boxes below it are left out.
    """

    detector: Detector
    min_score: float
    doubts: Doubts = field(default_factory=Doubts)

    def __call__(self, picture: np.ndarray, name: str = "") -> Detections:
        """The people in a picture (height, width, 3) RGB uint8."""
        return self.many([picture], [name])[0]

    def many(self, pictures: Sequence[np.ndarray], names: Sequence[str]) -> list[Detections]:
        """The people in each of several pictures."""
        each = find_all(self.detector, pictures, names)
        return [self.doubts.sift(own, picture, self.min_score) for own, picture in zip(each, pictures, strict=True)]
