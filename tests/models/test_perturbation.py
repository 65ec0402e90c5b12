"""PDM's off-target anchors: the three kinds and their shares, which neighbour, and what stands in for one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rdpose.models.perturbation import NUM_DRAWS, Perturbation, pick_center

SIZE = torch.tensor([16.0, 24.0])
CENTER = torch.tensor([[8.0, 12.0]])
BOX = torch.tensor([[4.0, 2.0, 12.0, 22.0]])
NEIGHBOURS = torch.tensor([[[0.0, 0.0, 6.0, 10.0], [0.0, 0.0, 0.0, 0.0], [10.0, 4.0, 14.0, 20.0]]])
CENTERS = [[3.0, 5.0], [12.0, 12.0]]


def anchors(draws: Tensor, neighbours: Tensor = NEIGHBOURS, box: Tensor = BOX, **shares: float) -> Tensor:
    kinds = {"neighbour": 0.0, "random": 0.0, "shifted": 0.0, "shift": 0.25} | shares
    count = len(draws)
    expanded = (part.expand(count, *part.shape[1:]) for part in (CENTER, box, neighbours))
    return Perturbation(**kinds)(*expanded, draws, SIZE)


def draws(count: int) -> Tensor:
    return torch.rand(count, NUM_DRAWS, generator=torch.Generator().manual_seed(0))


def test_it_holds_no_parameters() -> None:
    module = Perturbation(neighbour=1, random=1, shifted=1, shift=0.25)
    assert not list(module.parameters())
    assert not module.state_dict()


def test_a_neighbours_centre_is_taken_evenly() -> None:
    found = anchors(draws(4000), neighbour=1)
    kinds = [(found == torch.tensor(center)).all(1) for center in CENTERS]
    assert torch.stack(kinds).any(0).all()
    assert kinds[0].float().mean() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(
    ("pick", "center"), [(0.0, CENTERS[0]), (0.49, CENTERS[0]), (0.51, CENTERS[1]), (1 - 2**-24, CENTERS[1])]
)
def test_the_draw_picks_the_neighbour(pick: float, center: list[float]) -> None:
    found, has_any = pick_center(NEIGHBOURS, torch.tensor([pick]), SIZE)
    assert found.tolist() == [center]
    assert has_any.tolist() == [True]


@pytest.mark.parametrize(
    "neighbours",
    [torch.zeros(1, 3, 4), torch.tensor([[[20.0, 0.0, 30.0, 10.0]]]), torch.tensor([[[-20.0, 0.0, 10.0, 10.0]]])],
    ids=["padding", "right of the crop", "left of the crop"],
)
def test_without_a_neighbour_in_the_map_any_place_is_taken(neighbours: Tensor) -> None:
    drawn = draws(1000)
    found = anchors(drawn, neighbours, neighbour=1)
    assert torch.equal(found, drawn[:, 2:4] * (SIZE - 1))
    assert ((found >= 0) & (found <= SIZE - 1)).all()


def test_a_moved_centre_moves_in_units_of_the_box() -> None:
    moved = anchors(draws(20_000), shifted=1, shift=0.25) - CENTER
    assert moved.mean(0).abs().max() < 0.1
    assert (moved.std(0) / torch.tensor([8.0, 20.0])).tolist() == pytest.approx([0.25, 0.25], rel=0.03)


def test_without_a_box_the_move_is_in_units_of_the_map() -> None:
    moved = anchors(draws(20_000), box=torch.zeros(1, 4), shifted=1, shift=0.25) - CENTER
    assert (moved.std(0) / SIZE).tolist() == pytest.approx([0.2, 0.2], rel=0.03)


def test_shares_of_the_kinds() -> None:
    drawn = draws(8000)
    found = anchors(drawn, neighbour=1, random=2, shifted=1)
    anywhere = (found == drawn[:, 2:4] * (SIZE - 1)).all(1)
    neighbour = torch.stack([(found == torch.tensor(center)).all(1) for center in CENTERS]).any(0)
    assert neighbour.float().mean() == pytest.approx(0.25, abs=0.02)
    assert anywhere.float().mean() == pytest.approx(0.5, abs=0.02)


def test_equal_draws_give_equal_anchors() -> None:
    kinds = {"neighbour": 1.0, "random": 0.5, "shifted": 0.5}
    assert torch.equal(anchors(draws(50), **kinds), anchors(draws(50), **kinds))


def test_all_shares_zero_is_refused() -> None:
    with pytest.raises(ValueError, match=r"turn PDM off by loss\.perturbed=0"):
        Perturbation(neighbour=0, random=0, shifted=0, shift=0.25)


def test_a_box_lower_than_it_is_far_right_is_one_too() -> None:
    found, has_any = pick_center(torch.tensor([[[2.0, 14.0, 6.0, 20.0]]]), torch.tensor([0.5]), SIZE)
    assert (found.tolist(), has_any.tolist()) == ([[4.0, 17.0]], [True])


def test_the_rarest_draws_move_no_further_than_three_deviations() -> None:
    """A normal deviate at 0 or 1 would be infinite."""
    ends = torch.tensor([0.0, 1 - 2**-24]).expand(NUM_DRAWS, 2).T
    moved = (anchors(ends, shifted=1, shift=0.25) - CENTER) / torch.tensor([8.0, 20.0]) / 0.25
    assert moved.abs().max() == pytest.approx(3.09, abs=0.01)
