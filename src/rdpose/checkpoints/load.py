"""Weights of any origin as ours: the one place that networks are loaded from.

    weights = read("pose_hrnet_w32_256x192.pth")                # tensors in our keys, settings, skeleton, notes
    network, settings, skeleton = load_network("weights.safetensors")

Read are rdpose's own files, HRNet's and SimpleBaseline's pose weights, the published RDPose's, training checkpoints of
these, ImageNet backbones, Lite-HRNet's own files, mmpose's of all these, and ViTPose's of its own code, easy_ViTPose,
mmpose and transformers (a folder). Loading is strict; what a file does not say is guessed from its shapes and name
(`infer_config.py`), and noted.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from rdpose.checkpoints import folders, infer_config, key_maps, native, pickles, vit_keys, zoo
from rdpose.checkpoints.infer_config import NOTHING, Asked
from rdpose.checkpoints.native import Weights
from rdpose.checkpoints.pickles import Content
from rdpose.config.schema import Settings
from rdpose.models import builders, user_backbone
from rdpose.models.backbones import hub
from rdpose.models.rdpose import Normalise, RDPose
from rdpose.models.reference import OfficialRDPose
from rdpose.skeletons import Skeleton

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading(Weights):
    """Weights, and what else their file tells."""

    layout: str = key_maps.OWN
    notes: tuple[str, ...] = ()
    """What was assumed or left out, a sentence each."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """The file's own account of its training: epoch, perf."""


def load_network(path: str | Path, asked: Asked = NOTHING) -> tuple[RDPose | OfficialRDPose, Settings, Skeleton]:
    """The network of a weights file of any origin, in evaluation mode; notes go to standard error.

    Raises:
        FileNotFoundError, ValueError: as `read`, or the file holds no pose network, or joints without names.
    """
    path = zoo.located(path)
    weights = read(path, asked)
    refuse_nameless(weights, path)
    if not weights.skeleton.joints:
        raise ValueError(f"{path} holds a backbone without a pose head; start a training from it by model.init={path}")
    for note in weights.notes:
        log.warning(f"{path}: {note}")
    model, backbone = weights.settings.model, backbone_for(weights, asked, path)
    with _Undrawn():
        joints = weights.skeleton.num_joints
        network = builders.build(backbone, model.variant, num_joints=joints, convention=model.geometry)
    native.load_strictly(network, weights.tensors, path)
    return network.eval(), weights.settings, weights.skeleton


def backbone_for(weights: Weights, asked: Asked, path: str | Path) -> str | nn.Module:
    """The backbone that a file names, as `builders.build` takes it. A user's own is loaded where a person names it.

    Raises:
        ImportError: it is one of transformers, which is not installed.
        ValueError: the file names a user's own and nobody else does, or it needs none and one is named.
    """
    name = weights.settings.model.backbone
    if hub.is_named(name) and not asked.backbone:
        return hub.of_weights(weights.tensors, path)
    if not user_backbone.is_named(name):
        if asked.backbone:
            raise ValueError(f"{path} is built on {name}, which comes with rdpose; leave your own backbone out")
        return name
    named = asked.backbone or (name if asked.like and asked.like.backbone == name else None)
    if named is None:
        raise ValueError(
            f"{path} is built on a backbone that is not part of rdpose; if you trust its code, name it: "
            f"--backbone {name}, or backbone={name!r} in Python"
        )
    return user_backbone.load(named)


def refuse_nameless(weights: Weights, path: str | Path) -> None:
    """Raise a ValueError where nobody knows which joint is which: a flip test would mix up left and right."""
    if weights.skeleton.name == infer_config.UNNAMED:
        raise ValueError(
            f"{path} finds {weights.skeleton.num_joints} joints and does not name them; "
            f"name them by `rdpose convert {path} NEW.safetensors --skeleton JOINTS.yaml`"
        )


def read(path: str | Path, asked: Asked = NOTHING) -> Reading:
    """Read a weights file of any origin; the name of public weights stands for their file, once fetched.

    Raises:
        FileNotFoundError: there is no such file, or it was not fetched.
        ValueError: no checkpoint, a pickle of foreign objects, an unknown network, or tensors missing or left over.
    """
    path = zoo.located(path)
    content = folders.read(path) if folders.is_model(path) else pickles.read(path)
    if not content.has_settings:
        return _translate(content, Path(path), asked)
    if replace(asked, like=None, like_bgr=None, backbone=None) != NOTHING:
        raise ValueError(f"{path} carries its own settings and joints; they are not said again")
    return Reading(**vars(native.load_weights(path)))


def _translate(content: Content, path: Path, asked: Asked) -> Reading:
    layout = key_maps.layout_of(content.tensors)
    asked = replace(
        asked, image_size=asked.image_size or content.image_size, skeleton=asked.skeleton or content.skeleton
    )
    left_out = [key for key in content.tensors if _is_left_out(key, layout, asked)]
    kept = {key: tensor for key, tensor in content.tensors.items() if key not in left_out}
    kept, changed = vit_keys.as_published(kept, str(path)) if vit_keys.is_vit(kept) else (kept, ())
    origin = {key_maps.to_ours(key): key for key in kept}
    tensors = {ours: _single(kept[key]) for ours, key in origin.items()}
    backbone = key_maps.backbone_of(tensors, str(path))
    variant = infer_config.variant_of(tensors, content, asked, path)
    num_maps = len(tensors.get("head.weight", ()))
    has_centre = any(key.startswith("decoupling.") for key in tensors)
    skeleton = infer_config.skeleton_of(max(0, num_maps - has_centre), content, asked, path)
    tensors, fresh = _complete(tensors, origin, _Network(backbone, variant, skeleton.num_joints), asked, path)
    settings, notes = infer_config.settings_of(path.stem, backbone, variant, skeleton, asked, udp=content.udp)
    notes += changed
    if infer_config.is_bgr(layout, backbone, asked):
        swap_colors(tensors)
        notes = (*notes, *infer_config.note_on_bgr(asked))
    if variant == "official":
        tensors = {key_maps.to_official(key): tensor for key, tensor in tensors.items()}
    for keys, what in ((left_out, "not used"), (fresh, "missing, and fresh")):
        notes = (*notes, f"{what}: {_listed(keys)}") if keys else notes
    return Reading(tensors, settings, skeleton, layout, notes, content.figures)


def _is_left_out(key: str, layout: str, asked: Asked) -> bool:
    of_imagenet = layout == key_maps.IMAGENET and bool(key_maps.CLASSIFIER.match(key))
    return key.startswith(asked.ignore) or of_imagenet or vit_keys.is_left_over(key)


def _single(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


@dataclass(frozen=True)
class _Network:
    """What a file's tensors must make up; without joints, a backbone alone."""

    backbone: str
    variant: str
    num_joints: int

    def state(self) -> dict[str, Tensor]:
        """Our keys and fresh tensors."""
        if self.num_joints:
            network: nn.Module = builders.build(self.backbone, self.variant, num_joints=self.num_joints)
        else:
            network = nn.ModuleDict({"backbone": builders.build_backbone(self.backbone), "normalise": Normalise()})
        state = {key_maps.to_ours(key): tensor for key, tensor in network.state_dict().items()}
        # ImageNet's ResNets have no deconvolutions, and need none to start from.
        return state if self.num_joints else {k: t for k, t in state.items() if ".deconv_layers." not in k}


class _Undrawn(TorchFunctionMode):
    """Networks are built without drawing their first weights, which takes longer than reading others."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.normal_, Tensor.uniform_):
            return args[0]
        return func(*args, **(kwargs or {}))


def _complete(
    tensors: Mapping[str, Tensor], origin: Mapping[str, str], network: _Network, asked: Asked, path: Path
) -> tuple[dict[str, Tensor], list[str]]:
    """Every tensor of the network, in its order, and the keys of those that start fresh because they may be missing.

    Raises:
        ValueError: lists what is missing, not known, or of another shape.
    """
    with _Undrawn():
        expected = network.state()
    tensors = _with_constants(tensors, expected)
    missing = [key for key in expected if key not in tensors]
    fresh = [key for key in missing if key.startswith(asked.allow_missing)]
    wrong = {
        "missing": [key for key in missing if key not in fresh],
        "not known": [origin[key] for key in tensors if key not in expected],
        "of another shape": [
            f"{key} is {tuple(tensors[key].shape)} and not {tuple(expected[key].shape)}"
            for key in expected
            if key in tensors and tensors[key].shape != expected[key].shape
        ],
    }
    if any(wrong.values()):
        said = "; ".join(f"{len(keys)} {what} ({_listed(keys)})" for what, keys in wrong.items() if keys)
        raise ValueError(
            f"{path} does not hold what {network.backbone} ({network.variant}) consists of: {said}; "
            "allow_missing and ignore name keys that may be"
        )
    own = network.state() if fresh else {}
    return {key: tensors[key] if key in tensors else own[key] for key in expected}, fresh


def _with_constants(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same, with what other files leave out: the normalisation, and (before PyTorch 0.4.1) idle counters."""
    counters = {key: torch.tensor(0) for key in expected if key.endswith("num_batches_tracked")}
    return counters | {f"normalise.{key}": value for key, value in Normalise().state_dict().items()} | dict(tensors)


def swap_colors(tensors: dict[str, Tensor]) -> None:
    """Make a network for BGR pictures, under our keys, one for RGB pictures with the same answers.

    The first convolution's input channels change places, and so does the normalisation: the family's BGR training
    normalises blue with ImageNet's red.
    """
    kernels = ("backbone.conv1.weight", "backbone.patch_embed.proj.weight", "backbone.stem.conv1.conv.weight")
    first = next(key for key in kernels if key in tensors)
    for key in (first, "normalise.mean", "normalise.scale"):
        tensors[key] = tensors[key].flip(1 if tensors[key].ndim > 1 else 0)


def _listed(keys: Sequence[str]) -> str:
    return ", ".join(keys[:8]) + (f" and {len(keys) - 8} more" if len(keys) > 8 else "")
