"""One run of `predict`: what pictures and videos share."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rdpose.detection import DetectionsFile
from rdpose.detection.boxes_file import PERSON
from rdpose.inference.estimator import PoseEstimator
from rdpose.structures import Poses


@dataclass
class Job:
    """How to look and where to write; and, as it goes on, what was done."""

    estimator: PoseEstimator
    """It has the detector, or the file of boxes in its place."""
    boxes: DetectionsFile | None
    out: Path
    draw: bool
    heatmaps: bool
    stop: threading.Event
    """Set when people want it to end."""
    files: list[Path] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    """What to tell at the end."""
    num_people: int = 0
    """Of pictures, and who is who in videos."""
    num_unreadable: int = 0

    def leave_out(self, error: Exception) -> None:
        """Name and count something that cannot be read; the others go on."""
        self.num_unreadable += 1
        print(f"left out: {error}", file=sys.stderr)

    def rows(self, poses: Poses, name: str, image_id: int | str) -> list[dict[str, Any]]:
        """The results of the picture or frame called `name`; where its boxes are annotations, with their ids."""
        if self.boxes is None:
            return poses.to_coco(image_id, category_id=PERSON)
        ids = self.boxes.person_ids(name, poses.boxes_xyxy)
        rows = poses.to_coco(image_id, category_id=self.boxes.category_id)  # results are measured beside the file
        return [row if own is None else row | {"annotation_id": own} for row, own in zip(rows, ids, strict=True)]

    def image_id(self, name: str) -> int | str:
        """The number by which the boxes' file knows a picture, or else the picture's name."""
        number = self.boxes.image_id(name) if self.boxes else None
        return name if number is None else number


def count(number: int, one: str, several: str) -> str:
    """`1 person`, `2 people`."""
    return f"{number} {one if number == 1 else several}"
