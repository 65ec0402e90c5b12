"""Lite-HRNet (Yu et al., CVPR 2021): HRNet's branches, made of shuffle blocks that weight channels (`shuffle.py`).

    backbone = lite_hrnet_18()
    features = backbone(image)      # (b, 3, H, W) normalised -> (b, 40, H / 4, W / 4)

Keys and shapes of the state dict are those of the published network (HRNet/Lite-HRNet, mmpose) without its final_layer.
The two naive forms keep the 1x1 layers of the shuffle blocks; the wider one is the backbone of PP-TinyPose.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from rdpose.models.backbones.blocks import init_weights
from rdpose.models.backbones.depthwise import DepthwiseConv
from rdpose.models.backbones.shuffle import (
    STEM,
    ChannelWeighting,
    ConvNorm,
    DepthwiseNorm,
    ShuffleUnit,
    Stem,
    enlarged,
)

BLOCKS = 2
"""Blocks of a module."""


class LiteHRNet(nn.Module):
    """(b, 3, H, W) normalised float image -> (b, channels, H / 4, W / 4) features; H and W divisible by 32.

    channels: of the branch at stride 4; every further branch doubles them.
    modules: exchange modules in the stages of two, three and four branches.
    naive: shuffle blocks with their 1x1 layers, without weights for channels.

    Raises ValueError for an image of another shape.
    """

    stride, stem_channels = 4, STEM

    def __init__(self, channels: int = 40, *, modules: tuple[int, int, int] = (2, 4, 2), naive: bool = False) -> None:
        super().__init__()
        self.channels = channels
        widths = [channels << branch for branch in range(4)]
        self.coarser_channels = tuple(widths[1:])
        self.stem = Stem()
        self.transition0 = nn.ModuleList([_fitted(STEM, widths[0]), nn.Sequential(_halved(STEM, widths[1]))])
        self.stage0 = _stage(widths[:2], modules[0], naive)
        self.transition1 = _transition(widths[:3])
        self.stage1 = _stage(widths[:3], modules[1], naive)
        self.transition2 = _transition(widths)
        self.stage2 = _stage(widths, modules[2], naive)
        self.head_layer = IterativeHead(widths)
        init_weights(self)

    def forward(self, image: Tensor) -> Tensor:
        return self.body(self.stem(image))

    def body(self, x: Tensor, additions: Sequence[Tensor] = ()) -> Tensor:
        """What the stem made, or something joined to it -> (b, channels, H / 4, W / 4).

        additions: to the branches of strides 8, 16 and 32 where they begin, each (b, coarser_channels[branch],
            H / 8, W / 8), ...
        """
        stages = (self.stage0, self.transition0), (self.stage1, self.transition1), (self.stage2, self.transition2)
        branches = [x]
        for number, (stage, transition) in enumerate(stages):
            new = transition[-1](branches[-1])
            new = new + additions[number] if additions else new
            branches = stage([transition[0](branches[0]), *branches[1:], new])
        return self.head_layer(branches)


class LiteModule(nn.Module):
    """Blocks on all branches, then every branch receives the others, brought to its resolution.

    Takes and returns a list of (b, width, h, w), each half the size of the one before.
    """

    def __init__(self, widths: list[int], *, naive: bool) -> None:
        super().__init__()
        self.naive = naive
        self.layers: nn.Module = (
            nn.ModuleList(nn.Sequential(*(ShuffleUnit(width) for _ in range(BLOCKS))) for width in widths)
            if naive
            else nn.Sequential(*(ChannelWeighting(widths) for _ in range(BLOCKS)))
        )
        self.fuse_layers = nn.ModuleList(Exchange(widths, target) for target in range(len(widths)))

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        if self.naive:
            assert isinstance(self.layers, nn.ModuleList)
            branches = [layer(x) for layer, x in zip(self.layers, branches, strict=True)]
        else:
            branches = self.layers(branches)
        return self.exchanged(branches)

    def exchanged(self, branches: list[Tensor]) -> list[Tensor]:
        """The sums, as the published code makes them, which its weights are trained for.

        It adds in place, and begins each sum with the finest branch. So this one counts twice in all of them, and what
        the other branches receive of it is its own sum, still without ReLU.
        """
        first, *others = self.fuse_layers
        finest = first(branches)
        sums = [finest, *(exchange([finest, *branches[1:]]) for exchange in others)]
        return [torch.relu(total) for total in sums]


class Exchange(nn.ModuleList):
    """The sum of all branches at the resolution of the branch `target`, the finest counted twice."""

    def __init__(self, widths: list[int], target: int) -> None:
        super().__init__(_exchange(widths, source, target) for source in range(len(widths)))
        self.target = target

    def forward(self, branches: list[Tensor]) -> Tensor:
        total, *parts = (
            enlarged(layer(x), 1 << max(source - self.target, 0))
            for source, (layer, x) in enumerate(zip(self, branches, strict=True))
        )
        total = 2 * total
        for part in parts:
            total = total + part
        return total


class IterativeHead(nn.Module):
    """From the coarsest branch up to the finest, each joined to the next: a list -> (b, widths[0], h, w)."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        upwards = widths[::-1]
        self.projects = nn.ModuleList(Separable(a, b) for a, b in pairwise([*upwards, upwards[-1]]))

    def forward(self, branches: list[Tensor]) -> Tensor:
        x, *finer = branches[::-1]
        first, *others = self.projects
        x = first(x)
        for project, branch in zip(others, finer, strict=True):
            x = project(branch + interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True))
        return x


class Separable(nn.Module):
    """A depthwise 3x3 and a 1x1 convolution, each with its norm, and ReLU: (b, a, h, w) -> (b, c, h, w)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.depthwise_conv = DepthwiseNorm(in_channels)
        self.pointwise_conv = ConvNorm(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise_conv(self.depthwise_conv(x))


def lite_hrnet_18() -> LiteHRNet:
    """The published Lite-HRNet-18: 1.1 M parameters."""
    return LiteHRNet(40, modules=(2, 4, 2))


def lite_hrnet_30() -> LiteHRNet:
    """The published Lite-HRNet-30: 1.8 M parameters."""
    return LiteHRNet(40, modules=(3, 8, 3))


def lite_hrnet_18_naive() -> LiteHRNet:
    """The published naive Lite-HRNet-18: 0.7 M parameters."""
    return LiteHRNet(30, modules=(2, 4, 2), naive=True)


def lite_hrnet_18_wider_naive() -> LiteHRNet:
    """The published wider naive Lite-HRNet-18, which PP-TinyPose is built on: 1.3 M parameters."""
    return LiteHRNet(40, modules=(2, 4, 2), naive=True)


def _separable(in_channels: int, out_channels: int, *, stride: int, relu: bool = True) -> list[nn.Module]:
    """A depthwise and a 1x1 convolution as the layers of one sequence, as published between branches."""
    depthwise, pointwise = DepthwiseConv(in_channels, 3, stride), nn.Conv2d(in_channels, out_channels, 1, bias=False)
    layers: list[nn.Module] = [depthwise, nn.BatchNorm2d(in_channels), pointwise, nn.BatchNorm2d(out_channels)]
    return [*layers, nn.ReLU(inplace=True)] if relu else layers


def _fitted(in_channels: int, out_channels: int) -> nn.Module:
    """The same branch with other channels."""
    return (
        nn.Identity()
        if in_channels == out_channels
        else nn.Sequential(*_separable(in_channels, out_channels, stride=1))
    )


def _halved(in_channels: int, out_channels: int, *, relu: bool = True) -> nn.Sequential:
    return nn.Sequential(*_separable(in_channels, out_channels, stride=2, relu=relu))


def _exchange(widths: list[int], source: int, target: int) -> nn.Module:
    """What brings a branch to the channels of another one; for a finer target the size is left to the caller."""
    if source == target:
        return nn.Identity()
    if source > target:
        return nn.Sequential(nn.Conv2d(widths[source], widths[target], 1, bias=False), nn.BatchNorm2d(widths[target]))
    steps = list(pairwise([widths[source]] * (target - source) + [widths[target]]))
    return nn.Sequential(*(_halved(a, b, relu=step < len(steps) - 1) for step, (a, b) in enumerate(steps)))


def _transition(widths: list[int]) -> nn.ModuleList:
    """Existing branches stay as they are; the new, coarsest one is made of the coarsest so far."""
    return nn.ModuleList([*(nn.Identity() for _ in widths[:-1]), nn.Sequential(_halved(*widths[-2:]))])


def _stage(widths: list[int], modules: int, naive: bool) -> nn.Sequential:
    return nn.Sequential(*(LiteModule(widths, naive=naive) for _ in range(modules)))
