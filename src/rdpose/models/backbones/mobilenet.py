"""MobileNetV2 (Sandler et al., CVPR 2018), 1.75 times as wide, under a feature pyramid: the shape of MoveNet Thunder.

    backbone = mobilenet_fpn()
    features = backbone(image)      # (b, 3, H, W) normalised -> (b, 113, H / 4, W / 4)

`recipes/bundled/movenet_start.py` fills it with MoveNet's published weights. Three things follow from them:

- Their batch norms are folded in. So there are none here, and each convolution has a bias.
- Strided convolutions are padded on the right and at the bottom alone, as TensorFlow pads. Padded on both sides, the
  levels of the pyramid would lie apart from where the weights expect them.
- The pyramid is wider than MoveNet's. The recipe starts what is added so that it changes nothing at first.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from rdpose.models.backbones.blocks import check_image, cut_relu
from rdpose.models.backbones.depthwise import DepthwiseConv

STEM = 56
"""Channels of the first convolution."""
BLOCKS = (32, 40, 40, 56, 56, 56, 112, 112, 112, 112, 168, 168, 168, 280, 280, 280, 560)
"""Output channels of the inverted residuals."""
STRIDED = (1, 3, 6, 13)
"""The blocks that halve the map."""
ENDS = (3, 6, 10, 17)
"""One past the blocks that the pyramid reads, at strides 4, 8, 16 and 32; of stride 16 block 9, not the last."""
TOP = 1280
"""Channels of the last convolution of the encoder, at stride 32."""
WIDTHS = (48, 64, 96, 96)
"""Channels of the pyramid at strides 4, 8, 16 and 32; MoveNet's are 24, 32, 64 and 64."""
FEATURES = 96
"""Channels that MoveNet's layer of keypoints reads."""
KEYPOINTS = 17
"""Channels of that layer, a likelihood for each of COCO's keypoints; they are features here, beside what it reads."""


class InvertedResidual(nn.Module):
    """1x1 to six times the channels, depthwise, 1x1 to the output; the last is linear."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, expand: bool) -> None:
        super().__init__()
        wide = 6 * in_channels if expand else in_channels
        self.expand = nn.Conv2d(in_channels, wide, 1) if expand else None
        self.depthwise = DepthwiseConv(wide, 3, stride, bias=True)
        self.project = nn.Conv2d(wide, out_channels, 1)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else cut_relu(self.expand(x))
        y = self.project(cut_relu(self._filtered(y)))
        return x + y if self.residual else y

    def _filtered(self, y: Tensor) -> Tensor:
        if self.depthwise.stride == (1, 1):
            return self.depthwise(y)
        return self.depthwise(pad(y, (1, 1, 1, 1)))[:, :, 1:, 1:]  # without the row and column that its padding adds


class Separable(nn.Module):
    """A depthwise 3x3 convolution without a bias, a 1x1 convolution, ReLU: (b, a, h, w) -> (b, c, h, w)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.depthwise = DepthwiseConv(in_channels, 3)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.pointwise(self.depthwise(x)))


class MobileNetFPN(nn.Module):
    """(b, 3, H, W) normalised float image -> (b, channels, H / 4, W / 4) features; H and W divisible by 32.

    Raises ValueError for an image of another shape.
    """

    stride, channels = 4, FEATURES + KEYPOINTS
    stem_channels = BLOCKS[ENDS[0] - 1]
    coarser_channels = tuple(BLOCKS[end - 1] for end in ENDS[1:])

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = nn.Conv2d(3, STEM, 3, 2)
        widths = (STEM, *BLOCKS)
        self.blocks = nn.ModuleList(
            InvertedResidual(a, b, stride=2 if place in STRIDED else 1, expand=place > 0)
            for place, (a, b) in enumerate(pairwise(widths))
        )
        self.top = nn.Conv2d(BLOCKS[-1], TOP, 1)
        read = (*(BLOCKS[end - 1] for end in ENDS[:-1]), TOP)
        self.lateral = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(read, WIDTHS, strict=True))
        self.up = nn.ModuleList(Separable(WIDTHS[level], WIDTHS[max(level - 1, 0)]) for level in range(3))
        self.features = Separable(WIDTHS[0], FEATURES)
        self.likelihood = nn.Conv2d(FEATURES, KEYPOINTS, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self.body(self.stem(image))

    def stem(self, image: Tensor) -> Tensor:
        """(b, 3, H, W) -> (b, stem_channels, H / 4, W / 4): all blocks down to that size."""
        check_image(image)
        x = cut_relu(self.conv_stem(pad(image, (0, 1, 0, 1))))
        for block in self.blocks[: ENDS[0]]:
            x = block(x)
        return x

    def body(self, x: Tensor, additions: Sequence[Tensor] = ()) -> Tensor:
        """What the stem made, or something joined to it -> (b, channels, H / 4, W / 4).

        additions: to the last blocks of strides 8, 16 and 32 that the pyramid reads, each (b, coarser_channels[level],
            H / 8, W / 8), ...
        """
        levels = [x]
        for level, (start, end) in enumerate(pairwise(ENDS)):
            for block in self.blocks[start:end]:
                x = block(x)
            x = x + additions[level] if additions else x
            levels.append(x)
        levels[-1] = cut_relu(self.top(x))
        read = [lateral(level) for lateral, level in zip(self.lateral, levels, strict=True)]
        y = read[-1]
        for level in reversed(range(3)):
            y = interpolate(y, scale_factor=2.0, mode="bilinear")
            y = self.up[level](y + read[level])
        features = self.features(y)
        return torch.cat([features, torch.sigmoid(self.likelihood(features))], dim=1)


def mobilenet_fpn() -> MobileNetFPN:
    """A network for processors that can start from MoveNet Thunder's weights, 6.3 M parameters."""
    return MobileNetFPN()
