"""People keep their identity when they walk, cross, and are out of sight for a second."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rdpose.inference.tracking import Tracker
from rdpose.skeletons import COCO_17
from rdpose.structures import Poses

FPS = 25
SHAPE = np.random.default_rng(0).uniform((0, 0), (30, 80), (17, 2))


def person(x: float, y: float = 10.0) -> tuple[np.ndarray, np.ndarray]:
    """Joints (17, 2) and box (4,) of somebody of 30 x 80 pixels at (x, y)."""
    return SHAPE + np.array([x, y]), np.array([x, y, x + 30, y + 80])


def at(*people: tuple[np.ndarray, np.ndarray]) -> Poses:
    if not people:
        return Poses.empty()
    joints, boxes = (np.array(column) for column in zip(*people, strict=True))
    return Poses(joints, np.ones(joints.shape[:2]), np.ones(len(joints)), boxes, COCO_17)


def follow(places: Callable[[float], list], frames: int = 75) -> list[list[int]]:
    """Identities of each frame; `places` gives the people at a time."""
    tracker = Tracker()
    return [tracker.update(at(*places(i / FPS)), i / FPS).tolist() for i in range(frames)]


def test_everybody_has_a_number_and_keeps_it() -> None:
    found = follow(lambda t: [person(60 * t), person(300 - 40 * t, 200)])
    assert found == [[1, 2]] * 75


def test_the_order_of_rows_says_nothing() -> None:
    tracker = Tracker()
    assert tracker.update(at(person(0), person(100)), 0).tolist() == [1, 2]
    assert tracker.update(at(person(101), person(1)), 0.04).tolist() == [2, 1]


@pytest.mark.parametrize("gone", [0.2, 0.5, 1.0])
def test_out_of_sight_for_up_to_a_second_in_motion(gone: float) -> None:
    """Further away than boxes reach: only the velocity leads there."""
    found = follow(lambda t: [] if 1 < t < 1 + gone else [person(80 * t)])
    assert {identity for frame in found for identity in frame} == {1}


def test_who_comes_after_the_patience_is_new() -> None:
    tracker = Tracker(patience=1.0)
    assert [tracker.update(at(person(0)), seconds).tolist() for seconds in (0, 1.0)] == [[1], [1]]
    assert tracker.update(at(person(0)), 2.5).tolist() == [2]
    assert len(tracker.tracks) == 1


def test_crossing_people_do_not_exchange_their_numbers() -> None:
    """The one behind is not seen while the boxes overlap by more than half."""

    def places(t: float) -> list:
        left, right = person(80 * t), person(160 - 80 * t)
        return [left] if abs(left[1][0] - right[1][0]) < 12 else [left, right]

    found = follow(places, 50)
    assert found[0] == found[-1] == [1, 2]
    assert {identity for frame in found for identity in frame} == {1, 2}


def test_somebody_elsewhere_is_somebody_new() -> None:
    tracker = Tracker()
    tracker.update(at(person(0)), 0)
    assert tracker.update(at(person(300)), 0.04).tolist() == [2]


def test_nobody_and_frames_of_the_same_time() -> None:
    tracker = Tracker()
    assert tracker.update(at(), 0).tolist() == []
    assert [tracker.update(at(person(0)), 1.0).tolist() for _ in range(2)] == [[1], [1]]
    with pytest.raises(ValueError, match="give frames in their order"):
        tracker.update(at(person(0)), 0.5)


def test_the_box_moves_on_with_the_person() -> None:
    """A pose unlike the last one, a step away: only the box says who it is."""
    tracker = Tracker()
    for frame in (0, 1):
        tracker.update(at(person(12 * frame)), frame / FPS)
    joints, box = person(24)
    assert tracker.update(at((joints[::-1].copy(), box)), 2 / FPS).tolist() == [1]


def test_memory_does_not_grow_with_the_video() -> None:
    tracker = Tracker()
    for i in range(500):
        tracker.update(at(person(1000 * i)), i / FPS)
    assert len(tracker.tracks) <= tracker.patience * FPS + 1


def test_the_first_step_is_the_velocity_and_later_ones_are_averaged() -> None:
    tracker = Tracker()
    for frame, x in enumerate((0, 4, 12)):
        tracker.update(at(person(x)), frame / FPS)
        if frame == 1:
            assert tracker.tracks[0].velocity == pytest.approx([100, 0])
    # known for 0.04 s, the second step weighs 1 - exp(-1); known for longer, over 0.4 s
    assert tracker.tracks[0].velocity[0] == pytest.approx(100 + 100 * (1 - np.exp(-1)), abs=1e-3)
    for frame in range(3, 20):
        tracker.update(at(person(12)), frame / FPS)
    before = tracker.tracks[0].velocity[0]
    tracker.update(at(person(20)), 20 / FPS)
    assert tracker.tracks[0].velocity[0] == pytest.approx(before + (1 - np.exp(-0.1)) * (200 - before), abs=1e-3)


@pytest.mark.parametrize("gone", [0.0, 0.04, 0.25, 0.5])
def test_who_is_the_same_by_hand(gone: float) -> None:
    """From half the boxes' overlap and half the OKS of 0.2 on; OKS forgives four times as much size for each second."""
    area = 30 * 80 * (1 + (1 + 4 * gone) ** 2) / 2
    verdicts = set()
    for step in np.arange(4, 28, 0.5):
        alike = np.mean([np.exp(-(step**2) / (8 * sigma**2 * area)) for sigma in COCO_17.sigmas])
        similarity = 0.5 * (30 - step) / (30 + step) + 0.5 * alike
        if abs(similarity - 0.2) < 1e-3:
            continue
        tracker = Tracker()
        tracker.update(at(person(0)), 1)
        (identity,) = tracker.update(at(person(step)), 1 + gone).tolist()
        assert identity == (1 if similarity > 0.2 else 2), step
        verdicts.add(identity)
    assert verdicts == {1, 2}


def test_who_was_out_of_sight_may_be_further_away_than_the_next_frames_person() -> None:
    """At 26 pixels the boxes hardly overlap, and of 30 x 80 pixels the pose is another one, unless a second went by."""
    for gone, identity in ((1 / FPS, 2), (1.0, 1)):
        tracker = Tracker()
        tracker.update(at(person(0)), 0)
        assert tracker.update(at(person(26)), gone).tolist() == [identity]
