"""Boxes as soft maps: where they lie, what padding draws (nothing), what an untrained map changes (nothing)."""

from __future__ import annotations

import pytest
import torch

from rdpose.geometry import CellGrid
from rdpose.models.box_conditioning import NUM_MAPS, NeighbourMap, box_maps, soft_boxes

BOX = torch.tensor([[[4.0, 2.0, 12.0, 18.0]]])
PADDING = torch.zeros(1, 1, 4)
LIKE = torch.zeros(1, 3, 24, 16)
ONE, FOUR = (CellGrid((stride, stride), (0.0, 0.0)) for stride in (1.0, 4.0))


def test_a_box_lies_where_it_says() -> None:
    inside, near = (maps[0, 0] for maps in soft_boxes(BOX, 24, 16))
    assert near.flatten().argmax() == 10 * 16 + 8
    assert near[10, 8] == 1
    assert inside[10, 8] > 0.99
    assert inside[10, 4] == pytest.approx(0.5, abs=1e-3)  # on the left edge, in the middle of the height
    assert inside[2, 8] == pytest.approx(0.5, abs=1e-3)
    assert inside[10, 15] < 1e-2
    assert inside[23, 8] < 1e-2


def test_an_edge_is_as_sharp_as_networks_were_trained_with() -> None:
    """A cell inside and outside the left edge, each a quarter of the half size away from it: sigmoid(20 / 4)."""
    inside, _ = soft_boxes(BOX, 24, 16)
    assert inside[0, 0, 10, 5] == pytest.approx(0.9933, abs=1e-4)
    assert inside[0, 0, 10, 3] == pytest.approx(0.0067, abs=1e-4)


def test_nearness_falls_by_half_the_half_size() -> None:
    _, near = soft_boxes(BOX, 24, 16)
    assert near[0, 0, 10, 10] == pytest.approx(torch.exp(torch.tensor(-0.5)).item())  # 2 of 4 cells: one deviation
    assert near[0, 0, 14, 8] == pytest.approx(torch.exp(torch.tensor(-0.5)).item())


def test_padding_draws_nothing() -> None:
    inside, near = soft_boxes(PADDING, 24, 16)
    assert not inside.any()
    assert not near.any()
    assert torch.equal(box_maps(torch.cat([BOX, PADDING], dim=1), None, LIKE, ONE), box_maps(BOX, None, LIKE, ONE))


@pytest.mark.parametrize("line", [[4.0, 2.0, 4.0, 18.0], [4.0, 2.0, 12.0, 2.0]])
def test_a_box_without_width_or_height_draws_nothing(line: list[float]) -> None:
    assert not any(maps.any() for maps in soft_boxes(torch.tensor([[line]]), 24, 16))


def test_the_own_box_comes_first_and_the_others_after_it() -> None:
    own, others = box_maps(None, BOX[:, 0], LIKE, ONE), box_maps(BOX, None, LIKE, ONE)
    assert own.shape == (1, NUM_MAPS, 24, 16)
    assert torch.equal(own[:, :2], others[:, 2:])
    assert own[:, :2].any()
    assert not own[:, 2:].any()
    assert torch.equal(box_maps(BOX, BOX[:, 0], LIKE, ONE), own + others)


def test_the_order_of_neighbours_plays_no_part() -> None:
    boxes = torch.cat([BOX, BOX + 6, PADDING], dim=1)
    assert torch.equal(box_maps(boxes, None, LIKE, ONE), box_maps(boxes.flip(1), None, LIKE, ONE))


def test_stride_turns_pixels_into_cells() -> None:
    assert torch.equal(box_maps(BOX * 4, BOX[:, 0] * 4, LIKE, FOUR), box_maps(BOX, BOX[:, 0], LIKE, ONE))


def test_no_boxes_at_all_are_unknown_ones() -> None:
    nobody = box_maps(None, None, LIKE, ONE)
    assert not nobody.any()
    assert torch.equal(box_maps(torch.zeros(1, 0, 4), None, LIKE, ONE), nobody)


def test_an_untrained_map_changes_nothing() -> None:
    features = torch.randn(1, 8, 24, 16)
    maps = box_maps(BOX, BOX[:, 0], features, ONE)
    assert torch.equal(NeighbourMap(8)(features, maps), features)
    trained = NeighbourMap(8)
    torch.nn.init.normal_(trained.join.weight)
    said = torch.einsum("bmhw,cm->bchw", maps, trained.join.weight[:, :, 0, 0])
    torch.testing.assert_close(trained(features, maps), features + 8 * said)
    assert said.abs().max() > 0.1


def test_coarser_levels_hear_of_the_boxes_too() -> None:
    maps = box_maps(BOX, BOX[:, 0], LIKE, ONE)
    network = NeighbourMap(3, (5, 7))
    assert [(tuple(one.shape), bool(one.any())) for one in network.additions(maps)] == [
        ((1, 5, 12, 8), False),
        ((1, 7, 6, 4), False),
    ]
    torch.nn.init.ones_(network.coarser[1].weight)
    expected = 8 * maps.unflatten(3, (4, 4)).unflatten(2, (6, 4)).mean(dim=(3, 5)).sum(dim=1)
    torch.testing.assert_close(network.additions(maps)[1], expected[:, None].expand(-1, 7, -1, -1))
