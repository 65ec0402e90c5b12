"""People as columns: rows in the order of pictures, neighbours, selection, other joints, several sources."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from rdpose import skeletons
from rdpose.data.people import IMAGE_COLUMNS, PERSON_COLUMNS, People, assemble, concatenate, reorder

THREE = skeletons.from_names(["head", "left_hip", "right_hip"], name="three")


def some_people(root: str = "images") -> People:
    """Five people: rows 0, 1, 2 in picture 0 (2 is a group), none in 1, rows 3, 4 in picture 2 (3 is unlabelled)."""
    visible = np.array([[0, 0, 0], [2, 1, 0], [2, 2, 2], [0, 0, 1], [2, 2, 2]])
    return assemble(
        image_index=np.array([2, 0, 0, 2, 0]),
        box_xywh=np.arange(20).reshape(5, 4) + 1,
        joints=np.arange(30).reshape(5, 3, 2),
        visible=visible,
        crowd=np.array([False, False, False, False, True]),
        person_id=np.array([50, 10, 20, 40, 30]),
        image_id=np.array([7, 8, 9]),
        image_name=np.array(["a.jpg", "sub/b.jpg", "c.jpg"]),
        image_root=root,
        skeleton=THREE,
    )


def test_rows_are_sorted_by_picture_and_keep_their_order() -> None:
    people = some_people()
    assert people.person_id.tolist() == [10, 20, 30, 50, 40]
    assert people.image_index.tolist() == [0, 0, 0, 2, 2]
    assert people.box_xywh[3].tolist() == [1, 2, 3, 4]
    assert people.joints[3].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert (len(people), people.num_images) == (5, 3)


def test_types_and_what_is_completed() -> None:
    people = some_people()
    expected = {
        "image_index": "int32",
        "box_xywh": "float32",
        "joints": "float32",
        "visible": "uint8",
        "area": "float32",
        "score": "float32",
        "person_id": "int64",
        "crowd": "bool",
        "image_id": "int64",
        "image_size": "int32",
        "image_source": "int32",
    }
    assert {name: str(getattr(people, name).dtype) for name in expected} == expected
    assert people.area[3] == pytest.approx(0.53 * 3 * 4)
    assert people.score.tolist() == [1] * 5
    assert not people.image_size.any()
    unlabelled = assemble(
        image_index=np.zeros(2),
        box_xywh=np.ones((2, 4)),
        image_id=np.zeros(1),
        image_name=np.array(["a"]),
        image_root=".",
        skeleton=THREE,
    )
    assert unlabelled.visible.shape == (2, 3)
    assert len(unlabelled.trainable()) == 0


@pytest.mark.parametrize(("image", "rows"), [(0, [0, 1, 2]), (1, []), (2, [3, 4])])
def test_people_of_a_picture(image: int, rows: list[int]) -> None:
    assert some_people().people_of(image).tolist() == rows


@pytest.mark.parametrize(("person", "others"), [(0, [1]), (1, [0]), (2, [0, 1]), (3, [4]), (4, [3])])
def test_others_are_single_people_of_the_same_picture(person: int, others: list[int]) -> None:
    assert some_people().others_in_picture(person).tolist() == others


def test_trainable_people_have_a_joint_and_are_no_group() -> None:
    assert some_people().trainable().tolist() == [0, 1, 4]


def test_selection_keeps_the_pictures() -> None:
    people = some_people()
    for rows in (np.array([True, False, False, True, False]), np.array([0, 3])):
        chosen = people.select(rows)
        assert chosen.person_id.tolist() == [10, 50]
        assert chosen.num_images == 3
        assert chosen.people_of(2).tolist() == [1]
    assert len(people.select(np.zeros(5, bool))) == 0


def test_other_joints_are_matched_by_name() -> None:
    wanted, people = skeletons.from_names(["right_hip", "nose", "Head"]), some_people()
    joints, visible = reorder(people.joints, people.visible, wanted.columns_in(THREE))
    assert joints[3].tolist() == [[4, 5], [0, 0], [0, 1]]
    assert visible[0].tolist() == [0, 0, 2]
    assert (reorder(joints, visible, THREE.columns_in(wanted))[1][:, 1] == 0).all()


def test_sources_one_after_the_other() -> None:
    both = concatenate([some_people("a"), some_people("b.zip@"), some_people("c")])
    assert both.image_index.tolist() == [0, 0, 0, 2, 2, 3, 3, 3, 5, 5, 6, 6, 6, 8, 8]
    assert [both.image_path(i) for i in (0, 4, 8)] == ["a/a.jpg", "b.zip@/sub/b.jpg", "c/c.jpg"]
    assert both.others_in_picture(6).tolist() == [5]
    twice = concatenate([both, some_people("d")])
    assert twice.image_path(9) == "d/a.jpg"
    assert twice.image_roots == ("a", "b.zip@", "c", "d")
    assert some_people("a").image_index.tolist() == [0, 0, 0, 2, 2]


def test_sources_must_have_the_same_joints() -> None:
    other = skeletons.from_names(["nose", "left_hip", "head"])
    with pytest.raises(ValueError, match="different joints"):
        concatenate([some_people(), replace(some_people(), skeleton=other)])
    with pytest.raises(ValueError, match="at least one annotation file"):
        concatenate([])


def test_pickles_and_holds_arrays_alone() -> None:
    people = some_people()
    people.people_of(0)
    again = pickle.loads(pickle.dumps(people))
    for name in (*PERSON_COLUMNS, *IMAGE_COLUMNS):
        column = getattr(people, name)
        assert column.dtype != object
        assert column.tobytes() == getattr(again, name).tobytes()
    assert again.skeleton == people.skeleton


def test_unsorted_or_unequal_columns_are_refused() -> None:
    people = some_people()
    with pytest.raises(AssertionError, match="not sorted"):
        people.select(np.array([3, 0]))
