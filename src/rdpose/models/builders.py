"""Names to networks: the one place where a backbone and a variant are chosen.

network = build("hrnet_w32", "rdpose", num_joints=17)
network = build(my_backbone, "rdpose-paper", num_joints=21)     # any module (b, 3, H, W) -> (b, C, h, w)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from rdpose.models import hrnet, resnet
from rdpose.models.decoupling import FeatureDecoupling, NeighbourDecoupling
from rdpose.models.official import OfficialRDPose
from rdpose.models.rdpose import RDPose, number_of

RESNETS: dict[str, Callable[[], nn.Module]] = {
    f"resnet{depth}": partial(resnet.SimpleBaseline, depth) for depth in (18, 34, 50, 101, 152)
}
BACKBONES: dict[str, Callable[[], nn.Module]] = {
    "hrnet_w32": hrnet.hrnet_w32,
    "hrnet_w48": hrnet.hrnet_w48,
    "hrnet_small": hrnet.hrnet_small,
    **RESNETS,
}
VARIANTS = ("rdpose", "rdpose-paper", "rdpose-residual", "boxes", "boxes-residual", "plain", "official")


def build(backbone: str | nn.Module, variant: str, *, num_joints: int) -> RDPose | OfficialRDPose:
    """A pose network with fresh weights.

    Args:
        backbone: a name in `BACKBONES`, or a module with the attributes `channels` and `stride`.
        variant: rdpose (residual decoupling, aware of neighbours), rdpose-paper, plain (nothing decouples), or
            official (what the published code computes).

    Raises:
        ValueError: the backbone or the variant is unknown.
    """
    if variant not in VARIANTS:
        raise ValueError(f"unknown variant {variant!r}; there are {', '.join(VARIANTS)}")
    module = backbone if isinstance(backbone, nn.Module) else build_backbone(backbone)
    if variant == "official":
        return OfficialRDPose(module, num_joints, decouple_at_test=not isinstance(module, resnet.SimpleBaseline))
    channels = number_of(module, "channels")
    decoupling = {
        "rdpose": lambda: NeighbourDecoupling(channels),
        "rdpose-paper": lambda: FeatureDecoupling(channels),
        "rdpose-residual": lambda: FeatureDecoupling(channels, residual=True),
        "boxes-residual": lambda: FeatureDecoupling(channels, residual=True),
    }.get(variant, lambda: None)()
    return RDPose(
        module, num_joints, decoupling=decoupling, neighbour_aware=variant in ("rdpose", "boxes", "boxes-residual")
    )


def build_backbone(name: str) -> nn.Module:
    """The backbone called `name`, with fresh weights.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in BACKBONES:
        raise ValueError(f"unknown backbone {name!r}; there are {', '.join(BACKBONES)}")
    return BACKBONES[name]()
