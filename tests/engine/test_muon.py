"""Muon: orthogonal updates of the kernels, whatever the gradient's scale; which parameters are its own; resuming."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from rdpose.config.schema import TrainSettings
from rdpose.engine.muon import Muon, orthogonal
from rdpose.engine.optim import Stepper, freeze, make_optimizers
from rdpose.models import builders

SETTINGS = TrainSettings(optimizer="muon", lr=1e-3)


@pytest.mark.parametrize("shape", [(3, 8, 72), (1, 48, 16), (2, 16, 16)])
def test_singular_values_become_about_one(shape: tuple[int, int, int]) -> None:
    given = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = orthogonal(given)
    values = torch.linalg.svdvals(found)
    assert found.shape == shape
    assert values.max() < 1.4
    assert values.median() > 0.6
    left, _, right = torch.linalg.svd(given, full_matrices=False)
    overlap = ((left @ right) * found).sum((1, 2)) / values.sum(1)  # 1 where the singular vectors are kept
    assert (overlap > 0.99).all()


def test_a_step_is_as_long_whatever_the_gradient() -> None:
    steps = []
    for scale in (1e-3, 1e3):
        kernel = nn.Parameter(torch.zeros(8, 4, 3, 3))
        kernel.grad = scale * torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(1))
        Muon([kernel], lr=1e-2).step()
        steps.append(kernel.detach())
    torch.testing.assert_close(*steps, rtol=1e-3, atol=1e-5)
    assert torch.linalg.matrix_norm(steps[0].reshape(8, 36), 2).item() == pytest.approx(15 * 1e-2, rel=0.4)


def test_two_steps_by_hand() -> None:
    """Of a tall matrix: Nesterov's momentum, decay apart from the gradient, and a step by the square root of 16 / 8."""
    generator = torch.Generator().manual_seed(3)
    start, first, second = (torch.randn(16, 8, 1, 1, generator=generator) for _ in range(3))
    kernel = nn.Parameter(start.clone())
    optimizer = Muon([kernel], lr=1e-2, momentum=0.9, weight_decay=0.5)
    expected, moving = start.flatten(1), torch.zeros(16, 8)
    for gradient in (first, second):
        kernel.grad = gradient.clone()
        optimizer.step()
        moving = 0.9 * moving + 0.1 * gradient.flatten(1)
        direction = orthogonal((0.9 * moving + 0.1 * gradient.flatten(1))[None])[0]
        expected = expected * (1 - 1e-2 * 0.5) - 15 * 1e-2 * 2**0.5 * direction
    torch.testing.assert_close(kernel.detach().flatten(1), expected, rtol=1e-5, atol=1e-5)


def test_a_frozen_backbone_leaves_adamw_alone() -> None:
    network = builders.build("hrnet_small", "rdpose", num_joints=3)
    freeze(network, ["backbone"])
    (adamw,) = make_optimizers(network, SETTINGS)
    theirs = {id(p) for group in adamw.param_groups for p in group["params"]}
    assert theirs == {id(p) for p in network.parameters() if p.requires_grad}
    assert id(network.head.weight) in theirs


def test_half_precision_is_refused() -> None:
    network, settings = (
        builders.build("hrnet_small", "plain", num_joints=3),
        SETTINGS.model_copy(update={"precision": "fp16"}),
    )
    with pytest.raises(ValueError, match="choose bf16"):
        Stepper(network, settings, torch.device("cpu"), steps_per_epoch=1)


def test_kernels_of_the_backbone_are_its_own_and_adamw_has_the_rest() -> None:
    network = builders.build("hrnet_small", "rdpose", num_joints=3)
    muon, adamw = make_optimizers(network, SETTINGS)
    ours = {id(p) for group in muon.param_groups for p in group["params"]}
    theirs = {id(p) for group in adamw.param_groups for p in group["params"]}
    assert not ours & theirs
    assert ours | theirs == {id(p) for p in network.parameters()}
    assert id(network.backbone.conv2.weight) in ours
    assert {id(network.backbone.conv1.weight), id(network.head.weight), id(network.backbone.bn1.weight)} <= theirs


def test_going_on_equals_never_having_stopped() -> None:
    kernels = [nn.Parameter(torch.ones(4, 8, 3, 3)), nn.Parameter(torch.ones(6, 4, 1, 1))]
    gradients = [[torch.randn_like(kernel) for kernel in kernels] for _ in range(4)]

    def go(parameters: list[nn.Parameter], optimizer: Muon, some: list[list[torch.Tensor]]) -> None:
        for step in some:
            for parameter, gradient in zip(parameters, step, strict=True):
                parameter.grad = gradient.clone()
            optimizer.step()

    through, stopped = copy.deepcopy(kernels), copy.deepcopy(kernels)
    go(through, Muon(through, lr=1e-2, weight_decay=0.1), gradients)
    first = Muon(stopped, lr=1e-2, weight_decay=0.1)
    go(stopped, first, gradients[:2])
    second = Muon(stopped, lr=1.0)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    go(stopped, second, gradients[2:])
    for a, b in zip(through, stopped, strict=True):
        assert torch.equal(a, b)
