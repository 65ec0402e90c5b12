"""SimpleBaseline (Xiao et al., ECCV 2018): a ResNet whose stride-32 features are enlarged by three deconvolutions.

    backbone = simple_baseline(50)
    features = backbone(image)      # (b, 3, H, W) normalised -> (b, 256, H / 4, W / 4)

Keys and shapes of the state dict are those of the published network without its final_layer.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from rdpose.models.blocks import BasicBlock, Block, Bottleneck, check_image, init_weights, residual_layer

LAYOUTS: dict[int, tuple[Block, tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}


class SimpleBaseline(nn.Module):
    """(b, 3, H, W) normalised float image -> (b, filters[-1], H / 4, W / 4) features; H and W divisible by 32.

    block, blocks: the residual block of the ResNet and how many of them each of its four layers has.
    filters: channels of the three deconvolutions, each of which doubles the size.

    Raises ValueError for an image of another shape.
    """

    stride = 4

    def __init__(
        self, block: Block, blocks: tuple[int, int, int, int], *, filters: tuple[int, int, int] = (256, 256, 256)
    ) -> None:
        super().__init__()
        self.channels = filters[-1]
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        wide = block.expansion
        self.layer1 = residual_layer(block, 64, 64, blocks[0])
        self.layer2 = residual_layer(block, 64 * wide, 128, blocks[1], stride=2)
        self.layer3 = residual_layer(block, 128 * wide, 256, blocks[2], stride=2)
        self.layer4 = residual_layer(block, 256 * wide, 512, blocks[3], stride=2)
        self.deconv_layers = nn.Sequential(
            *(layer for pair in pairwise((512 * wide, *filters)) for layer in _deconvolution(*pair))
        )
        init_weights(self)

    def forward(self, image: Tensor) -> Tensor:
        check_image(image)
        x = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.deconv_layers(x)


def simple_baseline(depth: int, *, filters: tuple[int, int, int] = (256, 256, 256)) -> SimpleBaseline:
    """SimpleBaseline on a ResNet of `depth` layers; ValueError unless it is 18, 34, 50, 101 or 152."""
    if depth not in LAYOUTS:
        raise ValueError(f"There is no ResNet-{depth}; choose one of {', '.join(map(str, LAYOUTS))} layers.")
    block, blocks = LAYOUTS[depth]
    return SimpleBaseline(block, blocks, filters=filters)


def _deconvolution(in_channels: int, out_channels: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    return (
        nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
