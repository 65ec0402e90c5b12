"""One run of `predict`: what pictures and videos share."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rdpose.detection import DetectionsFile
from rdpose.detection.boxes_file import PERSON
from rdpose.drawing.colors import ALIASES, STYLES
from rdpose.inference.estimator import PoseEstimator
from rdpose.structures import Poses, draw

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Look:
    """How poses are drawn, and where they are shown beside the files.

    Raises:
        ValueError: the style is unknown.
    """

    min_confidence: float = 0.3
    """Joints from this confidence on are solid, hollow down to a third of it, and left out below."""
    style: str = "person"
    show: bool = False
    """Videos and cameras also come in a window."""

    def __post_init__(self) -> None:
        if self.style not in (*STYLES, *ALIASES):
            raise ValueError(f"there is no style {self.style!r} of drawing; there are {', '.join((*STYLES, *ALIASES))}")

    def draw(self, picture: np.ndarray, poses: Poses) -> np.ndarray:
        """The picture (height, width, 3) RGB uint8 with its poses."""
        return draw(picture, poses, min_confidence=self.min_confidence, style=self.style)


@dataclass
class Job:
    """How to look and where to write; and, as it goes on, what was done."""

    estimator: PoseEstimator
    """It has the detector, or the file of boxes in its place."""
    boxes: DetectionsFile | None
    out: Path
    draw: bool
    heatmaps: bool
    look: Look
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
        log.warning(f"left out: {error}")

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
