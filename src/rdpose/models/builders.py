"""Names to networks: the one place where a backbone and a variant are chosen.

network = build("hrnet_w32", "rdpose", num_joints=17)
network = build(my_backbone, "rdpose-paper", num_joints=21)     # any module (b, 3, H, W) -> (b, C, h, w)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from rdpose.geometry import Convention
from rdpose.models import user_backbone
from rdpose.models.backbone_checks import number_of
from rdpose.models.backbones import efficientnet, hrnet, hub, lite_hrnet, mobilenet, resnet, unet, vit
from rdpose.models.decoupling import FeatureDecoupling, NeighbourDecoupling
from rdpose.models.rdpose import RDPose
from rdpose.models.reference import OfficialRDPose

RESNETS: dict[str, Callable[[], nn.Module]] = {
    f"resnet{depth}": partial(resnet.SimpleBaseline, depth) for depth in (18, 34, 50, 101, 152)
}
BACKBONES: dict[str, Callable[[], nn.Module]] = {
    "hrnet_w32": hrnet.hrnet_w32,
    "hrnet_w48": hrnet.hrnet_w48,
    "hrnet_small": hrnet.hrnet_small,
    "unet_small": unet.unet_small,
    "efficientnet_lite0": efficientnet.efficientnet_lite0,
    "mobilenet_fpn": mobilenet.mobilenet_fpn,
    "lite_hrnet_18": lite_hrnet.lite_hrnet_18,
    "lite_hrnet_30": lite_hrnet.lite_hrnet_30,
    "lite_hrnet_18_naive": lite_hrnet.lite_hrnet_18_naive,
    "lite_hrnet_18_wider_naive": lite_hrnet.lite_hrnet_18_wider_naive,
    **RESNETS,
    **vit.VITS,
}
DECOUPLINGS: dict[str, Callable[[int], nn.Module] | None] = {
    "rdpose": NeighbourDecoupling,
    "rdpose-paper": FeatureDecoupling,
    "rdpose-residual": partial(FeatureDecoupling, residual=True),
    "boxes": None,
    "plain": None,
}
"""What decouples, by variant; it is made with the number of channels."""
NEIGHBOUR_AWARE = ("rdpose", "boxes")
"""Variants that join the people's boxes to the features."""
VARIANTS = (*DECOUPLINGS, "official")


def build(
    backbone: str | nn.Module, variant: str, *, num_joints: int, convention: Convention = "hrnet"
) -> RDPose | OfficialRDPose:
    """A pose network with fresh weights.

    Args:
        backbone: a name in `BACKBONES`, or a module with the attributes `channels` and `stride`. A name
            "package.module:factory" is not loaded here: `chosen` does that, where a person gave it.
        variant: rdpose (boxes joined at every level, decoupling that knows the neighbours), rdpose-paper, plain
            (nothing decouples), official (what the published code computes), or one of the ablation's steps between:
            boxes (joined likewise, nothing decouples), rdpose-residual (the paper's FDM, residual, no boxes).
        convention: where cells lie in the crop.

    Raises:
        ValueError: the backbone or the variant is unknown.
    """
    if variant not in VARIANTS:
        raise ValueError(f"unknown variant {variant!r}; there are {', '.join(VARIANTS)}")
    module = backbone if isinstance(backbone, nn.Module) else build_backbone(backbone)
    if variant == "official":
        baseline = isinstance(module, resnet.SimpleBaseline)
        return OfficialRDPose(module, num_joints, simple_baseline=baseline, convention=convention)
    make = DECOUPLINGS[variant]
    decoupling = make(number_of(module, "channels")) if make else None
    aware = variant in NEIGHBOUR_AWARE
    return RDPose(module, num_joints, decoupling=decoupling, neighbour_aware=aware, convention=convention)


def chosen(backbone: str) -> str | nn.Module:
    """What `build` takes for a backbone's name that a person gave.

    A user's own is loaded, which runs its code; one of transformers is fetched with its weights.

    Raises:
        ImportError, ValueError: as `user_backbone.load` and `hub.fetch`.
    """
    if hub.is_named(backbone):
        return hub.fetch(backbone)
    return user_backbone.load(backbone) if user_backbone.is_named(backbone) else backbone


def build_backbone(name: str) -> nn.Module:
    """The backbone called `name`, with fresh weights.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in BACKBONES:
        own = "one of transformers is named hf:owner/name, one of your own package.module:factory"
        raise ValueError(f"unknown backbone {name!r}; there are {', '.join(BACKBONES)}; {own}")
    return BACKBONES[name]()
