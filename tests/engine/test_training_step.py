"""The terms of the loss against a computation by hand, for every kind of network; PDM's term where it is asked for."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from rdpose.engine.training_step import (
    LossWeights,
    OfficialForTraining,
    RDPoseForTraining,
    draw_targets,
    rival_maps,
    soft_maps,
)
from rdpose.geometry import CellGrid
from rdpose.models import builders
from rdpose.models.losses import heatmap_loss
from rdpose.models.perturbation import Perturbation
from rdpose.models.rdpose import RDPose
from rdpose.models.reference import OfficialRDPose

SIGMA = 2.0
GRID = CellGrid((4.0, 4.0), (0.0, 0.0))
JOINTS = np.array([[[20.0, 30.0], [40.0, 50.0], [33.0, 70.0]], [[10.0, 11.0], [0.0, 0.0], [60.0, 90.0]]])
VISIBLE = np.array([[2, 1, 2], [2, 0, 1]])


@pytest.fixture
def batch() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "image": torch.randint(0, 256, (2, 3, 96, 64), dtype=torch.uint8, generator=generator),
        "joints": torch.from_numpy(JOINTS).float(),
        "visible": torch.tensor(VISIBLE),
        "box": torch.tensor([[10.0, 20.0, 50.0, 80.0], [0.0, 0.0, 63.0, 95.0]]),
        "neighbours": torch.tensor([[[0.0, 0.0, 30.0, 60.0]], [[0.0, 0.0, 0.0, 0.0]]]),
        "rivals": torch.tensor([[[[44.0, 50.0, 1.0], [0.0, 0.0, 0.0], [33.0, 70.0, 1.0]]], [[[0.0, 0.0, 0.0]] * 3]]),
        "draws": torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.9, 0.2, 0.3, 0.4]]),
    }


def targets_by_hand() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maps (2, 4, 24, 16) and weights (2, 4) of three joints and the centre, and the centres (2, 2) in cells."""
    maps, weights, centers = np.zeros((2, 4, 24, 16)), np.zeros((2, 4)), np.zeros((2, 2))
    for person in range(2):
        labelled = VISIBLE[person] > 0
        centers[person] = JOINTS[person][labelled].mean(axis=0) / 4
        for joint, (x, y) in enumerate([*JOINTS[person] / 4, centers[person]]):
            weights[person, joint] = joint == 3 or labelled[joint]
            x, y = int(x + 0.5), int(y + 0.5)
            for row in range(max(0, y - 6), min(24, y + 7)):
                for column in range(max(0, x - 6), min(16, x + 7)):
                    distance = (row - y) ** 2 + (column - x) ** 2
                    maps[person, joint, row, column] = weights[person, joint] * np.exp(-distance / (2 * SIGMA**2))
    return maps, weights, centers


def loss_by_hand(predicted: Tensor, maps: np.ndarray, weights: np.ndarray) -> float:
    error = (predicted.detach().double().numpy() - maps) * weights[..., None, None]
    return float((0.5 * error**2).mean(axis=(2, 3)).mean())


def make(variant: str, *, perturb: bool = True, **options) -> tuple[RDPose, RDPoseForTraining]:
    torch.manual_seed(2)
    network = builders.build("hrnet_small", variant, num_joints=3)
    assert isinstance(network, RDPose)
    perturbation = Perturbation(neighbour=1, random=0.5, shifted=0.5, shift=0.25) if perturb else None
    options = {"loss": heatmap_loss, "weights": LossWeights(1.0, 1.5, 0.5), "sigma": SIGMA} | options
    return network, RDPoseForTraining(network, perturbation, **options)


def test_targets_by_hand(batch: dict[str, Tensor]) -> None:
    found = draw_targets(batch, torch.ones(4), stride=4, sigma=SIGMA)
    maps, weights, centers = targets_by_hand()
    np.testing.assert_allclose(found.maps.numpy(), maps, atol=1e-6)
    np.testing.assert_array_equal(found.weights.numpy(), weights)
    np.testing.assert_allclose(found.center.numpy(), centers, atol=1e-5)


@pytest.mark.parametrize("variant", ["rdpose", "rdpose-paper", "rdpose-residual"])
def test_terms_by_hand(batch: dict[str, Tensor], variant: str) -> None:
    network, training = make(variant)
    terms = training.eval()(batch)
    features, boxes = network.features(batch["image"], batch["neighbours"], batch["box"])
    direct = network.head(features)
    maps, weights, _ = targets_by_hand()
    anchor = network.anchor(direct, boxes)
    # The first draw is at the neighbour's centre, (15, 30) pixels; the second moves the own one.
    center = torch.tensor(targets_by_hand()[2][1]).float()
    moved = center + torch.special.ndtri(torch.tensor([0.3, 0.4])) * 0.25 * torch.tensor([63.0, 95.0]) / 4
    off_target = torch.stack([torch.tensor([15.0, 30.0]) / 4, moved])
    expected = {
        "direct": loss_by_hand(direct, maps, weights),
        "decoupled": loss_by_hand(network.decouple(features, anchor, boxes)[:, :-1], maps[:, :-1], weights[:, :-1]),
        "perturbed": loss_by_hand(network.decouple(features, off_target, boxes)[:, :-1], maps[:, :-1], weights[:, :-1]),
    }
    expected["loss"] = expected["direct"] + 1.5 * expected["decoupled"] + 0.5 * expected["perturbed"]
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("variant", ["plain", "boxes"])
def test_a_network_that_does_not_decouple_has_one_term(batch: dict[str, Tensor], variant: str) -> None:
    network, training = make(variant, perturb=False)
    terms = training.eval()(batch)
    maps, weights, _ = targets_by_hand()
    predicted = network(batch["image"], batch["neighbours"], batch["box"])
    assert list(terms) == ["loss"]
    assert terms["loss"].item() == pytest.approx(loss_by_hand(predicted, maps[:, :-1], weights[:, :-1]), rel=1e-4)


@pytest.mark.parametrize("variant", ["plain", "rdpose"])
def test_unbiased_targets_are_what_every_term_asks_for(batch: dict[str, Tensor], variant: str) -> None:
    """Answers that are the targets between cells cost nothing, and those of the family's targets do."""
    network, training = make(variant, perturb=variant != "plain", unbiased=True)
    for unbiased in (True, False):
        answer = draw_targets(batch, torch.ones(4), stride=4, sigma=SIGMA, unbiased=unbiased).maps
        answer = answer[:, : network.head.out_channels]
        network.head.forward = lambda _, answer=answer: answer
        terms = training(batch)
        assert [term.item() < 1e-9 for term in terms.values()] == [unbiased] * len(terms)


CANDIDATES = torch.tensor(
    [
        [[[20.0, 30.0, 0.8], [30.0, 30.0, 0.5]], [[40.0, 50.0, 1.0], [0.0, 0.0, 0.0]], [[9.0, 9.0, 0.0]] * 2],
        [[[33.0, 70.0, -1.0], [5.0, 5.0, -1.0]], [[-60.0, 20.0, 0.9]] * 2, [[60.0, 90.0, 0.3], [60.0, 90.0, 0.2]]],
    ]
)
"""(2, 3, 2, 3): two peaks, one, none; unknown, outside, one twice."""


def soft_maps_by_hand() -> np.ndarray:
    """(2, 3, 24, 16): the highest of the candidates' Gaussians in each cell, cut 6.5 cells from the peak."""
    maps = np.zeros((2, 3, 24, 16))
    for person, joint, row, column in np.ndindex(maps.shape):
        for x, y, height in CANDIDATES[person, joint].numpy():
            across, down = abs(column - x / 4), abs(row - y / 4)
            if height > 0 and max(across, down) < 6.5:
                value = height * np.exp(-(across**2 + down**2) / (2 * SIGMA**2))
                maps[person, joint, row, column] = max(maps[person, joint, row, column], value)
    return maps


def test_soft_maps_by_hand() -> None:
    maps, weights = soft_maps(CANDIDATES, 24, 16, grid=GRID, sigma=SIGMA)
    np.testing.assert_allclose(maps.numpy(), soft_maps_by_hand(), atol=1e-6)
    assert weights.tolist() == [[1, 1, 1], [0, 1, 1]]
    assert maps[0, 0].max() == pytest.approx(0.8 * np.exp(-0.25 / 8), abs=1e-6)  # the peak lies between cells
    assert maps[0, 2].count_nonzero() == maps[1, 1].count_nonzero() == 0


def test_candidates_take_the_place_of_the_joints_targets(batch: dict[str, Tensor]) -> None:
    """The centre, and what a joint weighs in the loss, stay as they are."""
    weights = torch.tensor([1.0, 2.0, 1.0, 1.0])
    without = draw_targets(batch, weights, stride=4, sigma=SIGMA)
    found = draw_targets(batch | {"candidates": CANDIDATES}, weights, stride=4, sigma=SIGMA)
    np.testing.assert_allclose(found.maps[:, :-1].numpy(), soft_maps_by_hand(), atol=1e-6)
    assert torch.equal(found.maps[:, -1], without.maps[:, -1])
    assert torch.equal(found.center, without.center)
    assert found.weights.tolist() == [[1, 2, 1, 1], [0, 2, 1, 1]]


def test_labels_as_candidates_are_unbiased_targets(batch: dict[str, Tensor]) -> None:
    height = torch.where(batch["visible"] > 0, 1.0, -1.0)
    labels = torch.cat([batch["joints"], height[..., None]], dim=-1)[:, :, None]
    found = draw_targets(batch | {"candidates": labels}, torch.ones(4), stride=4, sigma=SIGMA, unbiased=True)
    expected = draw_targets(batch, torch.ones(4), stride=4, sigma=SIGMA, unbiased=True)
    assert torch.equal(found.maps, expected.maps)
    assert torch.equal(found.weights, expected.weights)


def test_rivals_are_where_the_same_joint_of_another_person_is_and_the_own_one_is_not(batch: dict[str, Tensor]) -> None:
    own = draw_targets(batch, torch.ones(4), stride=4, sigma=SIGMA).maps[:, :-1]
    found = rival_maps(batch["rivals"], own, grid=GRID, sigma=SIGMA)
    assert found[0, 0, 13, 11].item() == pytest.approx(1 - own[0, 0, 13, 11].item())
    assert found[0, 0, 13, 11] > 0.9
    assert found[0, 1].count_nonzero() == 0
    assert found[0, 2].max().item() == pytest.approx(0.25, abs=0.01)  # at the own joint itself nothing counts more
    assert found[1].count_nonzero() == 0


@pytest.mark.parametrize("variant", ["plain", "rdpose"])
def test_an_error_at_a_rival_counts_more(batch: dict[str, Tensor], variant: str) -> None:
    network, training = make(variant, rivals=3.0)
    _, without = make(variant)
    own = draw_targets(batch, torch.ones(4), stride=4, sigma=SIGMA).maps[:, :-1]
    where = rival_maps(batch["rivals"], own, grid=GRID, sigma=SIGMA)
    predicted = network.eval()(batch["image"], batch["neighbours"], batch["box"])
    more = (0.5 * 3 * where * (predicted - own).square()).mean(dim=(2, 3)).mean().item()
    term = "loss" if variant == "plain" else "decoupled"
    found, before = (step.eval()(batch)[term].item() for step in (training, without))
    assert more > 1e-4
    assert found - before == pytest.approx(more, rel=1e-3)


def test_without_pdm_its_term_is_absent_and_the_others_stay(batch: dict[str, Tensor]) -> None:
    with_pdm, without = (make("rdpose-paper", perturb=perturb)[1].eval()(batch) for perturb in (True, False))
    assert set(with_pdm) - set(without) == {"perturbed"}
    assert with_pdm["direct"].item() == without["direct"].item()
    assert with_pdm["decoupled"].item() == without["decoupled"].item()
    total = without["direct"] + 1.5 * without["decoupled"]
    assert without["loss"].item() == pytest.approx(total.item(), rel=1e-6)


def test_joint_weights_act_on_joints_and_leave_the_centre(batch: dict[str, Tensor]) -> None:
    network, training = make("rdpose-paper", joint_weights=torch.tensor([1.0, 1.2, 1.5]))
    maps, weights, _ = targets_by_hand()
    direct = network.eval().head(network.features(batch["image"])[0])
    expected = loss_by_hand(direct, maps, weights * [1, 1.2, 1.5, 1])
    assert training.eval()(batch)["direct"].item() == pytest.approx(expected, rel=1e-4)
    assert training.state_dict().keys() == {f"network.{key}" for key in network.state_dict()}


def test_the_sum_over_the_map_is_the_mean_times_its_size(batch: dict[str, Tensor]) -> None:
    mean, total = (
        make("rdpose", loss=partial(heatmap_loss, reduction=reduction))[1].eval()(batch)["loss"].item()
        for reduction in ("mean", "map_sum")
    )
    assert total == pytest.approx(mean * 24 * 16, rel=1e-5)


def test_a_person_without_labels_adds_nothing(batch: dict[str, Tensor]) -> None:
    batch["visible"][:] = 0
    batch["joints"][:] = float("nan")
    _, training = make("rdpose")
    terms = training(batch)
    assert terms["loss"].item() == 0
    terms["loss"].backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in training.parameters())


def test_every_parameter_is_trained(batch: dict[str, Tensor]) -> None:
    """Also through the zero convolutions, after one step."""
    network, training = make("rdpose")
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        training(batch)["loss"].backward()
        optimizer.step()
    assert [name for name, parameter in network.named_parameters() if not parameter.grad.any()] == []


def test_the_published_step_leaves_the_centre_without_target_and_weight(batch: dict[str, Tensor]) -> None:
    torch.manual_seed(2)
    network = builders.build("hrnet_small", "official", num_joints=3)
    assert isinstance(network, OfficialRDPose)
    found = OfficialForTraining(network, loss=heatmap_loss, sigma=SIGMA).eval()(batch)
    maps, weights, _ = targets_by_hand()
    maps[:, -1], weights[:, -1] = 0, 0
    expected = network.loss_terms(batch["image"], torch.from_numpy(maps).float(), torch.from_numpy(weights).float())
    assert {k: v.item() for k, v in found.items()} == pytest.approx(
        {k: v.item() for k, v in expected.items()}, rel=1e-4
    )
