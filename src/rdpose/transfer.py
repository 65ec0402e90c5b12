"""Starting a training from other weights: what fits is taken, joints by their names, and a report says what was not.

report = start_from(network, Path("weights.safetensors"), skeleton)
print(report)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from rdpose import checkpoint
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

    def __str__(self) -> str:
        lines = [f"started from {self.source}: {len(self.taken)} tensors taken, {len(self.fresh)} fresh"]
        lines += [f"  joints taken: {', '.join(self.joints) or 'none'}"]
        lines += [f"  joints fresh: {', '.join(self.fresh_joints)}"] if self.fresh_joints else []
        lines += [f"  fresh: {_summary(self.fresh)}"] if self.fresh else []
        lines += [f"  not used: {_summary(self.unused)}"] if self.unused else []
        return "\n".join(lines)


@torch.no_grad()
def start_from(network: nn.Module, path: Path, skeleton: Skeleton) -> TransferReport:
    """Copy into `network` (of `skeleton`) whatever of a weights file has its name and shape; joints go by name.

    Raises:
        ValueError: nothing of the file fits.
    """
    weights = checkpoint.load_weights(path)
    own = network.state_dict()
    fits = [k for k, t in weights.tensors.items() if k not in HEAD and k in own and own[k].shape == t.shape]
    for key in fits:
        own[key].copy_(weights.tensors[key])
    joints = _copy_joints(own, weights.tensors, skeleton, weights.skeleton) if set(HEAD) <= set(weights.tensors) else ()
    if not fits and not joints:
        raise ValueError(f"{path}: nothing in it fits this network; choose the model settings that it was trained with")
    taken = {*fits, *(HEAD if joints else ())}
    return TransferReport(
        source=str(path),
        taken=tuple(sorted(taken)),
        fresh=tuple(key for key in own if key not in taken),
        unused=tuple(key for key in weights.tensors if key not in taken),
        joints=joints,
        fresh_joints=tuple(name for name in skeleton.joints if name not in joints),
    )


def _copy_joints(own: dict[str, Tensor], other: dict[str, Tensor], to: Skeleton, source: Skeleton) -> tuple[str, ...]:
    """Copy the head's rows of the joints that both have (and the centre's, where both have one); returns the joints."""
    if own[HEAD[0]].shape[1:] != other[HEAD[0]].shape[1:]:
        return ()
    columns = to.columns_in(source)
    pairs = [(row, int(column)) for row, column in enumerate(columns) if column >= 0]
    if len(own[HEAD[0]]) > to.num_joints and len(other[HEAD[0]]) > source.num_joints:
        pairs.append((to.num_joints, source.num_joints))
    for key in HEAD:
        for row, column in pairs:
            own[key][row].copy_(other[key][column])
    return tuple(to.joints[row] for row, _ in pairs if row < to.num_joints)


def _summary(keys: tuple[str, ...]) -> str:
    return ", ".join(keys[:6]) + (f" and {len(keys) - 6} more" if len(keys) > 6 else "")
