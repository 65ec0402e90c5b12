"""How a training steps: the learning rate by hand, what weight decay spares, the average of the weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rdpose.config.schema import TrainSettings
from rdpose.engine.optim import Stepper, WeightAverage, layer_scales, learning_rate, make_optimizers, size_of
from rdpose.models import builders
from rdpose.models.backbones.vit import ViTPose


def rates(settings: TrainSettings, *steps: int) -> list[float]:
    return [learning_rate(step, 10, settings) for step in steps]


def test_the_rate_warms_up_and_falls_in_steps() -> None:
    settings = TrainSettings(lr=1.0, warmup_steps=3, lr_steps=(2, 4), lr_factor=0.1)
    assert rates(settings, 0, 1, 2, 3, 19) == pytest.approx([0.25, 0.5, 0.75, 1, 1])
    assert rates(settings, 20, 39, 40, 99) == pytest.approx([0.1, 0.1, 0.01, 0.01])


def test_the_rate_falls_as_one_cosine_to_a_hundredth() -> None:
    settings = TrainSettings(lr=2.0, schedule="cosine", epochs=2)
    assert rates(settings, 0, 10, 20) == pytest.approx([2, 2 * (0.01 + 0.99 / 2), 0.02])


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "muon"])
def test_decay_acts_on_weights_alone_and_every_parameter_is_moved_once(optimizer: str) -> None:
    network = builders.build("hrnet_small", "rdpose", num_joints=2)
    made = make_optimizers(network, TrainSettings.model_validate({"optimizer": optimizer, "weight_decay": 0.1}))
    groups = [group for one in made for group in one.param_groups]
    moved = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(moved) == sorted(map(id, network.parameters()))
    for group in groups:
        for parameter in group["params"]:
            assert group["weight_decay"] == (0.1 if parameter.ndim > 1 else 0.0)


@pytest.mark.parametrize(("size", "times"), [(0.0, 1), (0.01, 1), (0.02, 0.4), (0.05, 1), (0.2, 4), (7.0, 20)])
def test_how_large_a_step_is_for_a_parameter_of_some_size(size: float, times: float) -> None:
    """In proportion; near zero it is fresh, and takes a usual step; more than 20 steps at once it never takes."""
    assert size_of(torch.tensor([size, -size])) == pytest.approx(times)


def test_fresh_parameters_take_the_rate_that_is_asked_for_them() -> None:
    assert size_of(torch.zeros(3), 12.0) == 12
    assert size_of(torch.tensor([0.1, -0.1]), 12.0) == pytest.approx(2)


@pytest.mark.parametrize("relative", [False, True])
def test_relative_steps_are_the_rate_times_the_size_at_the_start(relative: bool) -> None:
    network = nn.ModuleDict({"small": nn.Conv2d(1, 1, 1), "large": nn.Conv2d(1, 1, 1)})
    for parameter, size in zip(network.parameters(), (0.05, 0.1, 0.2, 0.0), strict=True):
        nn.init.constant_(parameter, size)
    settings = TrainSettings(optimizer="adamw", lr=1e-3, weight_decay=0, relative_lr=relative, schedule="cosine")
    stepper = Stepper(network, settings, torch.device("cpu"), steps_per_epoch=10)
    before = [parameter.item() for parameter in network.parameters()]
    assert stepper.set_rate(0) == pytest.approx(1e-3)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    for optimizer in stepper.optimizers:
        optimizer.step()
    steps = [old - new.item() for old, new in zip(before, network.parameters(), strict=True)]
    assert steps == pytest.approx([1e-3 * times for times in ([1, 2, 4, 1] if relative else [1, 1, 1, 1])], rel=1e-3)


LAYERS = {"patch_embed": 0.125, "pos_embed": 0.125, "blocks.0": 0.25, "blocks.1": 0.5, "last_norm": 1, "deconv": 1}
"""Of a transformer of two blocks, at a decay of a half."""


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_layers_nearer_to_the_image_take_smaller_steps(optimizer: str) -> None:
    network = builders.build(ViTPose(16, 2, 2, filters=(8, 8)), "rdpose", num_joints=2)
    settings = TrainSettings.model_validate(
        {"optimizer": optimizer, "lr": 1e-3, "layer_decay": 0.5, "weight_decay": 0.1}
    )
    stepper = Stepper(network, settings, torch.device("cpu"), steps_per_epoch=10)
    stepper.set_rate(0)
    groups = [group for one in stepper.optimizers for group in one.param_groups]
    rates = {id(p): (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}
    assert len(rates) == sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
    for name, parameter in network.named_parameters():
        found = [scale for start, scale in LAYERS.items() if name.startswith(f"backbone.{start}")]
        scale = found[0] if name.startswith("backbone.") else 1
        decays = parameter.ndim > 1 and name != "backbone.pos_embed"
        assert rates[id(parameter)] == (pytest.approx(1e-3 * scale), 0.1 if decays else 0), name


def test_published_layer_decay_of_vit_base() -> None:
    with torch.device("meta"):
        network = builders.build("vit_base", "plain", num_joints=17)
    scales = layer_scales(network, 0.75)
    named = {name: scales[parameter] for name, parameter in network.named_parameters()}
    assert named["backbone.patch_embed.proj.weight"] == pytest.approx(0.023757264)  # .75 ** 13
    assert named["backbone.blocks.0.norm1.bias"] == pytest.approx(0.031676352)
    assert named["backbone.blocks.11.mlp.fc2.weight"] == 0.75
    assert named["backbone.last_norm.weight"] == named["backbone.deconv_layers.0.weight"] == named["head.weight"] == 1


def test_a_backbone_that_does_not_count_its_layers_is_told() -> None:
    network = builders.build("hrnet_small", "plain", num_joints=2)
    with pytest.raises(ValueError, match=r"layer_decay is 0\.5, but a HRNet does not say .* set train\.layer_decay=1"):
        make_optimizers(network, TrainSettings(layer_decay=0.5))


def test_the_average_forgets_its_start_and_copies_counters() -> None:
    network = nn.BatchNorm2d(1)
    average = WeightAverage(network, decay=0.9)
    network.load_state_dict({key: value * 0 + 11 for key, value in network.state_dict().items()})
    average.update(network)
    # The first step keeps 2 / 11 of where it was, the running mean 0; from the 80th on it would keep 0.9.
    assert average.tensors["running_mean"].item() == pytest.approx(11 * (1 - 2 / 11))
    assert average.tensors["num_batches_tracked"].item() == 11
    average.updates = 1000
    average.tensors["running_mean"].zero_()
    average.update(network)
    assert average.tensors["running_mean"].item() == pytest.approx(11 * 0.1)
    assert torch.equal(network.running_mean, torch.tensor([11.0]))
