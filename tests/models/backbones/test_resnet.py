"""SimpleBaseline: the published keys, depths, sizes, export."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from rdpose.models.backbones.resnet import SimpleBaseline

HEAD = ("final_layer.", "c_attn.", "s_attn.", "fuse_attn.")
HEAD_PARAMETERS = 256 * 17 + 17


def small(depth: int = 18) -> SimpleBaseline:
    return SimpleBaseline(depth, filters=(16, 12, 8))


def test_keys_and_shapes_are_the_published_ones(golden: Path) -> None:
    published = json.loads((golden / "keys.json").read_text())["rdpose_resnet50"]
    expected = [(key, tuple(shape)) for key, shape in published.items() if not key.startswith(HEAD)]
    with torch.device("meta"):
        network = SimpleBaseline(50)
    assert [(key, tuple(tensor.shape)) for key, tensor in network.state_dict().items()] == expected


@pytest.mark.parametrize(("depth", "millions"), [(18, 15.4), (34, 25.5), (50, 34.0), (101, 53.0), (152, 68.6)])
def test_size_with_a_head_of_17_joints_is_the_published_one(depth: int, millions: float) -> None:
    with torch.device("meta"):
        network = SimpleBaseline(depth)
    parameters = sum(parameter.numel() for parameter in network.parameters()) + HEAD_PARAMETERS
    assert (network.channels, network.stride) == (256, 4)
    assert round(parameters / 1e6, 1) == millions


def test_an_unknown_depth_is_refused() -> None:
    with pytest.raises(ValueError, match="no ResNet-51; choose one of 18, 34, 50, 101, 152"):
        SimpleBaseline(51)


def test_deconvolutions_start_with_he_weights() -> None:
    deconvolution = small().deconv_layers[0]
    assert isinstance(deconvolution, nn.ConvTranspose2d)
    assert deconvolution.weight.std().item() == pytest.approx((2 / (512 * 16)) ** 0.5, rel=0.05)
