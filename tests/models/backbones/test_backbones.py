"""What holds for every backbone: features at stride 4 of any size, two halves, any memory order, gradients, export."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from rdpose.models.backbones.efficientnet import efficientnet_lite0
from rdpose.models.backbones.mobilenet import mobilenet_fpn
from rdpose.models.backbones.unet import unet_small
from rdpose.models.backbones.vit import VITS, ViTPose
from tiny_backbones import BACKBONES, Build


@pytest.fixture(params=BACKBONES)
def network(request: pytest.FixtureRequest) -> nn.Module:
    """Small, but for MobileNet, which comes in one size."""
    torch.manual_seed(0)
    return BACKBONES[request.param]()


@pytest.mark.parametrize(
    ("build", "channels", "stem", "parameters"),
    [
        (unet_small, 32, 32, 2_347_216),
        (efficientnet_lite0, 48, 24, 3_305_408),
        (mobilenet_fpn, 113, 40, 6_270_441),
        (VITS["vit_small"], 256, 384, 24_286_208),
        (VITS["vit_base_simple"], 768, 768, 85_794_816),
        (VITS["vit_large"], 256, 1024, 308_540_416),
        (VITS["vit_huge"], 256, 1280, 637_204_480),
    ],
)
def test_size(build: Build, channels: int, stem: int, parameters: int) -> None:
    with torch.device("meta"):
        network = build()
    assert (network.channels, network.stem_channels, network.stride) == (channels, stem, 4)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96), (160, 32)])
def test_features_stand_at_stride_four(network: nn.Module, height: int, width: int) -> None:
    assert network.stride == 4
    assert network(torch.zeros(2, 3, height, width)).shape == (2, network.channels, height // 4, width // 4)


@torch.no_grad()
def test_the_body_continues_where_the_stem_ends(network: nn.Module) -> None:
    image = torch.randn(1, 3, 64, 32)
    early = network.eval().stem(image)
    stride = 16 if isinstance(network, ViTPose) else 4
    assert early.shape == (1, network.stem_channels, 64 // stride, 32 // stride)
    torch.testing.assert_close(network.body(early), network(image))


@torch.no_grad()
def test_additions_reach_the_coarser_levels(network: nn.Module) -> None:
    if isinstance(network, ViTPose):
        pytest.skip("a transformer has one level")
    early = network.eval().stem(torch.randn(1, 3, 64, 32))
    sizes = [(1, width, 8 >> level, 4 >> level) for level, width in enumerate(network.coarser_channels)]
    assert len(sizes) == 3
    nothing, expected = [torch.zeros(size) for size in sizes], network.body(early)
    assert torch.equal(network.body(early, nothing), expected)
    for level, size in enumerate(sizes):
        more = [torch.randn(size) if level == place else zero for place, zero in enumerate(nothing)]
        assert (network.body(early, more) - expected).abs().max() > 1e-4


@pytest.mark.parametrize("shape", [(1, 3, 100, 64), (1, 3, 64, 40), (1, 1, 64, 64), (3, 64, 64)])
def test_other_images_are_refused_with_the_remedy(network: nn.Module, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=rf"{re.escape(str(shape))}.*divisible by 32"):
        network(torch.zeros(shape))


@torch.no_grad()
def test_channels_last_gives_the_same_features_in_the_same_order(network: nn.Module) -> None:
    image = torch.randn(2, 3, 64, 64)
    expected = network.eval()(image)
    features = network.to(memory_format=torch.channels_last)(image.to(memory_format=torch.channels_last))
    assert features.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-4)


def test_every_parameter_has_a_gradient(network: nn.Module) -> None:
    network(torch.randn(2, 3, 64, 64)).square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@torch.no_grad()
def test_every_level_matters_everywhere(network: nn.Module) -> None:
    """A change of one corner of the picture reaches the opposite corner of the features, through the coarsest level."""
    image = torch.randn(1, 3, 64, 64)
    other = image.clone()
    other[..., :8, :8] += 1
    assert (network.eval()(image) - network(other))[..., -1, -1].abs().max() > 0


def test_export_keeps_the_numbers_and_a_free_batch(network: nn.Module) -> None:
    given = (torch.randn(2, 3, 64, 64),)
    program = torch.export.export(network.eval(), given, dynamic_shapes=({0: torch.export.Dim("batch")},))
    image = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(program.module()(image), network(image))
