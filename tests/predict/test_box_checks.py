"""Boxes that cannot be meant are left out or told, with counts."""

from __future__ import annotations

import numpy as np
import pytest

from rdpose.detection import Detections
from rdpose.predict.box_checks import CheckedDetector, Doubts

PICTURE = np.zeros((50, 100, 3), np.uint8)
GOOD = (10, 5, 60, 45)


@pytest.mark.parametrize(
    ("boxes", "kept", "notes"),
    [
        ([GOOD, (-20, -20, 105, 52.5)], 2, []),
        ([GOOD, (10, 5, 106, 45), (10, 5, 60, 53)], 3, ["2 of 3 boxes end beyond their picture: are they x1 y1 x2 y2"]),
        ([GOOD, (0.1, 0.1, 0.9, 0.9), (5, 5, 6, 40)], 3, ["1 of 3 boxes are smaller than 2 pixels: shares instead"]),
        ([(-20, 5, 0, 45), (10, -9, 60, 0)], 0, ["2 of 2 boxes lie outside their picture and were left out"]),
        ([GOOD, (100, 5, 104, 45)], 1, ["1 of 2 boxes lie outside"]),
        ([(200, 5, 240, 45)], 0, ["1 of 1 boxes end beyond", "1 of 1 boxes lie outside"]),
        ([], 0, []),
    ],
)
def test_what_is_left_out_and_told(boxes: list[tuple[float, ...]], kept: int, notes: list[str]) -> None:
    doubts = Doubts()
    found = Detections(np.array(boxes, np.float32).reshape(-1, 4), np.ones(len(boxes), np.float32))
    assert [len(column) for column in doubts.sift(found, PICTURE, 0.3)] == [kept, kept]
    told = list(doubts.notes(0.3))
    assert len(told) == len(notes)
    assert all(sentence.startswith(start) for sentence, start in zip(told, notes, strict=True))


def test_boxes_below_the_score_are_counted_and_told() -> None:
    """Also where others reach it; where none does, the remedy is named."""
    scores = np.array([0.05, 0.1, 0.9, 0.3], np.float32)
    detector = CheckedDetector(lambda picture, name="": Detections(np.array([GOOD] * 4, np.float32), scores), 0.3)
    scores[2:] = 0.2
    assert not len(detector(PICTURE).scores)
    assert list(detector.doubts.notes(0.3)) == [
        "4 boxes lie below --min-score 0.3 (the best 0.20) and were left out; lower it"
    ]
    scores[2:] = 0.9, 0.3
    assert [len(one.scores) for one in detector.many([PICTURE, PICTURE], ["", ""])] == [2, 2]
    assert list(detector.doubts.notes(0.3)) == ["8 boxes lie below --min-score 0.3 (the best 0.20) and were left out"]
    one = CheckedDetector(lambda picture, name="": Detections(np.array([GOOD], np.float32), scores[:1]), 0.3)
    one(PICTURE)
    assert next(one.doubts.notes(0.3)).startswith("1 box lies below")
