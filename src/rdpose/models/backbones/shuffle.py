"""Blocks of Lite-HRNet (Yu et al., CVPR 2021): shuffle blocks, and those that weight channels in place of 1x1 layers.

Attribute names are those of the published code (HRNet/Lite-HRNet, mmpose), so that published weights fit key by key.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from rdpose.models.backbones.blocks import check_image
from rdpose.models.backbones.depthwise import DepthwiseConv

STEM = 32
"""Channels after the stem."""
CROSS_RATIO, SPATIAL_RATIO = 8, 4
"""How many times fewer channels the layers between have that make weights: of all branches, and of one."""


class ConvNorm(nn.Sequential):
    """A convolution, its norm, and ReLU: (b, in_channels, h, w) -> (b, out_channels, h / stride, w / stride)."""

    def __init__(
        self, in_channels: int, out_channels: int, *, size: int = 1, stride: int = 1, relu: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, size, stride, size // 2, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)
        if relu:
            self.relu = nn.ReLU(inplace=True)


class DepthwiseNorm(nn.Sequential):
    """A depthwise 3x3 convolution and its norm: (b, channels, h, w) -> (b, channels, h / stride, w / stride)."""

    def __init__(self, channels: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv = DepthwiseConv(channels, 3, stride)
        self.bn = nn.BatchNorm2d(channels)


class Stem(nn.Module):
    """A strided convolution and a strided shuffle block: (b, 3, H, W) -> (b, STEM, H / 4, W / 4).

    Raises ValueError for an image of another shape.
    """

    def __init__(self) -> None:
        super().__init__()
        half = STEM // 2
        self.conv1 = ConvNorm(3, STEM, size=3, stride=2)
        self.branch1 = nn.Sequential(DepthwiseNorm(half, stride=2), ConvNorm(half, half))
        self.expand_conv = ConvNorm(half, STEM)
        self.depthwise_conv = DepthwiseNorm(STEM, stride=2)
        self.linear_conv = ConvNorm(STEM, half)

    def forward(self, image: Tensor) -> Tensor:
        check_image(image)
        first, second = self.conv1(image).chunk(2, dim=1)
        return shuffled(self.branch1(first), self.linear_conv(self.depthwise_conv(self.expand_conv(second))))


class ShuffleUnit(nn.Module):
    """ShuffleNetV2's block (Ma et al., ECCV 2018): half of (b, channels, h, w) goes through three layers."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.branch2 = nn.Sequential(ConvNorm(half, half), DepthwiseNorm(half), ConvNorm(half, half))

    def forward(self, x: Tensor) -> Tensor:
        kept, changed = x.chunk(2, dim=1)
        return shuffled(kept, self.branch2(changed))


class ChannelWeighting(nn.Module):
    """Conditional channel weighting: half of every branch is weighted by what all branches see, filtered, and weighted
    by what it sees itself. Takes and returns a list of (b, width, h, w), each half the size of the one before."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        halves = [width // 2 for width in widths]
        self.cross_resolution_weighting = CrossResolutionWeighting(halves)
        self.depthwise_convs = nn.ModuleList(DepthwiseNorm(half) for half in halves)
        self.spatial_weighting = nn.ModuleList(SpatialWeighting(half) for half in halves)

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        kept, changed = zip(*(x.chunk(2, dim=1) for x in branches), strict=True)
        layers = zip(
            self.cross_resolution_weighting(changed), self.depthwise_convs, self.spatial_weighting, strict=True
        )
        return [shuffled(own, weigh(conv(x))) for own, (x, conv, weigh) in zip(kept, layers, strict=True)]


class CrossResolutionWeighting(nn.Module):
    """Weights for the channels of all branches, at each cell of the coarsest one."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.widths = widths
        self.conv1 = ConvNorm(sum(widths), sum(widths) // CROSS_RATIO)
        self.conv2 = ConvNorm(sum(widths) // CROSS_RATIO, sum(widths), relu=False)

    def forward(self, branches: Sequence[Tensor]) -> list[Tensor]:
        steps = [1 << (len(branches) - 1 - place) for place in range(len(branches))]
        coarse = [avg_pool2d(x, step) if step > 1 else x for x, step in zip(branches, steps, strict=True)]
        weights = torch.sigmoid(self.conv2(self.conv1(torch.cat(coarse, dim=1)))).split(self.widths, dim=1)
        return [x * enlarged(weight, step) for x, weight, step in zip(branches, weights, steps, strict=True)]


class SpatialWeighting(nn.Module):
    """A weight for each channel of (b, channels, h, w), the same everywhere (squeeze and excitation)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        between = channels // SPATIAL_RATIO
        self.conv1 = nn.ModuleDict({"conv": nn.Conv2d(channels, between, 1)})  # as published, where norms are left out
        self.conv2 = nn.ModuleDict({"conv": nn.Conv2d(between, channels, 1)})

    def forward(self, x: Tensor) -> Tensor:
        between = torch.relu(self.conv1["conv"](x.mean(dim=(2, 3), keepdim=True)))
        return x * torch.sigmoid(self.conv2["conv"](between))


def shuffled(first: Tensor, second: Tensor) -> Tensor:
    """(b, 2 channels, h, w): the channels of two maps (b, channels, h, w) in turns."""
    return torch.stack([first, second], dim=2).flatten(1, 2)


def enlarged(x: Tensor, factor: int) -> Tensor:
    """(b, c, h * factor, w * factor): every cell repeated."""
    return interpolate(x, scale_factor=float(factor), mode="nearest") if factor > 1 else x
