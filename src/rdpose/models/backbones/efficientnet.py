"""EfficientNet-Lite0 (Tan & Le, ICML 2019; the Lite form has no squeeze-and-excitation and ReLU6), shaped like a U.

    backbone = efficientnet_lite0()
    features = backbone(image)      # (b, 3, H, W) normalised -> (b, 48, H / 4, W / 4)

Parts of the encoder have the published names without their leading underscores, so that published ImageNet weights
fit key by key (`recipes/imagenet_start.py`). Strided convolutions are padded on both sides alike, as everywhere in
this package: TensorFlow's padding, one side only, sees the same picture one cell further.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rdpose.models.backbones.blocks import check_image, cut_relu, init_weights
from rdpose.models.backbones.depthwise import DepthwiseConv
from rdpose.models.backbones.unet import climb, conv_norm, way_up


class Stage(NamedTuple):
    """Blocks of one width: how many, kernel size, stride of the first, expansion, output channels."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


LITE0 = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
STEM = 32
"""Channels of the first convolution."""


class MBConv(nn.Module):
    """Inverted residual: 1x1 to `expansion` times the channels, depthwise, 1x1 to the output; the last is linear."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = expansion * in_channels
        self.expand_conv = nn.Conv2d(in_channels, wide, 1, bias=False) if expansion > 1 else None
        self.bn0 = _norm(wide) if expansion > 1 else None
        self.depthwise_conv = DepthwiseConv(wide, kernel, stride)
        self.bn1 = _norm(wide)
        self.project_conv = nn.Conv2d(wide, out_channels, 1, bias=False)
        self.bn2 = _norm(out_channels)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y = x
        if self.expand_conv is not None and self.bn0 is not None:
            y = cut_relu(self.bn0(self.expand_conv(y)))
        y = cut_relu(self.bn1(self.depthwise_conv(y)))
        y = self.bn2(self.project_conv(y))
        return x + y if self.residual else y


class EfficientNetUNet(nn.Module):
    """(b, 3, H, W) normalised float image -> (b, widths[0], H / 4, W / 4) features; H and W divisible by 32.

    widths: channels of the way up, at strides 4, 8, 16 and 32.

    Raises ValueError for an image of another shape.
    """

    stride = 4

    def __init__(self, stages: tuple[Stage, ...], widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.conv_stem = nn.Conv2d(3, STEM, 3, 2, 1, bias=False)
        self.bn0 = _norm(STEM)
        blocks = list(_blocks(stages))
        self.blocks = nn.ModuleList(blocks)
        starts = [place for place, block in enumerate(blocks) if block.depthwise_conv.stride == (2, 2)]
        self.ends = [*starts[1:], len(blocks)]
        """Of the blocks at strides 4, 8, 16 and 32."""
        reached = [blocks[end - 1].project_conv.out_channels for end in self.ends]
        self.stem_channels, self.channels = reached[0], widths[0]
        self.coarser_channels = tuple(reached[1:])
        self.skip = nn.ModuleList(conv_norm(a, b, size=1) for a, b in zip(reached, widths, strict=True))
        self.lateral, self.up = way_up(widths)
        init_weights(self)

    def forward(self, image: Tensor) -> Tensor:
        return self.body(self.stem(image))

    def stem(self, image: Tensor) -> Tensor:
        """(b, 3, H, W) -> (b, stem_channels, H / 4, W / 4): all blocks down to that size."""
        check_image(image)
        x = cut_relu(self.bn0(self.conv_stem(image)))
        for block in self.blocks[: self.ends[0]]:
            x = block(x)
        return x

    def body(self, x: Tensor, additions: Sequence[Tensor] = ()) -> Tensor:
        """What the stem made, or something joined to it -> (b, channels, H / 4, W / 4).

        additions: to the last blocks of strides 8, 16 and 32, each (b, coarser_channels[level], H / 8, W / 8), ...
        """
        levels = [x]
        for level, (start, end) in enumerate(pairwise(self.ends)):
            for block in self.blocks[start:end]:
                x = block(x)
            x = x + additions[level] if additions else x
            levels.append(x)
        skips = [skip(level) for skip, level in zip(self.skip, levels, strict=True)]
        return climb([*skips[:-1], torch.relu(skips[-1])], self.lateral, self.up)


def _blocks(stages: tuple[Stage, ...]) -> Iterator[MBConv]:
    channels = STEM
    for stage in stages:
        for place in range(stage.blocks):
            stride = stage.stride if place == 0 else 1
            yield MBConv(channels, stage.channels, stage.kernel, stride, stage.expansion)
            channels = stage.channels


def efficientnet_lite0() -> EfficientNetUNet:
    """A network for processors that can start from ImageNet weights, 3.3 M parameters."""
    return EfficientNetUNet(LITE0, (48, 64, 96, 96))


def _norm(channels: int) -> nn.BatchNorm2d:
    """With the published epsilon; the momentum is torch's, ten times the published one, for shorter trainings."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.1)
