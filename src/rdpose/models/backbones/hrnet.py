"""HRNet (Sun et al., CVPR 2019): branches at strides 4, 8, 16 and 32 that run side by side and exchange features.

    backbone = hrnet_w32()
    features = backbone(image)      # (b, 3, H, W) normalised -> (b, 32, H / 4, W / 4)

Keys and shapes of the state dict are those of the published network without its final_layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import interpolate

from rdpose.models.backbones.blocks import BasicBlock, Bottleneck, check_image, init_weights, residual_layer


class HRNet(nn.Module):
    """(b, 3, H, W) normalised float image -> (b, channels, H / 4, W / 4) features; H and W divisible by 32.

    channels: of the branch at stride 4; every further branch doubles them.
    modules: exchange modules in stages 2, 3 and 4 (of two, three and four branches).
    blocks: residual blocks per branch and module.
    stem_channels, stem_blocks: width of the two strided convolutions and number of bottlenecks that follow them.

    Raises ValueError for an image of another shape.
    """

    stride = 4

    def __init__(
        self,
        channels: int = 32,
        *,
        modules: tuple[int, int, int] = (1, 4, 3),
        blocks: int = 4,
        stem_channels: int = 64,
        stem_blocks: int = 4,
    ) -> None:
        super().__init__()
        self.channels, self.stem_channels = channels, stem_channels
        widths = [channels << branch for branch in range(4)]
        self.coarser_channels = tuple(widths[1:])
        self.conv1 = nn.Conv2d(3, stem_channels, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem_channels)
        self.conv2 = nn.Conv2d(stem_channels, stem_channels, 3, 2, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(stem_channels)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = residual_layer(Bottleneck, stem_channels, stem_channels, stem_blocks)
        self.transition1 = nn.ModuleList(
            [
                _conv(stem_channels * Bottleneck.expansion, widths[0], stride=1),
                _down([stem_channels * Bottleneck.expansion, widths[1]]),
            ]
        )
        self.stage2 = _stage(widths[:2], modules[0], blocks)
        self.transition2 = _transition(widths[:3])
        self.stage3 = _stage(widths[:3], modules[1], blocks)
        self.transition3 = _transition(widths)
        self.stage4 = _stage(widths, modules[2], blocks, only_finest=True)
        init_weights(self)

    def forward(self, image: Tensor) -> Tensor:
        return self.body(self.stem(image))

    def stem(self, image: Tensor) -> Tensor:
        """The two strided convolutions: (b, 3, H, W) -> (b, stem_channels, H / 4, W / 4)."""
        check_image(image)
        x = self.relu(self.bn1(self.conv1(image)))
        return self.relu(self.bn2(self.conv2(x)))

    def body(self, x: Tensor, additions: Sequence[Tensor] = ()) -> Tensor:
        """What the stem made, or something joined to it -> (b, channels, H / 4, W / 4).

        additions: to the branches of strides 8, 16 and 32 where they begin, each (b, coarser_channels[branch],
            H / 8, W / 8), ...
        """
        stages = (self.stage2, self.transition1), (self.stage3, self.transition2), (self.stage4, self.transition3)
        branches = [self.layer1(x)]
        for number, (stage, transition) in enumerate(stages):
            new = transition[-1](branches[-1])
            new = new + additions[number] if additions else new
            finest = transition[0](branches[0])
            branches = stage([finest, *branches[1:], new])
        return branches[0]


class HighResolutionModule(nn.Module):
    """Residual blocks on each branch, then every branch receives the sum of all, brought to its resolution.

    widths: channels of the branches, finest first. only_finest: compute the sum of the first branch alone, as the
    network's last module does. Takes and returns a list of (b, width, h, w), each half the size of the one before.
    """

    def __init__(self, widths: list[int], blocks: int, *, only_finest: bool = False) -> None:
        super().__init__()
        self.branches = nn.ModuleList(residual_layer(BasicBlock, width, width, blocks) for width in widths)
        targets = range(1 if only_finest else len(widths))
        self.fuse_layers = nn.ModuleList(_Fusion(widths, target) for target in targets)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        outputs = [branch(x) for branch, x in zip(self.branches, inputs, strict=True)]
        return [self.relu(fusion(outputs)) for fusion in self.fuse_layers]


class _Fusion(nn.ModuleList):
    """The sum of all branches at the resolution of the branch `target`.

    Coarser branches are summed from the coarsest up, each sum doubled in size once: nearest-neighbour enlarging is
    linear, so this equals enlarging every branch by its own factor and touches far less memory.
    """

    def __init__(self, widths: list[int], target: int) -> None:
        super().__init__(_exchange(widths, source, target) for source in range(len(widths)))
        self.target = target

    def forward(self, outputs: list[Tensor]) -> Tensor:
        parts = [layer(x) for layer, x in zip(self, outputs, strict=True)]
        total = parts.pop()
        for source, part in reversed(list(enumerate(parts))):
            if source >= self.target:
                total = interpolate(total, scale_factor=2.0, mode="nearest")
            total = total + part
        return total


def hrnet_w32() -> HRNet:
    """The published HRNet-W32: 28.5 M parameters."""
    return HRNet(32)


def hrnet_w48() -> HRNet:
    """The published HRNet-W48: 63.6 M parameters."""
    return HRNet(48)


def hrnet_small() -> HRNet:
    """A network for processors, 0.69 M parameters: one module per stage, one block per branch, a narrow stem."""
    return HRNet(16, modules=(1, 1, 1), blocks=1, stem_channels=16, stem_blocks=1)


def _conv(in_channels: int, out_channels: int, *, stride: int, relu: bool = True) -> nn.Sequential:
    layers = [nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False), nn.BatchNorm2d(out_channels)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


def _down(widths: list[int], *, last_relu: bool = True) -> nn.Sequential:
    """One strided convolution per step of `widths`: halves the size len(widths) - 1 times."""
    steps = list(pairwise(widths))
    return nn.Sequential(
        *(_conv(a, b, stride=2, relu=last_relu or i < len(steps) - 1) for i, (a, b) in enumerate(steps))
    )


def _exchange(widths: list[int], source: int, target: int) -> nn.Module:
    """What brings a branch to the channels of another one; for a finer target the size is left to the caller."""
    if source == target:
        return nn.Identity()
    if source > target:
        return nn.Sequential(nn.Conv2d(widths[source], widths[target], 1, bias=False), nn.BatchNorm2d(widths[target]))
    return _down([widths[source]] * (target - source) + [widths[target]], last_relu=False)


def _transition(widths: list[int]) -> nn.ModuleList:
    """Existing branches stay as they are; the new, coarsest one is made of the coarsest so far."""
    return nn.ModuleList([*(nn.Identity() for _ in widths[:-1]), _down(widths[-2:])])


def _stage(widths: list[int], modules: int, blocks: int, *, only_finest: bool = False) -> nn.Sequential:
    last = modules - 1
    return nn.Sequential(
        *(HighResolutionModule(widths, blocks, only_finest=only_finest and i == last) for i in range(modules))
    )
