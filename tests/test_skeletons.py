"""Joint sets: the built-in ones, those of files, and what is said about wrong ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from rdpose import skeletons

BUILT_IN = list(skeletons.SKELETONS.values())


@pytest.mark.parametrize("skeleton", BUILT_IN, ids=lambda skeleton: skeleton.name)
def test_built_in(skeleton: skeletons.Skeleton) -> None:
    assert (skeleton.flip_order[skeleton.flip_order] == np.arange(skeleton.num_joints)).all()
    for left, right in skeleton.flip_pairs:
        assert {skeleton.joints[left][:4], skeleton.joints[right][:4]} == {"left", "righ"}
        assert skeleton.sigmas[left] == skeleton.sigmas[right]
    assert {end for limb in skeleton.limbs for end in limb} == set(range(skeleton.num_joints))
    assert sorted(skeletons.get(skeleton.name).joints) == sorted(skeleton.joints)


def test_numbers_of_the_field() -> None:
    coco = "26 25 25 35 35 79 79 72 72 62 62 107 107 87 87 89 89"
    crowdpose = "79 79 72 72 62 62 107 107 87 87 89 89 79 79"
    for skeleton, expected in ((skeletons.COCO_17, coco), (skeletons.CROWDPOSE_14, crowdpose)):
        assert skeleton.sigmas == pytest.approx([int(sigma) / 1000 for sigma in expected.split()])
    upper = {s.name: s.upper_body for s in BUILT_IN}
    assert upper == {"coco": tuple(range(11)), "crowdpose": (0, 1, 2, 3, 4, 5, 12, 13), "mpii": tuple(range(7, 16))}


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["nose", "left_eye", "right_eye"], [(1, 2)]),
        (["Right Hip", "Left Hip", "Head top"], [(0, 1)]),
        (["l_hip", "neck", "r_hip", "L-Knee", "R-Knee"], [(0, 2), (3, 4)]),
        (["hip_r", "hip_l"], [(0, 1)]),
        (["LeftPaw", "RightPaw"], [(0, 1)]),
        (["left_ear", "tail", "collar"], []),
        (["Shoulder.L", "Shoulder.R"], [(0, 1)]),
        (["l shoulder", "r shoulder", "shoulder"], [(0, 1)]),
        (["upper.arm.R", "l_upper_arm"], [(0, 1)]),
    ],
)
def test_flip_pairs_from_names(names: list[str], pairs: list[tuple[int, int]]) -> None:
    assert skeletons.find_flip_pairs(names) == pairs


@pytest.mark.parametrize("name", ["Shoulder.L", "l shoulder", "shoulder_l", "L-Shoulder", "shoulder left"])
def test_one_rule_says_which_joint_a_name_means(name: str) -> None:
    """Mirrored, taken over from other sets, and named in settings: all three ask for the one normal name."""
    own = skeletons.from_names(["nose", name])
    assert skeletons.COCO_17.columns_in(own)[skeletons.COCO_17.joints.index("left_shoulder")] == 1
    assert own.places([name]) == own.places(["left_shoulder"]) == (1,)


@pytest.mark.parametrize(
    ("name", "normal"),
    [("L", "l"), ("Head top", "head_top"), ("left to right", "left_to_right"), ("tail.", "tail")],
)
def test_names_without_one_side_keep_their_order(name: str, normal: str) -> None:
    assert skeletons.normal_name(name) == normal


def test_columns_in_another_set() -> None:
    columns = skeletons.CROWDPOSE_14.columns_in(skeletons.COCO_17)
    assert columns.tolist() == [*range(5, 17), -1, -1]


@pytest.mark.parametrize("skeleton", BUILT_IN, ids=lambda skeleton: skeleton.name)
def test_through_json_and_yaml(skeleton: skeletons.Skeleton, tmp_path: Path) -> None:
    content = skeletons.to_dict(skeleton)
    assert skeletons.from_dict(json.loads(json.dumps(content))) == skeleton
    path = tmp_path / "joints.yaml"
    path.write_text(yaml.safe_dump(content))
    assert skeletons.get(str(path)) == skeleton


def test_a_short_file(tmp_path: Path) -> None:
    path = tmp_path / "hand.yml"
    path.write_text(
        "joints: [wrist, Left Thumb, right_thumb]\nlimbs: [[wrist, left_thumb], [0, 2]]\nsigmas: {wrist: 0.05}\n"
    )
    hand = skeletons.get(str(path))
    assert (hand.name, hand.joints) == ("hand", ("wrist", "left_thumb", "right_thumb"))
    assert (hand.limbs, hand.flip_pairs) == (((0, 1), (0, 2)), ((1, 2),))
    assert hand.sigmas == (0.05, skeletons.DEFAULT_SIGMA, skeletons.DEFAULT_SIGMA)
    assert hand.upper_body == (0, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "has no list `joints`"),
        ([], "has no list `joints`"),
        ({"joints": 5}, "is not a skeleton"),
        ({"joints": ["a", "A"]}, "not unique"),
        ({"joints": ["a"], "limb": []}, "unknown key limb"),
        ({"joints": ["a", "b"], "limbs": [["a", "c"]]}, "c is not one of its joints"),
        ({"joints": ["a", "b"], "limbs": [[0, 2]]}, "is not one of its joints"),
        ({"joints": ["a", "b"], "limbs": ["a"]}, "is not a skeleton"),
        ({"joints": ["a", "b"], "sigmas": [0.1]}, "1 sigmas for 2 joints"),
        ({"joints": ["a", "b"], "sigmas": {"c": 0.1}}, "c is not one of its joints"),
    ],
)
def test_wrong_content_names_the_file(content: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        skeletons.from_dict(content, source="own.yaml")
    assert "own.yaml" in str(error.value)


def test_wrong_names_and_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown skeleton 'cocoa'; there are coco, crowdpose, mpii"):
        skeletons.get("cocoa")
    with pytest.raises(FileNotFoundError, match=r"none\.yaml does not exist"):
        skeletons.get(str(tmp_path / "none.yaml"))
    (tmp_path / "bad.yaml").write_text("joints: [a, b")
    with pytest.raises(ValueError, match=r"bad\.yaml is not YAML"):
        skeletons.get(str(tmp_path / "bad.yaml"))


def test_categories() -> None:
    coco = skeletons.from_category({"keypoints": list(skeletons.COCO_17.joints), "skeleton": [[1, 2]]})
    assert coco is skeletons.COCO_17
    own = skeletons.from_category(
        {"keypoints": ["Head", "l_hip", "r_hip"], "skeleton": [[1, 2], [3, 4], [0, 1]]}, "pet"
    )
    assert (own.name, own.joints, own.limbs) == ("pet", ("head", "left_hip", "right_hip"), ((0, 1),))
    assert own.flip_pairs == ((1, 2),)


@pytest.mark.parametrize(
    ("those", "told"),
    [
        (["a", "b"], ""),
        (["a", "c"], "joint 2 is b and c"),
        (["a", "b", "c"], "joint 3 is none and c"),
        ([], "joint 1 is a and none"),
    ],
)
def test_where_two_lists_of_joints_part(those: list[str], told: str) -> None:
    assert skeletons.difference(["a", "b"], those) == told


@pytest.mark.parametrize(
    ("limbs", "read"), [([[1, 2], [2, 3]], ((0, 1), (1, 2))), ([[0, 1], [1, 2]], ((0, 1), (1, 2))), (None, ())]
)
def test_limbs_of_a_category_from_1_or_from_0(limbs: Any, read: tuple) -> None:
    assert skeletons.from_category({"keypoints": ["a", "b", "c"], "skeleton": limbs}).limbs == read


@pytest.mark.parametrize("limbs", [[["a", "b"]], [[1, 2, 3]], [5], [[1, None]]])
def test_limbs_that_are_no_pairs_are_refused(limbs: Any) -> None:
    with pytest.raises(ValueError, match="tools: `skeleton` of a category is not a list of pairs of numbers"):
        skeletons.from_category({"keypoints": ["a", "b", "c"], "skeleton": limbs}, name="tools")
