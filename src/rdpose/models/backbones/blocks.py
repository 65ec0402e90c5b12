"""Blocks that the backbones are made of: residual blocks, their initialisation, the check of the input's size.

Attribute names are those of the published HRNet and ResNet code, so that published weights fit key by key.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import relu6


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: (b, in_channels, h, w) -> (b, width, h / stride, w / stride)."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = shortcut(in_channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += self.downsample(x)
        return self.relu(y)


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions and a shortcut: (b, in_channels, h, w) -> (b, 4 width, h / stride, w / stride)."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        out_channels = width * self.expansion
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = shortcut(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += self.downsample(x)
        return self.relu(y)


def cut_relu(x: Tensor) -> Tensor:
    """ReLU6, in place where no gradient will ask for what was there: half the time on a processor."""
    return relu6(x, inplace=not x.requires_grad)


Block = type[BasicBlock] | type[Bottleneck]


def shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """What a residual block adds to its result: its input, projected where the shape changes."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels))


def residual_layer(block: Block, in_channels: int, width: int, num_blocks: int, stride: int = 1) -> nn.Sequential:
    """`num_blocks` blocks in a row, of which the first one changes channels and resolution."""
    first = block(in_channels, width, stride)
    return nn.Sequential(first, *(block(width * block.expansion, width) for _ in range(num_blocks - 1)))


def deconvolutions(*channels: int) -> list[nn.Module]:
    """Layers that double the size once for each pair of neighbouring `channels`, as SimpleBaseline enlarges."""
    return [
        layer
        for before, after in pairwise(channels)
        for layer in (
            nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        )
    ]


def init_weights(module: nn.Module) -> None:
    """He initialisation (He et al. 2015, fan out) of every convolution in `module`; norms start as the identity.

    PyTorch's own default is about 2.4 times smaller and lets a heatmap network learn next to nothing for epochs.
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()


def check_image(image: Tensor) -> None:
    """Raise a ValueError unless `image` is (b, 3, height, width) with both sides divisible by 32."""
    if image.ndim != 4 or image.shape[1] != 3 or image.shape[2] % 32 or image.shape[3] % 32:
        raise ValueError(
            f"A backbone was given an image of shape {tuple(image.shape)}; it takes (batch, 3, height, width) with "
            "height and width divisible by 32: choose another input size."
        )
