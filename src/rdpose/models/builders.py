"""Names to networks: the one place where a backbone and a variant are chosen.

network = build("hrnet_w32", "rdpose", num_joints=17)
network = build(my_backbone, "rdpose-paper", num_joints=21)     # any module (b, 3, H, W) -> (b, C, h, w)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from rdpose.models import hrnet, resnet
from rdpose.models.decoupling import FeatureDecoupling
from rdpose.models.rdpose import RDPose

BACKBONES: dict[str, Callable[[], nn.Module]] = {
    "hrnet_w32": hrnet.hrnet_w32,
    "hrnet_w48": hrnet.hrnet_w48,
    "hrnet_small": hrnet.hrnet_small,
} | {f"resnet{depth}": partial(resnet.SimpleBaseline, depth) for depth in (18, 34, 50, 101, 152)}

VARIANTS = ("rdpose", "rdpose-paper", "plain")


def build(backbone: str | nn.Module, variant: str, *, num_joints: int) -> RDPose:
    """A pose network with fresh weights.

    Args:
        backbone: a name in `BACKBONES`, or a module with the attributes `channels` and `stride`.
        variant: rdpose (residual decoupling, aware of neighbours), rdpose-paper, or plain (nothing decouples).

    Raises:
        ValueError: the backbone or the variant is unknown.
    """
    if isinstance(backbone, str):
        if backbone not in BACKBONES:
            raise ValueError(f"unknown backbone {backbone!r}; there are {', '.join(BACKBONES)}")
        backbone = BACKBONES[backbone]()
    if variant not in VARIANTS:
        raise ValueError(f"unknown variant {variant!r}; there are {', '.join(VARIANTS)}")
    decoupling = None if variant == "plain" else FeatureDecoupling(backbone.channels, residual=variant == "rdpose")
    return RDPose(backbone, num_joints, decoupling=decoupling, neighbour_aware=variant == "rdpose")
