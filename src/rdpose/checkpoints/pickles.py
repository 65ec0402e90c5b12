"""Checkpoint files of any kind as plain tensors: PyTorch's (both of its formats) and safetensors, without foreign code.

    content = pickles.read("pose_hrnet_w32_256x192.pth")
    content.tensors["conv1.weight"]

A .pth file is a pickle, and a pickle can run code. Everything here goes through `torch.load(weights_only=True)`, which
builds tensors and plain containers alone. A few harmless things that checkpoints of the family hold besides get inert
stand-ins of ours (their own code is neither imported nor run); any other object is refused.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from rdpose.checkpoints import native
from rdpose.skeletons import Skeleton

STATE_KEYS = ("best_state_dict", "state_dict", "model")
"""Where a checkpoint keeps its tensors, the best first."""
_UDP_IN_CONFIG = re.compile(r"\buse_udp\W{1,4}True|\bUDPHeatmap\b")
"""What mmpose 0.x and 1.x write in their configurations."""


@dataclass(frozen=True)
class Content:
    """What a checkpoint holds."""

    tensors: dict[str, Tensor]
    """Under the keys of the file, without the `module.` of DataParallel."""
    figures: dict[str, float] = field(default_factory=dict)
    """What it says of its training: epoch, and perf, the family's figure on the validation set."""
    joints: tuple[str, ...] = ()
    """Names of its joints, where it says them (mmpose 1.x)."""
    limbs: tuple[tuple[int, int], ...] = ()
    image_size: tuple[int, int] | None = None
    """(width, height) of its input, where it says that (transformers)."""
    skeleton: Skeleton | None = None
    """Its joints, where we wrote it for transformers."""
    udp: bool = False
    """Trained in UDP's geometry, as the configuration inside says (mmpose)."""
    has_settings: bool = False
    """A safetensors file that rdpose wrote: `native.load_weights` reads it whole."""


class Inert:
    """Stands in for an object of which only its first arguments are of interest; nothing in it does anything."""

    args: tuple[Any, ...]

    def __new__(cls, *args: Any) -> Inert:
        self = super().__new__(cls)
        self.args = args
        return self

    def __init__(self, *args: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


def number(dtype: Any, data: Any = b"") -> float | Inert:
    """A numpy scalar's value, from its type ("f8") and bytes; checkpoints keep their figures in such."""
    code = dtype.args[0] if isinstance(dtype, Inert) and dtype.args else ""
    if code in ("f4", "f8", "i4", "i8") and isinstance(data, bytes) and len(data) == int(code[1]):
        kind = {"f4": torch.float32, "f8": torch.float64, "i4": torch.int32, "i8": torch.int64}[code]
        return torch.frombuffer(bytearray(data), dtype=kind).item()
    return Inert(dtype)


HARMLESS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (Inert, "mmengine.logging.history_buffer.HistoryBuffer"),
    (Inert, "builtins.getattr"),  # HistoryBuffer names its methods by it
    (OrderedDict, "mmengine.config.config.ConfigDict"),
    (OrderedDict, "mmcv.utils.config.ConfigDict"),
    (OrderedDict, "addict.addict.Dict"),
    (Inert, "numpy.ndarray"),
    (Inert, "numpy.dtype"),
    *((Inert, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")),
    *((number, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
]
"""What stands for a foreign name; names that are not here are refused."""


def read(path: str | Path) -> Content:
    """Read a checkpoint.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, no checkpoint, or a pickle of foreign objects.
    """
    file = Path(path)
    if not file.is_file():
        what = "is a folder" if file.is_dir() else "does not exist"
        raise FileNotFoundError(f"weights file {file} {what}; `rdpose weights` lists public ones")
    with file.open("rb") as opened:
        start = opened.read(9)
    if start[8:] == b"{":
        return _safetensors(file)
    if start[:2] == b"PK" or start[:1] == b"\x80":
        return _content(_unpickle(file), file)
    begins = f"begins with {start!r}" if start else "is empty"
    raise ValueError(f"{file} is no checkpoint (it {begins}); expected a .pth or .safetensors file: fetch it again")


def _safetensors(file: Path) -> Content:
    try:
        with safe_open(file, framework="pt") as opened:
            if native.HEADER in (opened.metadata() or {}):
                return Content({}, has_settings=True)
            return Content({key: opened.get_tensor(key) for key in opened.keys()})  # noqa: SIM118 (not a mapping)
    except Exception as error:
        raise ValueError(f"{file} is a damaged safetensors file ({error}); fetch it again") from None


def _unpickle(file: Path) -> Any:
    try:
        with torch.serialization.safe_globals(HARMLESS):
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen kinds, by where the damage is
        text = str(error)
    foreign = re.search(r"GLOBAL ([\w.]+)", text)
    if foreign:
        raise ValueError(
            f"{file} holds foreign objects ({foreign[1]}), which could run code, and is not read; "
            "save its state_dict alone, where it was made"
        )
    reason = text.rpartition("WeightsUnpickler error: ")[2].strip().partition("\n")[0] or "it ends too early"
    reason = reason.partition(". ")[0]  # torch adds whole paragraphs of advice to its own developers
    raise ValueError(f"{file} is damaged or no checkpoint ({reason}); fetch or save it again")


def _content(loaded: Any, file: Path) -> Content:
    holder = loaded if isinstance(loaded, Mapping) else {}
    if {"network", "stepper"} <= holder.keys():
        raise ValueError(f"{file} is the state of a training, to resume; its weights are the .safetensors beside it")
    tensors = next((holder[key] for key in STATE_KEYS if isinstance(holder.get(key), Mapping)), holder)
    others = [key for key, value in tensors.items() if not isinstance(value, Tensor)]
    if others or not tensors:
        found = f"a {type(loaded).__name__}" + f" with {', '.join(map(str, others[:3]))}" * bool(others)
        raise ValueError(f"{file} holds no network's state dict but {found}; save the network's state_dict() instead")
    meta = holder.get("meta")
    meta = meta if isinstance(meta, Mapping) else {}
    said = {"epoch": meta.get("epoch")} | {key: holder.get(key) for key in ("epoch", "perf") if key in holder}
    figures = {key: value for key, value in said.items() if isinstance(value, int | float)}
    config = " ".join(text for text in (meta.get("cfg"), meta.get("config")) if isinstance(text, str))
    udp = bool(_UDP_IN_CONFIG.search(config))
    return Content(without_module(tensors), figures, *_joints(meta.get("dataset_meta")), udp=udp)


def without_module(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors without the prefix that DataParallel gives to every key."""
    wrapped = all(key.startswith("module.") for key in tensors)
    return {key.removeprefix("module.") if wrapped else key: tensor for key, tensor in tensors.items()}


def _joints(meta: Any) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """Joints and limbs (by index from 0) of mmpose's dataset_meta."""
    names = meta.get("keypoint_id2name") if isinstance(meta, Mapping) else None
    if not isinstance(names, Mapping) or sorted(names) != list(range(len(names))):
        return (), ()
    links = meta.get("skeleton_links") or ()
    return tuple(str(names[index]) for index in range(len(names))), tuple((int(a), int(b)) for a, b in links)
