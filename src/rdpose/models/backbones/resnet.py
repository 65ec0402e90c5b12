"""SimpleBaseline (Xiao et al., ECCV 2018): a ResNet whose stride-32 features are enlarged by three deconvolutions.

    backbone = SimpleBaseline(50)
    features = backbone(image)      # (b, 3, H, W) normalised -> (b, 256, H / 4, W / 4)

Keys and shapes of the state dict are those of the published network without its final_layer.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from rdpose.models.backbones.blocks import (
    BasicBlock,
    Block,
    Bottleneck,
    check_image,
    deconvolutions,
    init_weights,
    residual_layer,
)

LAYOUTS: dict[int, tuple[Block, tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}


class SimpleBaseline(nn.Module):
    """(b, 3, H, W) normalised float image -> (b, filters[-1], H / 4, W / 4) features; H and W divisible by 32.

    depth: 18, 34, 50, 101 or 152 layers.
    filters: channels of the three deconvolutions, each of which doubles the size.

    Raises ValueError for another depth, and for an image of another shape.
    """

    stride = 4
    stem_channels = 64

    def __init__(self, depth: int, *, filters: tuple[int, int, int] = (256, 256, 256)) -> None:
        super().__init__()
        if depth not in LAYOUTS:
            raise ValueError(f"There is no ResNet-{depth}; choose one of {', '.join(map(str, LAYOUTS))} layers.")
        block, blocks = LAYOUTS[depth]
        self.channels = filters[-1]
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        wide = block.expansion
        self.coarser_channels = (128 * wide, 256 * wide, 512 * wide)
        self.layer1 = residual_layer(block, 64, 64, blocks[0])
        self.layer2 = residual_layer(block, 64 * wide, 128, blocks[1], stride=2)
        self.layer3 = residual_layer(block, 128 * wide, 256, blocks[2], stride=2)
        self.layer4 = residual_layer(block, 256 * wide, 512, blocks[3], stride=2)
        self.deconv_layers = nn.Sequential(*deconvolutions(512 * wide, *filters))
        init_weights(self)

    def forward(self, image: Tensor) -> Tensor:
        return self.body(self.stem(image))

    def stem(self, image: Tensor) -> Tensor:
        """(b, 3, H, W) -> (b, stem_channels, H / 4, W / 4): the strided convolution and the pooling."""
        check_image(image)
        return self.maxpool(self.relu(self.bn1(self.conv1(image))))

    def body(self, early: Tensor, additions: Sequence[Tensor] = ()) -> Tensor:
        """What the stem made, or something joined to it -> (b, channels, H / 4, W / 4).

        additions: to the layers of strides 8, 16 and 32, each (b, coarser_channels[layer], H / 8, W / 8), ...
        """
        x = self.layer1(early)
        for number, layer in enumerate((self.layer2, self.layer3, self.layer4)):
            x = layer(x)
            x = x + additions[number] if additions else x
        return self.deconv_layers(x)
