"""Boxes beside their pictures: those that miss them are left out, and what is odd is told at the end, with counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rdpose.detection import Detections

BEYOND = 0.05
"""Share of a picture's size by which a box may end beyond it."""
SMALLEST_PX = 2
"""Of a box's longer side."""


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

    def sift(self, found: Detections, picture: np.ndarray) -> Detections:
        """The boxes that meet their picture (height, width, 3), all of them counted."""
        size_wh = np.array(picture.shape[1::-1])
        start, end = found.boxes_xyxy[:, :2], found.boxes_xyxy[:, 2:]
        meets = np.all((start < size_wh) & (end > 0), axis=1)
        self.num_boxes += len(meets)
        self.num_outside += int((~meets).sum())
        self.num_beyond += int((end > (1 + BEYOND) * size_wh).any(axis=1).sum())
        self.num_tiny += int((end - start < SMALLEST_PX).all(axis=1).sum())
        return Detections(found.boxes_xyxy[meets], found.scores[meets])

    def add_below(self, scores: np.ndarray) -> None:
        """Count boxes of these scores (n,), which were left out for them."""
        self.num_below += len(scores)
        self.best_below = max([self.best_below, *scores.tolist()])

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
        if self.num_below and not self.num_boxes:
            best = f"(the best {self.best_below:.2f})"
            yield f"{self.num_below} boxes lie below --min-score {min_score:g} {best}; lower it"
