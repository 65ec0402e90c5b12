"""How a training steps: the learning rate by hand, what weight decay spares, the average of the weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rdpose.config.schema import TrainSettings
from rdpose.engine.optim import WeightAverage, learning_rate, make_optimizers
from rdpose.models import builders


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
