"""HRNet: the published keys and numbers, any size, any memory order, export."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from rdpose.models.backbones.blocks import BasicBlock, Bottleneck, init_weights, residual_layer
from rdpose.models.backbones.hrnet import HighResolutionModule, hrnet_small, hrnet_w32, hrnet_w48

HEAD = ("final_layer.", "c_attn.", "s_attn.", "fuse_attn.")


def test_keys_and_shapes_are_the_published_ones(golden: Path) -> None:
    published = json.loads((golden / "keys.json").read_text())["rdpose_hrnet_w32"]
    expected = [(key, tuple(shape)) for key, shape in published.items() if not key.startswith(HEAD)]
    assert [(key, tuple(tensor.shape)) for key, tensor in hrnet_w32().state_dict().items()] == expected


@pytest.mark.parametrize(
    ("build", "channels", "low", "high"),
    [(hrnet_w48, 48, 63_594_912, 63_594_912), (hrnet_small, 16, 600_000, 700_000)],
)
def test_size(build, channels: int, low: int, high: int) -> None:
    with torch.device("meta"):
        network = build()
    assert (network.channels, network.stride) == (channels, 4)
    assert low <= sum(parameter.numel() for parameter in network.parameters()) <= high


def test_fusion_is_the_sum_of_all_branches_at_each_resolution() -> None:
    """The branches summed coarsest first equal the published sum, where each is enlarged by its own factor."""
    torch.manual_seed(0)
    module = HighResolutionModule([4, 8, 16, 32], blocks=1).eval()
    inputs = [torch.randn(2, 4 << i, 32 >> i, 16 >> i) for i in range(4)]
    with torch.no_grad():
        outputs = [branch(x) for branch, x in zip(module.branches, inputs, strict=True)]
        for target, fused in enumerate(module(inputs)):
            total = torch.zeros_like(fused)
            for source, layer in enumerate(module.fuse_layers[target]):
                part = layer(outputs[source])
                total += nn.functional.interpolate(part, size=fused.shape[2:], mode="nearest")
            torch.testing.assert_close(fused, total.relu(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
@pytest.mark.parametrize("stride", [1, 2])
def test_residual_layer_shapes(block, stride: int) -> None:
    layer = residual_layer(block, 6, 4, num_blocks=2, stride=stride)
    assert layer(torch.zeros(2, 6, 8, 8)).shape == (2, 4 * block.expansion, 8 // stride, 8 // stride)


def test_he_initialisation() -> None:
    layers = nn.Sequential(nn.Conv2d(16, 64, 3), nn.BatchNorm2d(64))
    nn.init.constant_(layers[1].weight, 7.0)
    init_weights(layers)
    assert layers[0].weight.std().item() == pytest.approx(np.sqrt(2 / (64 * 9)), rel=0.05)
    assert not layers[0].bias.any()
    assert (layers[1].weight == 1).all()
