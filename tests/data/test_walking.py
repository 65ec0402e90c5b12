"""Rendered walks: who is who is told, people move steadily, and some pass behind others."""

from __future__ import annotations

import numpy as np

from rdpose.data.synthetic.walking import Walked, stride, walk


def frames(seed: int = 0, count: int = 12) -> list[Walked]:
    return list(walk(np.random.default_rng(seed), num_people=4, num_frames=count, fps=10, size_wh=(160, 120)))


def test_the_same_seed_gives_the_same_video() -> None:
    first, second = frames(count=2), frames(count=2)
    assert all(np.array_equal(a.scene.picture, b.scene.picture) for a, b in zip(first, second, strict=True))
    assert (first[0].scene.picture != first[1].scene.picture).any()


def test_people_keep_their_identity_and_their_pace() -> None:
    walks: dict[int, list[float]] = {}
    for walked in frames():
        assert len(walked.ids) == len(walked.scene.people) == len(set(walked.ids.tolist()))
        for identity, person in zip(walked.ids.tolist(), walked.scene.people, strict=True):
            walks.setdefault(identity, []).append(float(person.joints[11:13, 0].mean()))
    steady = [np.diff(xs) for xs in walks.values() if len(xs) == 12]
    assert steady
    for steps in steady:
        assert np.abs(steps).min() > 0.1
        assert np.ptp(steps) < 1.0


def test_people_pass_behind_others() -> None:
    hidden = [person.visible_fraction for w in frames() for person in w.scene.people]
    assert min(hidden) < 0.5


def test_legs_swing_against_each_other() -> None:
    legs = stride(np.pi / 2, to_the_right=True).rotations[7:9, 0]
    assert legs[0] * legs[1] < 0
