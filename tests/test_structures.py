"""Poses behave like a table of people, and go to COCO, to supervision and onto pictures."""

import json
import subprocess
import sys

import numpy as np
import pytest

from rdpose import drawing, skeletons
from rdpose import structures as poses_module
from rdpose.skeletons import COCO_17, CROWDPOSE_14
from rdpose.structures import Poses


def some(count: int = 4, ids: bool = False, skeleton: skeletons.Skeleton = COCO_17) -> Poses:
    rng = np.random.default_rng(count)
    joints = rng.uniform(20, 180, (count, skeleton.num_joints, 2))
    confidence = rng.uniform(0.4, 1, joints.shape[:2])
    boxes = np.tile([10.0, 10.0, 190.0, 190.0], (count, 1))
    numbers = np.arange(count) + 7 if ids else None
    return Poses(joints, confidence, np.linspace(0.9, 0.3, count), boxes, skeleton, numbers)


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        (0, [0]),
        (-1, [3]),
        (np.int64(2), [2]),
        (slice(1, 3), [1, 2]),
        ([3, 0], [3, 0]),
        ([], []),
        (np.array([True, False, True, False]), [0, 2]),
        ([False, True, False, False], [1]),
    ],
)
def test_indexing_gives_poses(rows, kept):
    people = some(ids=True)
    chosen = people[rows]
    assert len(chosen) == len(kept)
    for name in ("joints", "joint_scores", "scores", "boxes_xyxy", "ids"):
        assert np.array_equal(getattr(chosen, name), getattr(people, name)[kept])


def test_iterating_gives_one_person_at_a_time_and_ends():
    people = some(3)
    assert [float(person.scores[0]) for person in people] == people.scores.tolist()
    with pytest.raises(IndexError, match="person 3 of 3"):
        people[3]


@pytest.mark.parametrize(
    ("people", "text"),
    [
        (some(2), "Poses(2 people, 17 joints of 'coco', scores 0.90 to 0.30)"),
        (some(1, ids=True), "Poses(1 person, 17 joints of 'coco', score 0.90, ids [7])"),
        (Poses.empty(CROWDPOSE_14), "Poses(0 people, 14 joints of 'crowdpose')"),
    ],
)
def test_repr_says_what_there_is(people, text):
    assert repr(people) == text


def test_columns_are_float32_and_must_fit():
    people = some()
    assert people.joints.dtype == people.scores.dtype == np.float32
    with pytest.raises(ValueError, match=r"Poses.joints has shape \(2, 14, 2\): expected \(2, 17, 2\)"):
        Poses(np.zeros((2, 14, 2)), np.zeros((2, 17)), np.zeros(2), np.zeros((2, 4)), COCO_17)


def test_joint_by_name():
    people = some()
    assert np.array_equal(people.joint("left_wrist"), people.joints[:, 9])
    with pytest.raises(ValueError, match=r"no joint 'tail'.*nose"):
        people.joint("tail")


@pytest.mark.parametrize("ids", [False, True])
def test_coco_results_survive_json_and_come_back(tmp_path, ids):
    people = some(ids=ids)
    results = people.to_coco(785)
    keys = {"image_id", "category_id", "keypoints", "score", "box"}
    assert set(results[0]) == keys | ({"track_id"} if ids else set())
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results + some(1).to_coco("street.jpg") + Poses.empty().to_coco(1)))
    back = poses_module.read_results(path)
    assert list(back) == ([785, "street.jpg"])
    assert np.allclose(back[785].joints, people.joints, atol=1e-3)
    assert np.allclose(back[785].joint_scores, people.joint_scores, atol=1e-4)
    assert np.allclose(back[785].boxes_xyxy, people.boxes_xyxy, atol=0.01)
    assert (back[785].ids is None) != ids
    bare = [{key: value for key, value in row.items() if key != "box"} for row in results]
    assert np.allclose(Poses.from_coco(bare, COCO_17).boxes_xyxy[:, :2], people.joints.min(axis=1), atol=1e-3)


def test_results_of_other_joint_sets(tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(some(2, skeleton=CROWDPOSE_14).to_coco(1)))
    assert poses_module.read_results(path)[1].skeleton is CROWDPOSE_14
    with pytest.raises(ValueError, match=r"results\.json.*42 keypoint numbers.*17 joints of coco"):
        poses_module.read_results(path, COCO_17)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not a whole JSON file"),
        ('{"images": []}', "not a COCO results file"),
        ('[{"image_id": 1}]', "image_id and keypoints"),
        ('[{"image_id": 1, "keypoints": [1, 2, 3]}]', "no built-in set"),
    ],
)
def test_wrong_files_are_named(tmp_path, content, message):
    path = tmp_path / "wrong.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=rf"wrong\.json.*{message}"):
        poses_module.read_results(path)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json does not exist"):
        poses_module.read_results(tmp_path / "nowhere.json")


def test_an_empty_file_of_results_is_nobody(tmp_path):
    path = tmp_path / "none.json"
    path.write_text("[]")
    assert poses_module.read_results(path) == {}


def test_supervision():
    supervision = pytest.importorskip("supervision")
    people = some(3, ids=True)
    points = people.to_supervision()
    assert isinstance(points, supervision.KeyPoints)
    assert np.array_equal(points.xy, people.joints)
    assert len(Poses.empty().to_supervision()) == 0


def test_missing_supervision_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(ImportError, match="pip install supervision"):
        some().to_supervision()


def test_joints_are_drawn_by_their_confidence():
    """Not at all, hollow, solid; each as `draw_poses` draws it from .3 on, and otherwise than without confidences."""
    picture, sure = np.full((200, 200, 3), 60, np.uint8), some(1)
    columns = (sure.scores, sure.boxes_xyxy)
    unseen = Poses(sure.joints, np.zeros((1, 17)), *columns)
    assert np.array_equal(poses_module.draw(picture, unseen), picture)
    mixed = Poses(sure.joints, np.linspace(0.05, 0.9, 17)[None], *columns)
    drawn = poses_module.draw(picture, mixed)
    colors = drawing.person_colors([0])
    without, by_hand = (
        drawing.draw_poses(picture, mixed.joints, confidence, COCO_17, min_confidence=0.3, colors=colors)
        for confidence in (None, mixed.joint_scores)
    )
    assert np.array_equal(drawn, by_hand)
    assert not np.array_equal(drawn, without)
    assert np.array_equal(poses_module.draw(picture, sure), without)


def test_people_keep_their_colour_when_their_row_changes():
    picture = np.full((200, 200, 3), 60, np.uint8)
    people = some(3, ids=True)
    together, alone = poses_module.draw(picture, people), poses_module.draw(picture, people[1])
    nameless = Poses(people.joints, people.joint_scores, people.scores, people.boxes_xyxy)[1]
    x, y = people[1].joints[0, 0].round().astype(int)
    assert not np.array_equal(alone[y, x], poses_module.draw(picture, nameless)[y, x])
    assert np.array_equal(alone[y, x], drawing.person_colors([8])[0])
    assert (poses_module.draw(picture, people, boxes=True) != together).any()


def test_no_torch_is_needed():
    code = "import sys, rdpose.structures; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
