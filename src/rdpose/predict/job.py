"""One run of `predict`: what pictures and videos share."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rdpose.detection import DetectionsFile, Detector
from rdpose.detection.boxes_file import PERSON
from rdpose.inference.estimator import PoseEstimator, Task
from rdpose.predict.box_checks import Doubts


@dataclass
class Job:
    """How to look and where to write; and, as it goes on, what was done."""

    estimator: PoseEstimator
    detector: Detector | None
    """None: the whole picture is one box."""
    out: Path
    draw: bool
    heatmaps: bool
    stop: threading.Event
    """Set when people want it to end."""
    files: list[Path] = field(default_factory=list)
    doubts: Doubts = field(default_factory=Doubts)
    num_people: int = 0
    num_unreadable: int = 0

    def leave_out(self, error: Exception) -> None:
        """Name and count something that cannot be read; the others go on."""
        self.num_unreadable += 1
        print(f"left out: {error}", file=sys.stderr)

    def task(self, picture: np.ndarray, name: str) -> Task:
        """Where to look in a picture (height, width, 3) RGB uint8; boxes that do not meet it are left out."""
        if self.detector is None:
            return Task(picture)
        if isinstance(self.detector, DetectionsFile):
            self.doubts.add_below(self.detector.below(name))
        return Task(picture, *self.doubts.sift(self.detector(picture, name), picture))

    @property
    def category_id(self) -> int:
        """The number that the boxes' file gives to people, or else COCO's: results are measured beside it."""
        return self.detector.category_id if isinstance(self.detector, DetectionsFile) else PERSON

    def image_id(self, name: str) -> int | str:
        """The number by which the boxes' file knows a picture, or else the picture's name."""
        number = self.detector.image_id(name) if isinstance(self.detector, DetectionsFile) else None
        return name if number is None else number
