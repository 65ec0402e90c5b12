"""Each family of backbones, small."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from rdpose.models.backbones.efficientnet import EfficientNetUNet, Stage
from rdpose.models.backbones.hrnet import HRNet
from rdpose.models.backbones.lite_hrnet import LiteHRNet
from rdpose.models.backbones.mobilenet import MobileNetFPN
from rdpose.models.backbones.resnet import SimpleBaseline
from rdpose.models.backbones.unet import UNet
from rdpose.models.backbones.vit import ViTPose

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
    "vit": lambda: ViTPose(16, 2, 2, filters=(16, 16)),
    "vit_simple": lambda: ViTPose(16, 2, 2, filters=None),
}
