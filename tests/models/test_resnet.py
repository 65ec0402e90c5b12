"""SimpleBaseline: the published keys, depths, sizes, export."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from rdpose.models.resnet import SimpleBaseline

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


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96)])
def test_features_stand_at_stride_four(depth: int, height: int, width: int) -> None:
    network = small(depth)
    assert network.channels == 8
    assert network(torch.zeros(2, 3, height, width)).shape == (2, 8, height // 4, width // 4)


def test_the_body_continues_where_the_stem_ends() -> None:
    network, image = small().eval(), torch.randn(1, 3, 64, 32)
    with torch.no_grad():
        early = network.stem(image)
        assert early.shape == (1, network.stem_channels, 16, 8)
        torch.testing.assert_close(network.body(early), network(image))


def test_an_image_not_divisible_by_32_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 3, 100, 64\).*divisible by 32"):
        small()(torch.zeros(1, 3, 100, 64))


def test_every_parameter_has_a_gradient() -> None:
    network = small()
    network(torch.randn(2, 3, 64, 64)).square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_deconvolutions_start_with_he_weights() -> None:
    deconvolution = small().deconv_layers[0]
    assert isinstance(deconvolution, nn.ConvTranspose2d)
    assert deconvolution.weight.std().item() == pytest.approx((2 / (512 * 16)) ** 0.5, rel=0.05)
