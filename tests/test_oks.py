"""OKS by hand, suppression against the one-by-one loop of its definition, rescoring."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdpose import oks
from rdpose.skeletons import COCO_17

SIGMAS = np.array(COCO_17.sigmas)


def loop_oks(a: np.ndarray, area_a: float, b: np.ndarray, area_b: float, sigmas: np.ndarray) -> float:
    total = 0.0
    for (xa, ya), (xb, yb), sigma in zip(a, b, sigmas, strict=True):
        squared = (xa - xb) ** 2 + (ya - yb) ** 2
        total += math.exp(-squared / (2 * (2 * sigma) ** 2 * ((area_a + area_b) / 2)))
    return total / len(sigmas)


def loop_nms(joints, scores, areas, image, sigmas, threshold) -> list[int]:
    kept = []
    for picture in sorted(set(image.tolist())):
        rest = sorted(np.flatnonzero(image == picture).tolist(), key=lambda row: -scores[row])
        while rest:
            best, *rest = rest
            kept.append(best)
            rest = [
                row for row in rest if loop_oks(joints[best], areas[best], joints[row], areas[row], sigmas) <= threshold
            ]
    return sorted(kept)


def crowd(rng: np.random.Generator, num: int, num_joints: int = 17, pictures: int = 4):
    """Poses around a few people, some of them near copies, with scores of which some are equal."""
    people = rng.uniform(0, 100, (5, num_joints, 2))
    joints = people[rng.integers(5, size=num)] + rng.normal(size=(num, num_joints, 2)) * rng.choice(
        [0, 0.5, 3, 9], (num, 1, 1)
    )
    return (
        joints,
        rng.integers(0, 8, num) / 8,
        rng.uniform(400, 9000, num),
        rng.integers(pictures, size=num) * 7 - 7,
    )


def test_oks_by_hand() -> None:
    a, b = np.zeros((1, 2, 2)), np.array([[[3.0, 4.0], [0.0, 0.0]]])
    # d^2 = 25 and 0, sigma 0.1, area (200 + 300) / 2: (exp(-25 / (8 * 0.01 * 250)) + 1) / 2
    expected = (math.exp(-25 / 20) + 1) / 2
    assert oks.oks(a, [200], b, [300], [0.1, 0.1]) == pytest.approx(np.array([[expected]]), abs=1e-12)


def test_oks_of_all_pairs_is_the_loop_of_its_formula() -> None:
    rng = np.random.default_rng(0)
    a, _, areas_a, _ = crowd(rng, 6)
    b, _, areas_b, _ = crowd(rng, 4)
    expected = [
        [loop_oks(x, area_x, y, area_y, SIGMAS) for y, area_y in zip(b, areas_b, strict=True)]
        for x, area_x in zip(a, areas_a, strict=True)
    ]
    assert oks.oks(a, areas_a, b, areas_b, SIGMAS) == pytest.approx(np.array(expected), abs=1e-12)


def test_oks_to_truth_counts_labelled_joints_alone() -> None:
    found = np.array([[[0.0, 0.0], [50.0, 50.0], [2.0, 0.0]]])
    truth = np.zeros((3, 3, 2))
    visible = [[2, 0, 1], [2, 2, 2], [0, 0, 0]]
    # person 0: joints 0 and 2, d^2 = 0 and 4, 8 sigma^2 area = 8 * .01 * 100; person 1: joint 1 is far; 2: unlabelled
    near = (1 + math.exp(-4 / 8)) / 2
    expected = [[near, (1 + math.exp(-5000 / 8) + math.exp(-4 / 8)) / 3, 0.0]]
    areas = np.full(3, 100.0)
    assert oks.oks_to_truth(found, truth, visible, areas, [0.1] * 3) == pytest.approx(np.array(expected), abs=1e-12)
    rowwise = oks.oks_to_own(np.repeat(found, 3, axis=0), truth, visible, areas, [0.1] * 3)
    assert rowwise == pytest.approx(np.array(expected[0]), abs=1e-12)


def test_oks_to_truth_looks_at_the_way_between_two_places() -> None:
    """Far from the origin, by the loop; a person of one labelled joint counts by this joint alone."""
    rng = np.random.default_rng(3)
    found, _, _, _ = crowd(rng, 4)
    truth = found[:2] + rng.normal(size=(2, 17, 2)) * 4
    visible = np.stack([np.ones(17), np.arange(17) == 5])
    expected = [
        [loop_oks(one, 900, truth[0], 900, SIGMAS), loop_oks(one[5:6], 900, truth[1, 5:6], 900, SIGMAS[5:6])]
        for one in found
    ]
    assert oks.oks_to_truth(found, truth, visible, [900, 900], SIGMAS) == pytest.approx(np.array(expected), abs=1e-12)
    assert np.diag(expected).min() > 0.2


def test_to_an_annotation_without_area_only_its_own_pose_is_alike() -> None:
    truth = np.ones((1, 2, 2))
    for found, alike in ((truth, 1.0), (truth + 1, 0.0)):
        assert oks.oks_to_truth(found, truth, [[2, 2]], [0], [0.1, 0.1]) == pytest.approx(np.array([[alike]]))


def test_of_poses_without_area_only_equal_ones_are_one() -> None:
    joints = np.stack([np.zeros((17, 2)), np.zeros((17, 2)), np.ones((17, 2))])
    assert oks.oks_nms(joints, [0.9, 0.8, 0.7], np.zeros(3), np.zeros(3), SIGMAS, 0.9).tolist() == [0, 2]


def test_thresholds_are_cocos() -> None:
    assert oks.THRESHOLDS.tolist() == pytest.approx([0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95])
    assert oks.LOOSE == 0.1


def test_oks_with_a_zero_area_is_one_for_equal_poses_and_zero_for_others() -> None:
    pose, other = np.ones((1, 2, 2)), np.full((1, 2, 2), 2.0)
    assert oks.oks(pose, [0], np.concatenate([pose, other]), [0, 0], [0.1, 0.1]) == pytest.approx(np.array([[1, 0]]))


@pytest.mark.parametrize("threshold", [0.0, 0.05, 0.5, 0.9, 0.99, 1.0, 2.0])
@pytest.mark.parametrize("num_joints", [1, 17])
def test_suppression_keeps_what_the_loop_keeps(threshold: float, num_joints: int) -> None:
    rng = np.random.default_rng(int(threshold * 100) + num_joints)
    joints, scores, areas, image = crowd(rng, 60, num_joints)
    sigmas = SIGMAS[:num_joints]
    kept = oks.oks_nms(joints, scores, areas, image, sigmas, threshold)
    assert kept.tolist() == loop_nms(joints, scores, areas, image, sigmas, threshold)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), num=st.integers(0, 25), threshold=st.floats(0, 1))
def test_suppression_keeps_what_the_loop_keeps_on_any_crowd(seed: int, num: int, threshold: float) -> None:
    joints, scores, areas, image = crowd(np.random.default_rng(seed), num, 5, 2)
    kept = oks.oks_nms(joints, scores, areas, image, SIGMAS[:5], threshold)
    assert kept.tolist() == loop_nms(joints, scores, areas, image, SIGMAS[:5], threshold)


def test_suppression_breaks_ties_by_order_and_tells_pictures_apart() -> None:
    joints = np.zeros((4, 17, 2))
    kept = oks.oks_nms(joints, [0.5, 0.5, 0.5, 0.9], np.ones(4), [3, 3, 1, 1], SIGMAS, 0.9)
    assert kept.tolist() == [0, 3]


def test_suppression_of_nothing_is_nothing() -> None:
    assert oks.oks_nms(np.zeros((0, 17, 2)), [], [], [], SIGMAS, 0.9).tolist() == []


def test_rescoring_averages_the_sure_joints() -> None:
    confidences = [[0.1, 0.5, 0.9], [0.1, 0.2, 0.1], [0.3, 0.3, 0.3]]
    assert oks.rescore([0.5, 0.8, 1.0], confidences, 0.2) == pytest.approx([0.5 * 0.7, 0.0, 0.3])
    assert oks.rescore([0.5], [[-1.0, 0.0, 0.4]]) == pytest.approx([0.2])
