"""The second look at an enlarged part of the crop: what moves, what stays, what the network is told."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rdpose.config import schema as groups
from rdpose.inference import refine
from rdpose.inference.pipeline import Inference
from rdpose.skeletons import COCO_17

MODEL = groups.ModelSettings()

WIDTH, HEIGHT, CELL = 64, 96, 4
DOTS = torch.tensor([[[20.0, 30.0], [30.0, 33.0], [25.0, 41.0]], [[40.0, 70.0], [51.0, 61.0], [46.0, 77.0]]])
NOBODY, UNKNOWN = torch.zeros(2, 1, 4), torch.zeros(2, 4)
PART = (0, 1, 2)


def dotted(dots: Tensor) -> Tensor:
    """Crops (n, 3, height, width) with a dot (n, 3, 2) in each colour."""
    x, y = torch.arange(WIDTH), torch.arange(HEIGHT)[:, None]
    distance = (x - dots[..., :1, None]).square() + (y - dots[..., 1:, None]).square()
    return (255 * (-distance / 8).exp()).round().to(torch.uint8)


class Coarse:
    """A stand-in for a network and its decoding: three joints, the brightest cells of each colour; remembers its input.

    off: added to what it answers from its second call on, (3, 2) pixels.
    """

    def __init__(self, off: Tensor | float = 0.0) -> None:
        self.seen: list[tuple[Tensor, Tensor, Tensor]] = []
        self.off = off

    def __call__(self, crops: Tensor, neighbours: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
        self.seen.append((crops, neighbours, box))
        cells = torch.nn.functional.avg_pool2d(crops.float() / 255, CELL)
        confidence, place = cells.flatten(2).max(2)
        column, row = place % (WIDTH // CELL), place // (WIDTH // CELL)
        joints = torch.stack([column, row], dim=-1) * CELL + (CELL - 1) / 2
        return joints + (self.off if len(self.seen) > 1 else 0.0), confidence


def error(joints: Tensor, dots: Tensor = DOTS) -> float:
    return float((joints - dots).norm(dim=-1).mean())


def test_the_second_look_finds_a_part_more_closely() -> None:
    crops = dotted(DOTS)
    before, sure = Coarse()(crops, NOBODY, UNKNOWN)
    after, confidence = refine.refine(Coarse(), crops, NOBODY, UNKNOWN, PART)
    assert error(before) > 1
    assert error(after) < 0.6 * error(before)
    assert torch.equal(confidence, sure)


def test_joints_that_are_not_asked_for_and_those_found_elsewhere_stay() -> None:
    crops = dotted(DOTS)
    before, _ = Coarse()(crops, NOBODY, UNKNOWN)
    elsewhere = torch.tensor([[0.0, 0.0], [20.0, 0.0], [0.0, 0.0]])
    after, _ = refine.refine(Coarse(elsewhere), crops, NOBODY, UNKNOWN, PART)
    assert torch.equal(after[:, 1], before[:, 1])
    assert not torch.equal(after[:, 0], before[:, 0])
    after, _ = refine.refine(Coarse(), crops, NOBODY, UNKNOWN, (0, 1))
    assert torch.equal(after[:, 2], before[:, 2])
    assert not torch.equal(after[:, 0], before[:, 0])


def test_nobody_is_looked_at_again_whose_part_is_not_seen() -> None:
    crops = dotted(DOTS)
    crops[0] = 0
    look = Coarse()
    before, _ = Coarse()(crops, NOBODY, UNKNOWN)
    after, _ = refine.refine(look, crops, NOBODY, UNKNOWN, PART)
    assert [len(crops) for crops, _, _ in look.seen] == [2, 1]
    assert torch.equal(after[0], before[0])
    assert error(after[1], DOTS[1]) < error(before[1], DOTS[1])
    look = Coarse()
    refine.refine(look, torch.zeros_like(crops), NOBODY, UNKNOWN, PART)
    assert len(look.seen) == 1


def test_boxes_follow_into_the_enlarged_crop() -> None:
    """A neighbour's box that begins at a dot begins there in what the network sees next; one out of sight is gone."""
    corner = DOTS[:, None, 0]
    far = torch.tensor([[[0.0, 0.0, 3.0, 3.0]]] * 2)
    neighbours = torch.cat([torch.cat([corner, corner + 10], dim=2), torch.zeros(2, 1, 4), far], dim=1)
    look = Coarse()
    refine.refine(look, dotted(DOTS), neighbours, UNKNOWN, PART)
    crops, others, box = look.seen[1]
    where, _ = Coarse()(crops, others, box)
    assert (others[:, 0, :2] - where[:, 0]).abs().max() < CELL
    assert not others[:, 1:].any()
    middle, size = (box[:, :2] + box[:, 2:]) / 2, box[:, 2:] - box[:, :2]
    torch.testing.assert_close(middle, torch.tensor([[31.5, 47.5]] * 2))
    torch.testing.assert_close((size / torch.tensor([WIDTH, HEIGHT])).amax(dim=1), torch.full((2,), 1 / 1.25))
    assert (where >= box[:, None, :2]).all()
    assert (where <= box[:, None, 2:]).all()


def test_a_part_is_the_box_around_its_sure_joints() -> None:
    """Person 0: one unsure joint far away. 1: a tiny part of a large pose. 2: two sure joints, one too few."""
    joints = torch.tensor(
        [
            [[10.0, 20.0], [20.0, 24.0], [12.0, 30.0], [60.0, 90.0], [10.0, 40.0]],
            [[30.0, 30.0], [31.0, 30.0], [30.0, 31.0], [30.0, 31.0], [40.0, 90.0]],
            [[10.0, 20.0], [20.0, 24.0], [12.0, 30.0], [60.0, 90.0], [10.0, 40.0]],
        ]
    )
    confidence = torch.tensor([[0.9, 0.9, 0.9, 0.1, 0.9], [0.9] * 5, [0.9, 0.9, 0.1, 0.1, 0.9]])
    center, size, rows = refine.part_boxes(joints, confidence, (0, 1, 2, 3))
    assert rows.tolist() == [0, 1]
    torch.testing.assert_close(center, torch.tensor([[15.0, 25.0], [30.5, 30.5]]))
    torch.testing.assert_close(size, torch.tensor([[20.0, 20.0], [18.0, 18.0]]))  # 2 x 10; 2 x 0.15 x 60


def test_pixels_lie_where_the_enlargement_says() -> None:
    ramp = (2 * torch.arange(WIDTH) + torch.arange(HEIGHT)[:, None]).expand(1, 3, -1, -1).to(torch.uint8)
    center, scale = torch.tensor([[30.0, 50.0]]), torch.tensor([0.25])
    x, y = torch.arange(WIDTH), torch.arange(HEIGHT)[:, None]
    expected = 2 * (30 + (x - 31.5) / 4) + 50 + (y - 47.5) / 4
    assert (refine.enlarge(ramp, center, scale)[0, 0] - expected).abs().max() <= 0.5 + 1e-3


def test_a_joint_moves_three_quarters_of_the_way() -> None:
    """By hand: the part's box is 20 x 22 pixels around (25, 35.5), so a pixel is 1.25 x 20 / 64 wide when enlarged."""
    first, scale = torch.tensor([[[20.0, 30.0], [30.0, 33.0], [25.0, 41.0]]]), 1.25 * 20 / 64
    way = torch.tensor([[[2.0, -1.0], [-1.0, 2.0], [10.0, 0.0]]])  # the last one is too far to be believed
    second = torch.tensor([31.5, 47.5]) + (first + way - torch.tensor([25.0, 35.5])) / scale
    answers = [first, second]

    def look(crops: Tensor, neighbours: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
        return answers.pop(0), torch.ones(1, 3)

    moved, _ = refine.refine(look, dotted(DOTS[:1]), NOBODY[:1], UNKNOWN[:1], PART)
    torch.testing.assert_close(moved, torch.tensor([[[21.5, 29.25], [29.25, 34.5], [25.0, 41.0]]]))


def test_a_part_that_fills_the_crop_is_not_looked_at_again() -> None:
    dots = torch.tensor([[[4.0, 6.0], [58.0, 20.0], [30.0, 88.0]]] * 2)
    look = Coarse()
    before, _ = Coarse()(dotted(dots), NOBODY, UNKNOWN)
    after, _ = refine.refine(look, dotted(dots), NOBODY, UNKNOWN, PART)
    assert len(look.seen) == 1
    assert torch.equal(after, before)


def test_settings_name_the_joints() -> None:
    def network(crops: Tensor, neighbours: Tensor, box: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool2d(crops.float() / 255, CELL)[:, torch.arange(17) % 3]

    asked = groups.TestSettings(zoom=("left_eye", "right_eye", "nose"), flip=False)
    inference = Inference.of(network, COCO_17, asked, MODEL)
    assert inference.zoom == (1, 2, 0)
    once = Inference.of(network, COCO_17, groups.TestSettings(flip=False), MODEL)
    first, joints = (one.joints(dotted(DOTS), NOBODY, UNKNOWN)[0] for one in (once, inference))
    moved = (joints != first).any(dim=-1).any(dim=0)
    assert moved[:3].any()
    assert not moved[3:].any()
    with pytest.raises(ValueError, match=r"no joint 'eye'; its joints are nose, left_eye"):
        Inference.of(network, COCO_17, groups.TestSettings(zoom=("eye",)), MODEL)
