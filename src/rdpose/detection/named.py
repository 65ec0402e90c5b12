"""A detector by its name, opened when the first picture comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rdpose import detection
from rdpose.config.defaults import MIN_SCORE
from rdpose.detection.detections import Detections, Detector, find_all


@dataclass(frozen=True)
class NamedDetector:
    """What `detection.load` gives for the same arguments, loaded at its first use.

    Raises:
        FileNotFoundError, ValueError: as `detection.check_name`.
    """

    name: str | None = None
    min_score: float = MIN_SCORE
    device: str | None = None

    def __post_init__(self) -> None:
        detection.check_name(self.name)

    @cached_property
    def opened(self) -> Detector:
        """The detector itself; raises as `detection.load` does."""
        return detection.load(self.name, min_score=self.min_score, device=self.device)

    def __call__(self, picture: np.ndarray, name: str = "") -> Detections:
        """The people in a picture (height, width, 3) RGB uint8."""
        return self.opened(picture, name)

    def many(self, pictures: Sequence[np.ndarray], names: Sequence[str]) -> list[Detections]:
        """The people in each of several pictures."""
        return find_all(self.opened, pictures, names)

    def __str__(self) -> str:
        if self.name == detection.WHOLE:
            return "the whole picture as one person"
        return f"{self.name or 'the bundled detector'} from score {self.min_score:g} on"
