"""Each kind of error by hand, in a picture of two people far enough apart."""

import numpy as np
import pytest

from rdpose.data.people import People, assemble
from rdpose.report import errors
from rdpose.report.matching import NOBODY, Found
from rdpose.skeletons import from_names

SKELETON = from_names(["nose", "left_hand", "right_hand"], sigmas=[0.1, 0.1, 0.1])
AREA = 10000.0
OWN = np.array([[100.0, 100.0], [60.0, 100.0], [140.0, 100.0]])
OTHER = OWN + np.array([300, 0])


def two_people(visible=((2, 2, 2), (2, 2, 2))) -> People:
    return assemble(
        image_index=np.zeros(2, int),
        box_xywh=np.array([[40, 80, 120, 40], [340, 80, 120, 40]]),
        image_id=np.array([1]),
        image_name=np.array(["a.jpg"]),
        image_root="",
        skeleton=SKELETON,
        joints=np.stack([OWN, OTHER]),
        visible=np.array(visible),
        area=np.full(2, AREA),
    )


def found(joints) -> Found:
    joints = np.asarray(joints, float)[None]
    return Found(np.zeros(1, int), joints, np.ones((1, 3)), np.ones(1), np.array([NOBODY]))


def distance(similarity: float) -> float:
    """Pixels at which exp(-d^2 / (8 sigma^2 area)) is the similarity."""
    return float(np.sqrt(-np.log(similarity) * 8 * 0.1**2 * AREA))


@pytest.mark.parametrize(
    ("left_hand", "kind"),
    [
        (OWN[1], "good"),
        (OWN[1] + (0, distance(0.86)), "good"),
        (OWN[1] + (0, distance(0.84)), "jitter"),
        (OWN[1] + (0, distance(0.51)), "jitter"),
        (OWN[1] + (0, distance(0.49)), "miss"),
        (OWN[2] + (0, 3), "inversion"),
        (OTHER[1], "swap"),
        (OTHER[2] + (2, 0), "swap"),
        (OTHER[0], "miss"),
        ((250, 100), "miss"),
    ],
)
def test_kinds_by_hand(left_hand, kind):
    joints = OWN.copy()
    joints[1] = left_hand
    kinds = errors.classify(found(joints), two_people(), np.array([0]))[0]
    assert [errors.KINDS[k] for k in kinds] == ["good", kind, "good"]


def test_unlabelled_joints_and_people_who_are_not_found_are_not_judged():
    hidden = two_people(((2, 0, 1), (2, 2, 2)))
    assert errors.classify(found(OWN), hidden, np.array([0])).tolist() == [[errors.GOOD, errors.UNJUDGED, errors.GOOD]]
    assert errors.classify(found(OWN), hidden, np.array([NOBODY])).tolist() == [[errors.UNJUDGED] * 3]


def test_putting_right_moves_joints_of_one_kind_alone():
    joints = OWN.copy()
    joints[1], joints[2] = OTHER[1], (250, 100)
    given = found(joints)
    kinds = errors.classify(given, two_people(), np.array([0]))
    right = errors.put_right(given, two_people(), np.array([0]), kinds, errors.SWAP)
    assert np.array_equal(right[0], [OWN[0], OWN[1], joints[2]])


def test_shares_sum_to_one_and_are_nan_where_nothing_is_judged():
    kinds = np.array([[0, 3, -1], [0, 4, -1], [1, 4, -1]])
    shares = errors.shares(kinds)
    assert np.allclose(shares[:2], [[2 / 3, 1 / 3, 0, 0, 0], [0, 0, 0, 1 / 3, 2 / 3]])
    assert np.isnan(shares[2]).all()
