"""Files that a training leaves: weights as safetensors with their settings inside, and the state to go on from.

Every file is written beside its final place and moved there, so that an interruption leaves the old one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from rdpose import skeletons
from rdpose.config import loading
from rdpose.config.schema import Settings
from rdpose.io import files
from rdpose.skeletons import Skeleton

HEADER = "rdpose"
"""Key of our entry in a file's metadata."""


@dataclass(frozen=True)
class Weights:
    """What a weights file holds."""

    tensors: dict[str, Tensor]
    settings: Settings
    skeleton: Skeleton


def save_weights(path: Path, tensors: dict[str, Tensor], settings: Settings, skeleton: Skeleton) -> None:
    """Write a network's state dict with the settings and joints that it was made with."""
    header = to_header(settings, skeleton)
    plain = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
    files.write_atomically(path, lambda place: save_file(plain, place, metadata={HEADER: header}))


def load_weights(path: str | Path) -> Weights:
    """Read a weights file written by `save_weights`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not a safetensors file, or one that rdpose did not write.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"there is no weights file {file}")
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118 (not a mapping)
    except SafetensorError as error:
        raise ValueError(
            f"{file} is not a safetensors file ({error}); convert .pth files by `rdpose convert`"
        ) from None
    if HEADER not in metadata:
        raise ValueError(f"{file} carries no rdpose settings; convert it by `rdpose convert {file} NEW.safetensors`")
    return Weights(tensors, *from_header(metadata[HEADER], file))


def to_header(settings: Settings, skeleton: Skeleton) -> str:
    """What a file of a network says under `HEADER`: how it is built and tested, and its joints."""
    return json.dumps({"settings": settings.model_dump(mode="json"), "skeleton": skeletons.to_dict(skeleton)})


def from_header(header: str, path: Path) -> tuple[Settings, Skeleton]:
    """The settings and the joints that `to_header` wrote into the file `path`."""
    content = json.loads(header)
    return loading.from_tree(content["settings"], where=str(path)), skeletons.from_dict(content["skeleton"])


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write the state of a training: tensors, numbers and containers of them."""
    files.write_atomically(path, lambda place: torch.save(state, place))


def load_state(path: Path) -> dict[str, Any]:
    """Read what `save_state` wrote; nothing but tensors and plain containers is unpickled.

    Raises:
        ValueError: the file is damaged or holds something else.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds
        reason = str(error).split("\n")[0] or type(error).__name__
        raise ValueError(f"{path} is no training state ({reason}); remove it to start afresh") from None
    if not isinstance(state, dict) or "settings" not in state:
        raise ValueError(f"{path} is no training state of rdpose; remove it to start afresh")
    return state


def load_strictly(network: nn.Module, tensors: dict[str, Tensor], path: str | Path) -> None:
    """Load a state dict of which nothing is missing, left over or of another shape.

    Raises:
        ValueError: names what does not fit.
    """
    own = network.state_dict()
    missing = [key for key in own if key not in tensors]
    extra = [key for key in tensors if key not in own]
    other = [key for key in own if key in tensors and own[key].shape != tensors[key].shape]
    if missing or extra or other:
        parts = ((missing, "missing"), (extra, "not known here"), (other, "of another shape"))
        said = "; ".join(f"{len(keys)} {what} ({', '.join(keys[:3])})" for keys, what in parts if keys)
        raise ValueError(f"{path} does not fit this network: {said}; use the settings that it was trained with")
    network.load_state_dict(tensors)
