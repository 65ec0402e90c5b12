"""What is drawn, where, and that pictures passed in stay as they were."""

import cv2
import numpy as np
import pytest

from rdpose import drawing
from rdpose.drawing import colors
from rdpose.skeletons import COCO_17, CROWDPOSE_14, MPII_16, from_names

GREY = np.full((240, 320, 3), 128, np.uint8)
PAIR = from_names(["left_hip", "right_hip"], limbs=[(0, 1)])
LINE = np.array([[[60.0, 120.0], [260.0, 120.0]]])


def changed(picture: np.ndarray) -> np.ndarray:
    """(height, width) bool: where a picture differs from the grey one."""
    return (picture != GREY).any(axis=-1)


def test_draws_a_copy_between_the_joints():
    before = GREY.copy()
    drawn = drawing.draw_poses(GREY, LINE, None, PAIR)
    assert np.array_equal(before, GREY)
    assert drawn.shape == GREY.shape
    assert drawn.dtype == np.uint8
    rows, columns = np.nonzero(changed(drawn))
    assert changed(drawn)[120, 60:261].all()
    assert abs(rows.mean() - 120) < 0.5
    assert abs(columns.mean() - 160) < 0.5
    assert 100 < rows.min() < rows.max() < 140


def test_left_and_right_differ_in_shade_and_people_in_colour():
    two = LINE + np.array([[[0, -60]], [[0, 60]]])
    drawn = drawing.draw_poses(GREY, two, None, PAIR).astype(int)
    left, right, other = drawn[60, 60], drawn[60, 260], drawn[180, 60]
    assert left.sum() > right.sum() + 60
    assert np.abs(left - other).max() > 60


@pytest.mark.parametrize(
    ("confidence", "joints", "limb"),
    [((0.9, 0.9), 2, True), ((0.9, 0.15), 2, True), ((0.9, 0.05), 1, False), ((0.0, 0.0), 0, False)],
)
def test_unsure_joints_are_hollow_and_unseen_ones_left_out(confidence, joints, limb):
    drawn = drawing.draw_poses(GREY, LINE, [confidence], PAIR, min_confidence=0.3)
    assert changed(drawn)[120, [60, 260]].sum() == joints
    assert changed(drawn)[120, 160] == limb


def test_occluded_joints_are_dark_inside_and_their_limb_is_thinner():
    sure = drawing.draw_poses(GREY, LINE, None, PAIR)
    hidden = drawing.draw_poses(GREY, LINE, None, PAIR, occluded=[[False, True]])
    assert hidden[120, 260].sum() < 120 < sure[120, 260].sum()
    assert changed(hidden)[:, 160].sum() < changed(sure)[:, 160].sum()


def test_limbs_grow_with_the_person():
    widths = [changed(drawing.draw_poses(GREY, LINE * size, None, PAIR))[:, int(160 * size)].sum() for size in (0.3, 1)]
    assert widths[0] < widths[1]


def test_joints_outside_the_picture_or_not_finite_do_no_harm():
    joints = np.array([[[60.0, 120.0], [1e7, np.nan]], [[-500.0, -500.0], [1e9, 1e9]]])
    assert changed(drawing.draw_poses(GREY, joints, None, PAIR))[120, 60]


@pytest.mark.parametrize("skeleton", [COCO_17, CROWDPOSE_14, MPII_16, from_names(["tip"])], ids=lambda s: s.name)
@pytest.mark.parametrize("style", [*drawing.STYLES, "chunhua", "xiaochu"])
def test_every_style_serves_every_joint_set(skeleton, style):
    joints = np.random.default_rng(0).uniform(20, 220, (3, skeleton.num_joints, 2))
    boxes = [[10, 10, 230, 230], [30, 40, 100, 200], [0, 0, 0, 0]]
    drawn = drawing.draw_poses(GREY, joints, None, skeleton, style=style, boxes_xyxy=boxes, labels=["1", "2", ""])
    assert changed(drawn).sum() > 100


def test_nobody_leaves_the_picture_as_it_is():
    assert not changed(drawing.draw_poses(GREY, [], None, COCO_17, boxes_xyxy=np.zeros((0, 4)), labels=[])).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joints": np.zeros((2, 5, 2))}, r"expected \(people, 17, 2\)"),
        ({"confidence": np.ones((1, 17))}, "does not fit"),
        ({"style": "rainbow"}, "unknown style 'rainbow'.*person"),
        ({"labels": ["one"]}, "1 labels for 2 people"),
        ({"picture": GREY.astype(np.float32)}, "uint8"),
        ({"picture": GREY[..., 0]}, r"\(240, 320\)"),
    ],
)
def test_wrong_input_is_named(change, message):
    given = {"picture": GREY, "joints": np.full((2, 17, 2), 50.0), "confidence": None, "skeleton": COCO_17, **change}
    with pytest.raises(ValueError, match=message):
        drawing.draw_poses(**given)


def test_labels_stay_inside_the_picture():
    drawn = drawing.draw_boxes(GREY, [[300, 0, 400, 50]], labels=["person 12"], frames=False)
    rows, columns = np.nonzero(changed(drawn))
    assert rows.min() == 0
    assert columns.max() == 319
    assert columns.min() < 270


def test_colours_of_people_are_stable_and_distinct():
    table = drawing.person_colors(np.arange(30))
    assert len({tuple(color) for color in table}) == 30
    assert np.array_equal(drawing.person_colors([7, 25]), table[[7, 25]])


def test_sides_come_from_names_or_else_from_flip_pairs():
    assert colors.joint_sides(MPII_16)[[0, 5, 6]].tolist() == [colors.RIGHT, colors.LEFT, colors.MIDDLE]
    nameless = from_names(["a", "b", "c"], flip_pairs=[(0, 2)], limbs=[(0, 1), (0, 2)])
    assert colors.joint_sides(nameless).tolist() == [colors.LEFT, colors.MIDDLE, colors.RIGHT]
    assert colors.limb_sides(nameless).tolist() == [colors.LEFT, colors.MIDDLE]


def test_heatmap_glows_where_its_peak_is_and_by_the_given_scale():
    heatmap = np.zeros((60, 80))
    heatmap[20, 50] = 0.5
    drawn = drawing.draw_heatmap(GREY, heatmap)
    row, column = np.unravel_index(drawn.astype(int).sum(axis=-1).argmax(), (240, 320))
    assert abs(row - 80) <= 1
    assert abs(column - 200) <= 1
    assert drawing.draw_heatmap(GREY, heatmap, peak=1.0)[80, 200].sum() < drawn[80, 200].sum()
    with pytest.raises(ValueError, match="take one joint"):
        drawing.draw_heatmap(GREY, heatmap[None])


def test_anchor_is_a_cross_hair_around_its_point():
    marked = changed(drawing.draw_anchor(GREY, (100, 50)))
    assert not marked[50, 100]
    assert marked[50, 90]
    assert marked[60, 100]
    assert not changed(GREY).any()


def test_panel_scales_rows_to_one_height():
    tall, wide = np.full((200, 100, 3), 10, np.uint8), np.full((50, 100, 3), 90, np.uint8)
    page = drawing.panel([[tall, wide], [wide]], ["tall", "wide"])
    assert page.shape[0] > 400
    assert page.shape[1] > 600
    assert (page == 10).all(axis=-1).sum() == 200 * 100
    assert abs((page == 90).all(axis=-1).sum() - 2 * 200 * 400) < 2000
    assert (page[0] == 255).all()


def test_panel_fits_long_titles_and_refuses_too_many():
    page = drawing.panel([[GREY[:, :60]]], ["a title that is far too long for so narrow a column"])
    assert (page[:, [0, -1]] == 255).all()
    for rows, titles in (([[GREY]], ["a", "b"]), ([], []), ([[]], [])):
        with pytest.raises(ValueError, match="a panel needs a picture"):
            drawing.panel(rows, titles)


@pytest.mark.parametrize(("name", "tolerance"), [("a.png", 0), ("b.jpg", 6), ("c.JPEG", 6)])
def test_save_writes_rgb_and_leaves_no_other_file(tmp_path, name, tolerance):
    picture = np.empty((16, 16, 3), np.uint8)
    picture[:] = (200, 30, 90)
    path = drawing.save(tmp_path / "new" / name, picture)
    back = cv2.imread(str(path))[..., ::-1].astype(int)
    assert np.abs(back - picture).max() <= tolerance
    assert [entry.name for entry in path.parent.iterdir()] == [name]


@pytest.mark.parametrize("name", ["picture.gif", "picture"])
def test_save_names_the_file_and_the_endings(tmp_path, name):
    with pytest.raises(ValueError, match=rf"{name}: .*use \.png or \.jpg"):
        drawing.save(tmp_path / name, GREY)
    assert not list(tmp_path.iterdir())
