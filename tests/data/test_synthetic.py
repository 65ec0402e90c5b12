"""Rendered crowds: what they say about a picture is what was painted."""

from __future__ import annotations

import numpy as np
import pytest

from rdpose.data.synthetic import Scene, render_scene, scene_rng
from rdpose.data.synthetic.actors import Actor, act
from rdpose.data.synthetic.clothing import sample_outfit
from rdpose.data.synthetic.figures import Build, pose_figure
from rdpose.data.synthetic.patterns import bands
from rdpose.data.synthetic.poses import NUM_ROTATIONS, SHOULDERS, Pose, sample_pose
from rdpose.data.synthetic.scenes import MIN_VISIBLE, bring_hidden_forward, compose, paint_cast
from rdpose.skeletons import COCO_17

SIZE = (160, 120)
LIGHT = np.array([0.0, -1.0])
LEFT, RIGHT = (
    [i for i, name in enumerate(COCO_17.joints) if name.startswith(f"{side}_") and "hip" not in name]
    for side in ("left", "right")
)


def actor(x: float, scale: float = 80.0, yaw: float = 0.0, y: float = 65.0) -> Actor:
    outfit = sample_outfit(np.random.default_rng(0))
    return act(pose_figure(Build(), standing(yaw)), outfit, scale=scale, offset=np.array([x, y]))


def standing(yaw: float) -> Pose:
    """Upright with hanging arms, turned by `yaw` radians."""
    rotations = np.zeros((NUM_ROTATIONS, 3))
    rotations[SHOULDERS, 2] = np.radians((10, -10))
    return Pose(rotations, yaw)


def scene_of(*actors: Actor) -> Scene:
    return compose(np.full((*SIZE[::-1], 3), 90, np.uint8), paint_cast(list(actors), SIZE, light=LIGHT))


def scenes(count: int = 12, **options) -> list[Scene]:
    return [render_scene(scene_rng(3, i), size_wh=SIZE, **options) for i in range(count)]


def test_a_person_alone_facing_the_viewer_shows_every_joint():
    (person,) = scene_of(actor(80)).people
    assert person.visible.tolist() == [2] * 17
    assert person.visible_fraction == 1


def test_who_stands_behind_is_hidden_and_who_stands_in_front_is_not():
    behind, front = scene_of(actor(80, scale=70), actor(80, scale=82)).people
    assert (front.visible == 2).all()
    assert front.visible_fraction == 1
    hidden = behind.visible == 1
    x, y = np.round(behind.joints).astype(int).T
    assert (hidden == front.mask[y, x]).all()
    assert hidden.sum() >= 10
    assert behind.visible_fraction < 0.5
    assert behind.area == pytest.approx(scene_of(actor(80, scale=70)).people[0].area)


def test_the_picture_shows_the_one_in_front():
    front = actor(90, scale=82)
    (painted,) = paint_cast([front], SIZE, light=LIGHT)
    opaque = np.zeros(SIZE[::-1], bool)
    opaque[painted.layer.region] = painted.layer.alpha == 255
    alone, both = scene_of(front).picture, scene_of(actor(80, scale=70), front).picture
    assert (alone[opaque] == both[opaque]).all()
    assert (alone != both).any()


def test_somebody_out_of_sight_steps_to_the_front():
    painted = paint_cast([actor(80, scale=40, y=60), actor(80, scale=110)], SIZE, light=LIGHT)
    grounded = bring_hidden_forward(painted)
    assert compose(np.zeros((*SIZE[::-1], 3), np.uint8), painted).people[0].visible_fraction < MIN_VISIBLE
    assert grounded == painted[::-1]
    assert bring_hidden_forward(grounded) == grounded


def test_joints_outside_the_picture_are_unlabelled():
    (person,) = scene_of(actor(0)).people
    outside = person.joints[:, 0] < -0.5
    assert 0 < outside.sum() < 17
    assert (person.visible[outside] == 0).all()
    assert (person.visible[~outside] > 0).all()
    assert person.box_xywh[0] == 0
    assert scene_of(actor(-100)).people == []


@pytest.mark.parametrize(("yaw", "left_is"), [(0.0, 1), (np.pi, -1)])
def test_left_is_on_the_right_of_the_picture_in_front_view_alone(yaw, left_is):
    joints = actor(80, yaw=yaw).joints
    assert (np.sign(joints[LEFT, 0] - joints[RIGHT, 0]) == left_is).all()


@pytest.mark.parametrize(
    ("yaw", "hidden"),
    [
        (np.pi, {"nose", "left_eye", "right_eye"}),
        (np.pi / 2, {"left_eye", "left_ear", "left_shoulder", "left_hip"}),
        (-np.pi / 2, {"right_eye", "right_ear", "right_shoulder", "right_hip"}),
    ],
)
def test_the_body_hides_its_far_side(yaw, hidden):
    names = {name for name, sees in zip(COCO_17.joints, actor(80, yaw=yaw).seen, strict=True) if not sees}
    assert hidden <= names
    # From the side, the trunk may hide more of the far arm, and the near arm hangs over the near hip.
    far, near = ("left", "right") if yaw > 0 else ("right", "left")
    assert all(name.startswith(far) or name == f"{near}_hip" for name in names - hidden)


def test_boxes_are_tight_and_hold_every_joint_in_the_picture():
    for person in (person for scene in scenes() for person in scene.people):
        x, y, w, h = person.box_xywh
        rows, columns = np.nonzero(person.mask)
        assert (x, y, x + w, y + h) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        inside = person.joints[person.visible > 0]
        assert len(inside) > 0
        assert (inside >= (x - 1, y - 1)).all()
        assert (inside <= (x + w, y + h)).all()
        assert person.area == person.mask.sum()


def test_visible_joints_lie_on_what_is_in_sight():
    for person in (person for scene in scenes() for person in scene.people):
        x, y = np.round(person.joints[person.visible == 2]).astype(int).T
        assert person.visible_mask[y, x].mean() > 0.85
        assert 0 < person.visible_fraction <= 1


def test_a_scene_depends_on_seed_and_index_alone():
    first, again, other_index, other_seed = (
        render_scene(scene_rng(*key), size_wh=SIZE).picture for key in ((1, 2), (1, 2), (1, 3), (2, 2))
    )
    assert (first == again).all()
    assert (first != other_index).any()
    assert (first != other_seed).any()


@pytest.mark.parametrize(("num_people", "allowed"), [((2, 4), {2, 3, 4}), (1, {1}), ((7, 7), {7})])
def test_number_of_people(num_people, allowed):
    counts = {len(scene.people) for scene in scenes(num_people=num_people)}
    assert counts == allowed


def test_overlap_steers_how_far_people_cover_each_other():
    levels = [_mean_iou(scenes(14, num_people=3, overlap=(level, level))) for level in (0.0, 0.35, 0.7, 1.0)]
    assert levels == sorted(levels)
    assert levels[0] < 0.05
    assert levels[-1] > 0.3


def test_limbs_keep_their_length_in_every_pose():
    build, rng = Build(), np.random.default_rng(0)
    for _ in range(20):
        figure = pose_figure(build, sample_pose(rng), perspective=0.0)
        for start, end, length in (("hip", "knee", build.thigh), ("elbow", "wrist", build.forearm)):
            bone = np.subtract(figure[f"left_{start}"], figure[f"left_{end}"])
            assert np.linalg.norm(bone) == pytest.approx(length)


def test_outlines_cover_the_points_inside_them():
    person = actor(80)
    outlines, points = person.outlines, person.joints
    everything = np.ones((len(outlines.parts), len(points)), bool)
    assert outlines.cover(points, everything).any(0).all()
    assert not outlines.cover(points + 200, everything).any()
    assert not outlines.cover(points, ~everything).any()


@pytest.mark.parametrize("pattern", ["hoops", "stripes", "checks", "dots", "block"])
def test_patterns_leave_a_part_of_the_fabric_free(pattern):
    square = np.array([[0, 0], [40, 0], [40, 40], [0, 40]], np.float32)
    quads = bands(square, (0.0, 1.0), pattern, 10.0)
    sides = np.abs(quads.max(1) - quads.min(1))
    assert 0.2 * 1600 < sides.prod(1).sum() < 0.65 * 1600


@pytest.mark.parametrize(
    "options", [{"num_people": 0}, {"num_people": (3, 2)}, {"size_wh": (16, 120)}, {"overlap": (0.5, 1.5)}]
)
def test_what_cannot_be_rendered_is_refused(options):
    with pytest.raises(ValueError, match="cannot render"):
        render_scene(np.random.default_rng(0), **options)


def _mean_iou(rendered: list[Scene]) -> float:
    """Mean over people of the largest IoU of a person's box with another's."""
    return float(np.mean([_ious(np.array([p.box_xywh for p in scene.people])).max(1) for scene in rendered]))


def _ious(boxes: np.ndarray) -> np.ndarray:
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    sides = np.clip(np.minimum(high[:, None], high) - np.maximum(low[:, None], low), 0, None)
    common, areas = sides.prod(-1), boxes[:, 2:].prod(-1)
    return np.where(np.eye(len(boxes), dtype=bool), 0, common / (areas[:, None] + areas - common))
