"""IDF1 by hand."""

from __future__ import annotations

import numpy as np
import pytest

from rdpose.evaluation.identities import identity_scores

A, B, FAR = [0, 0, 10, 20], [30, 0, 40, 20], [90, 90, 99, 99]


def frames(*people: dict[int, list[int]]) -> list:
    return [(np.array(list(frame), int), np.array(list(frame.values()), float).reshape(-1, 4)) for frame in people]


TRUTH = frames({1: A, 2: B}, {1: A, 2: B}, {1: A, 2: B}, {1: A, 2: B})


@pytest.mark.parametrize(
    ("found", "true", "false", "missed", "switches"),
    [
        (frames(*[{7: A, 5: B}] * 4), 8, 0, 0, 0),
        # exchanged for the last frame: 3 of 4 boxes of each agree with the best assignment
        (frames(*[{7: A, 5: B}] * 3, {5: A, 7: B}), 6, 2, 2, 2),
        # a new identity for the second half of one person, who keeps the half that is longer or first
        (frames({7: A, 5: B}, {7: A, 5: B}, {7: A, 6: B}, {7: A, 6: B}), 6, 2, 2, 1),
        # misses and a false alarm
        (frames({7: A}, {7: A, 5: B}, {7: A, 9: FAR}, {7: A}), 5, 1, 3, 0),
        (frames({}, {}, {}, {}), 0, 0, 8, 0),
    ],
)
def test_by_hand(found: list, true: int, false: int, missed: int, switches: int) -> None:
    scores = identity_scores(TRUTH, found)
    assert (scores.true, scores.false, scores.missed, scores.switches) == (true, false, missed, switches)
    assert scores.idf1 == pytest.approx(2 * true / (2 * true + false + missed))


def test_one_answer_for_two_people_counts_for_one() -> None:
    found = frames({7: A}, {7: A}, {7: B}, {7: B})
    assert identity_scores(TRUTH, found).true == 2


def test_boxes_must_overlap_by_half() -> None:
    truth = frames({1: [0, 0, 10, 10]})
    assert identity_scores(truth, frames({1: [0, 0, 10, 5]})).true == 1
    assert identity_scores(truth, frames({1: [0, 0, 10, 4.9]})).true == 0
    half = [{number: [0, 0, 10, 5]} for number in (7, 8)]
    assert identity_scores(truth * 2, frames(*half)).switches == 1


def test_of_two_boxes_in_reach_the_nearer_tells_who_it_is() -> None:
    beside = [2, 0, 12, 20]
    scores = identity_scores(frames({1: A, 2: beside}, {1: A}), frames({7: A, 5: beside}, {7: A}))
    assert (scores.true, scores.switches) == (3, 0)


def test_nothing_to_tell_and_numbers_of_frames() -> None:
    assert identity_scores(frames({}), frames({})).idf1 == 1
    with pytest.raises(ValueError, match="argument"):
        identity_scores(TRUTH, frames({}))
