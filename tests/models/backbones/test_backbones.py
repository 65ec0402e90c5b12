"""What holds for every backbone: features at stride 4 of any size, two halves, any memory order, gradients, export."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import nn

from rdpose.models.backbones.efficientnet import EfficientNetUNet, Stage, efficientnet_lite0
from rdpose.models.backbones.hrnet import HRNet
from rdpose.models.backbones.lite_hrnet import LiteHRNet
from rdpose.models.backbones.mobilenet import MobileNetFPN, mobilenet_fpn
from rdpose.models.backbones.resnet import SimpleBaseline
from rdpose.models.backbones.unet import UNet, unet_small

Build = Callable[[], nn.Module]
STAGES = (Stage(1, 3, 1, 1, 8), Stage(2, 3, 2, 2, 8), Stage(1, 5, 2, 2, 8), Stage(2, 3, 2, 2, 8), Stage(1, 5, 2, 2, 16))
BACKBONES: dict[str, Build] = {
    "hrnet": lambda: HRNet(8, modules=(1, 1, 2), blocks=1, stem_channels=8, stem_blocks=1),
    "resnet18": lambda: SimpleBaseline(18, filters=(16, 12, 8)),
    "resnet50": lambda: SimpleBaseline(50, filters=(16, 12, 8)),
    "unet": lambda: UNet((8, 8, 16, 16), (1, 1, 1, 2)),
    "efficientnet": lambda: EfficientNetUNet(STAGES, (8, 12, 16, 16)),
    "mobilenet": MobileNetFPN,
    "lite_hrnet": lambda: LiteHRNet(16, modules=(1, 1, 1)),
    "lite_hrnet_naive": lambda: LiteHRNet(8, modules=(1, 1, 1), naive=True),
}


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
    assert early.shape == (1, network.stem_channels, 16, 8)
    torch.testing.assert_close(network.body(early), network(image))


@torch.no_grad()
def test_additions_reach_the_coarser_levels(network: nn.Module) -> None:
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
