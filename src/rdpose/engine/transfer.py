"""Starting a training from other weights: what fits is taken, joints by their names, and a report says what was not.

report = start_from(network, Path("weights.safetensors"), skeleton)
print(report)

The weights may be of any origin that `checkpoints.load` reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from rdpose.checkpoints import key_maps
from rdpose.checkpoints import load as weight_files
from rdpose.checkpoints.load import Reading
from rdpose.models import builders
from rdpose.models.decoupling import FeatureDecoupling
from rdpose.models.reference import OfficialRDPose
from rdpose.skeletons import Skeleton

HEAD = ("head.weight", "head.bias")


@dataclass(frozen=True)
class TransferReport:
    """What a network took from a weights file; prints itself."""

    source: str
    taken: tuple[str, ...]
    fresh: tuple[str, ...]
    unused: tuple[str, ...]
    joints: tuple[str, ...]
    fresh_joints: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"started from {self.source}: {len(self.taken)} tensors taken, {len(self.fresh)} fresh"]
        lines += [f"  joints taken: {', '.join(self.joints) or 'none'}"]
        lines += [f"  joints fresh: {', '.join(self.fresh_joints)}"] if self.fresh_joints else []
        lines += [f"  fresh: {_summary(self.fresh)}"] if self.fresh else []
        lines += [f"  left over: {_summary(self.unused)}"] if self.unused else []
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


@torch.no_grad()
def start_from(network: nn.Module, path: Path, skeleton: Skeleton) -> TransferReport:
    """Copy into `network` (of `skeleton`) whatever of a weights file has its name and shape; joints go by name.

    Raises:
        FileNotFoundError, ValueError: as `load.read`, or the file's backbone is another one.
    """
    reading = weight_files.read(path)
    own = {key_maps.to_ours(key): tensor for key, tensor in network.state_dict().items()}
    theirs = {key_maps.to_ours(key): tensor for key, tensor in reading.tensors.items()}
    offered = theirs if _decouples_alike(network, reading) else _without(theirs, "decoupling.")
    fits = [k for k, tensor in offered.items() if k not in HEAD and k in own and own[k].shape == tensor.shape]
    _refuse_other_backbone(fits, theirs, reading, path)
    for key in fits:
        own[key].copy_(offered[key])
    joints = _copy_joints(own, theirs, skeleton, reading)
    taken = {*fits, *(HEAD if joints else ())}
    return TransferReport(
        source=str(path),
        taken=tuple(sorted(taken)),
        fresh=tuple(key for key in own if key not in taken),
        unused=tuple(key for key in theirs if key not in taken),
        joints=joints,
        fresh_joints=tuple(name for name in skeleton.joints if name not in joints),
        notes=reading.notes,
    )


class _NoBackbone(nn.Module):
    channels, stride = 1, 4


def _decouples_alike(network: nn.Module, reading: Reading) -> bool:
    """Whether the weights' decoupling is computed in the same way here: equal shapes alone do not say so."""
    source = builders.build(_NoBackbone(), reading.settings.model.variant, num_joints=1)
    return _decoupling_of(source) == _decoupling_of(network)


def _decoupling_of(network: nn.Module) -> tuple[type | None, bool]:
    """How a network decouples; the published code does it as the paper's FDM."""
    if isinstance(network, OfficialRDPose):
        return FeatureDecoupling, False
    decoupling = getattr(network, "decoupling", None)
    return type(decoupling), getattr(decoupling, "residual", False)


def _without(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in tensors.items() if not key.startswith(prefix)}


def _refuse_other_backbone(fits: list[str], theirs: Mapping[str, Tensor], reading: Reading, path: Path) -> None:
    """A few layers of another network fit by chance (every stem does); they are not what was asked for."""
    there = [key for key in theirs if key.startswith("backbone.")]
    fitting = sum(key.startswith("backbone.") for key in fits)
    if 2 * fitting < len(there):
        raise ValueError(
            f"{path} holds a {reading.settings.model.backbone}, of which {fitting} of {len(there)} tensors fit this "
            "network; choose weights of the same backbone, or that backbone by model.backbone"
        )


def _copy_joints(
    own: Mapping[str, Tensor], theirs: Mapping[str, Tensor], skeleton: Skeleton, reading: Reading
) -> tuple[str, ...]:
    """Copy the head's rows of the joints that both have, and the centre's where both learn one; returns the joints."""
    if HEAD[0] not in theirs or own[HEAD[0]].shape[1:] != theirs[HEAD[0]].shape[1:]:
        return ()
    there = reading.skeleton
    pairs = [(row, int(column)) for row, column in enumerate(skeleton.columns_in(there)) if column >= 0]
    both = len(own[HEAD[0]]) > skeleton.num_joints and len(theirs[HEAD[0]]) > there.num_joints
    if both and reading.settings.model.variant != "official":  # whose centre is never trained
        pairs.append((skeleton.num_joints, there.num_joints))
    for key in HEAD:
        for row, column in pairs:
            own[key][row].copy_(theirs[key][column])
    return tuple(skeleton.joints[row] for row, _ in pairs if row < skeleton.num_joints)


def _summary(keys: tuple[str, ...]) -> str:
    return ", ".join(keys[:6]) + (f" and {len(keys) - 6} more" if len(keys) > 6 else "")
