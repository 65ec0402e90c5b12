"""A residual network shaped like a U: down to stride 32 by residual blocks, and back up to stride 4 through skips.

    backbone = unet_small()
    features = backbone(image)      # (b, 3, H, W) normalised -> (b, 32, H / 4, W / 4)

Most of its work is done on small maps with many channels, where processors are fast: it trains on one core with about
2.5 times the multiply-adds of `hrnet_small` a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from rdpose.models.backbones.blocks import BasicBlock, check_image, init_weights, residual_layer


class UNet(nn.Module):
    """(b, 3, H, W) normalised float image -> (b, widths[0], H / 4, W / 4) features; H and W divisible by 32.

    widths: channels at strides 4, 8, 16 and 32.
    blocks: residual blocks at each of them, on the way down; one each on the way up.

    Raises ValueError for an image of another shape.
    """

    stride = 4

    def __init__(self, widths: tuple[int, int, int, int], blocks: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.channels = self.stem_channels = widths[0]
        self.coarser_channels = widths[1:]
        self.conv1 = conv_norm(3, widths[0] // 2, size=3, stride=2)
        self.conv2 = conv_norm(widths[0] // 2, widths[0], size=3, stride=2)
        before, strides = (widths[0], *widths[:-1]), (1, 2, 2, 2)
        levels = zip(before, widths, blocks, strides, strict=True)
        self.down = nn.ModuleList(residual_layer(BasicBlock, *level) for level in levels)
        self.lateral, self.up = way_up(widths)
        init_weights(self)

    def forward(self, image: Tensor) -> Tensor:
        return self.body(self.stem(image))

    def stem(self, image: Tensor) -> Tensor:
        """Two strided convolutions: (b, 3, H, W) -> (b, stem_channels, H / 4, W / 4)."""
        check_image(image)
        return torch.relu(self.conv2(torch.relu(self.conv1(image))))

    def body(self, x: Tensor, additions: Sequence[Tensor] = ()) -> Tensor:
        """What the stem made, or something joined to it -> (b, channels, H / 4, W / 4).

        additions: to the levels of strides 8, 16 and 32, each (b, coarser_channels[level], H / 8, W / 8), ...
        """
        seen = [self.down[0](x)]
        for number, level in enumerate(list(self.down)[1:]):
            x = level(seen[-1])
            seen.append(x + additions[number] if additions else x)
        return climb(seen, self.lateral, self.up)


def unet_small() -> UNet:
    """A network for processors, 2.3 M parameters."""
    return UNet((32, 64, 128, 192), (1, 2, 2, 2))


def way_up(widths: tuple[int, int, int, int]) -> tuple[nn.ModuleList, nn.ModuleList]:
    """What `climb` needs: 1x1 convolutions from each level's channels to the next finer one's, and a block at each."""
    lateral = nn.ModuleList(conv_norm(b, a, size=1) for a, b in pairwise(widths))
    return lateral, nn.ModuleList(BasicBlock(width, width) for width in widths[:-1])


def climb(levels: list[Tensor], lateral: nn.ModuleList, up: nn.ModuleList) -> Tensor:
    """From the coarsest of `levels` (fine to coarse, each half the size before it) up to the finest, joining each."""
    x = levels[-1]
    for level in reversed(range(len(up))):
        coarse = interpolate(lateral[level](x), scale_factor=2.0, mode="nearest")
        x = up[level](torch.relu(coarse + levels[level]))
    return x


def conv_norm(in_channels: int, out_channels: int, *, size: int, stride: int = 1) -> nn.Sequential:
    """A convolution and its normalisation."""
    conv = nn.Conv2d(in_channels, out_channels, size, stride, size // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels))
