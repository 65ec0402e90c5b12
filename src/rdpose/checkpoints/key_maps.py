"""Keys of other checkpoints as ours: the HRNet family, the published RDPose, mmpose 0.x and 1.x, ImageNet.

Names and shapes inside a backbone are the published ones everywhere; what differs is what stands before them. Vision
transformers alone have several sets of names (`vit_keys.py`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from torch import Tensor

from rdpose.checkpoints import vit_keys
from rdpose.models.backbones import resnet, vit

OFFICIAL = {
    "final_layer.": "head.",
    "c_attn.atn.": "decoupling.channel.",
    "s_attn.atn.": "decoupling.place.",
    "s_attn.conv.": "decoupling.mask.",
    "fuse_attn.": "decoupling.fuse.",
}
"""The published code's names and ours; in both directions."""
MMPOSE = {
    f"{head}.{part}.": ours
    for head in ("keypoint_head", "head")
    for part, ours in (("final_layer", "head."), ("deconv_layers", "backbone.deconv_layers."))
}
OURS = ("normalise.", "backbone.", "head.", "decoupling.", "neighbour_map.")
CLASSIFIER = re.compile(r"(incre_modules|downsamp_modules|final_layer|classifier|fc|stage4\.2\.fuse_layers\.[123])\.")
"""What ImageNet weights have beyond a pose backbone."""
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")

FAMILY, RDPOSE, MMPOSE_0, MMPOSE_1 = "HRNet family", "published RDPose", "mmpose 0.x", "mmpose 1.x"
IMAGENET, BACKBONE, OWN = "ImageNet", "backbone alone", "rdpose"
TRANSFORMERS = "transformers"


def layout_of(keys: Collection[str]) -> str:
    """Where a checkpoint with these keys comes from: one of the names above."""
    marks = {
        OWN: "normalise.mean",
        TRANSFORMERS: "backbone.embeddings.",
        RDPOSE: "c_attn.",
        MMPOSE_0: "keypoint_head.",
        MMPOSE_1: "head.final_layer.",
        IMAGENET: ("classifier.", "fc."),
        FAMILY: "final_layer.",
    }
    return next((name for name, mark in marks.items() if any(key.startswith(mark) for key in keys)), BACKBONE)


def to_ours(key: str) -> str:
    """Our name of a tensor, as `RDPose` has it; our own names stay as they are."""
    for theirs, ours in (OFFICIAL | MMPOSE).items():
        if key.startswith(theirs):
            return ours + key.removeprefix(theirs)
    return key if key.startswith(OURS) else f"backbone.{key}"


def to_official(key: str) -> str:
    """The name that `OfficialRDPose` has for our tensor `key`."""
    for theirs, ours in OFFICIAL.items():
        if key.startswith(ours):
            return theirs + key.removeprefix(ours)
    return key


def is_learned(key: str) -> bool:
    """Whether a tensor of this name is a parameter rather than a buffer."""
    return not key.endswith(BUFFERS) and not key.startswith("normalise.")


def backbone_of(tensors: Mapping[str, Tensor], where: str) -> str:
    """The name, as in `builders.BACKBONES`, of the network that tensors under our keys make up.

    Raises:
        ValueError: it is none of them.
    """
    if "backbone.transition1.0.0.weight" in tensors:
        width = len(tensors["backbone.transition1.0.0.weight"])
        known = {16: "hrnet_small", 32: "hrnet_w32", 48: "hrnet_w48"}
        if width not in known:
            raise ValueError(f"{where} holds an HRNet of width {width}; the known ones are {_said(known)}")
        return known[width]
    if vit_keys.is_vit(tensors):
        return vit_keys.size_of(tensors, where)
    if "backbone.stage0.0.fuse_layers.0.1.0.weight" in tensors:
        return _lite_hrnet(tensors, where)
    bottleneck = "backbone.layer4.0.conv3.weight" in tensors
    blocks = tuple(_num_blocks(tensors, layer) for layer in range(1, 5))
    for depth, (block, numbers) in resnet.LAYOUTS.items():
        if numbers == blocks and (block is resnet.Bottleneck) == bottleneck:
            return f"resnet{depth}"
    first = ", ".join(key.removeprefix("backbone.") for key in list(tensors)[:3])
    raise ValueError(
        f"{where} holds neither HRNet, ResNet nor ViTPose (it begins with {first}); rdpose reads weights of HRNet-W32 "
        f"and W48, Lite-HRNet, ResNet-{_said(resnet.LAYOUTS)} and {_said(vit.SIZES)}, of ImageNet, the HRNet family, "
        "RDPose, ViTPose, mmpose or transformers"
    )


def _lite_hrnet(tensors: Mapping[str, Tensor], where: str) -> str:
    """A Lite-HRNet by its width, its kind of blocks, and the modules of its second stage."""
    width = len(tensors["backbone.stage0.0.fuse_layers.0.1.0.weight"])
    naive = any(".branch2." in key for key in tensors)
    modules = len({match[1] for key in tensors if (match := re.match(r"backbone\.stage1\.(\d+)\.", key))})
    known = {
        (40, 4, False): "lite_hrnet_18",
        (40, 8, False): "lite_hrnet_30",
        (30, 4, True): "lite_hrnet_18_naive",
        (40, 4, True): "lite_hrnet_18_wider_naive",
    }
    if (width, modules, naive) not in known:
        kind = "naive Lite-HRNet" if naive else "Lite-HRNet"
        raise ValueError(
            f"{where} holds a {kind} of width {width} with {modules} modules in its second stage; the known ones are "
            f"{_said(known.values())}"
        )
    return known[width, modules, naive]


def _num_blocks(tensors: Mapping[str, Tensor], layer: int) -> int:
    return sum(bool(re.fullmatch(rf"backbone\.layer{layer}\.\d+\.conv1\.weight", key)) for key in tensors)


def _said(items: Collection[object]) -> str:
    return ", ".join(map(str, items))
