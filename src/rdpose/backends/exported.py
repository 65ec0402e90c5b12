"""Exported networks (.onnx, .xml): run by OpenVINO or ONNX Runtime, they stand wherever a network stands.

    network, settings, skeleton = load("model.onnx")
    heatmaps = network(crops, neighbours, box)                      # as an RDPose
    joints, confidence = network.joints(crops, neighbours, box)     # where the decoding was exported, too

Like our safetensors, the files carry their settings and joints.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rdpose.backends import onnx_session
from rdpose.checkpoints import native
from rdpose.checkpoints.native import HEADER
from rdpose.config.schema import Settings
from rdpose.io.files import in_a_line
from rdpose.skeletons import Skeleton

Engine = Literal["openvino", "onnxruntime"]
INPUTS = ("image", "neighbours", "box")
OUTPUTS = ("heatmaps", "joints", "confidence")
"""The last two only where the decoding is inside."""
SUFFIXES = (".onnx", ".xml")


class Opened(NamedTuple):
    """A file as an engine sees it."""

    run: Callable[[dict[str, np.ndarray], tuple[str, ...]], list[np.ndarray]]
    """(inputs by name, names of outputs) -> these outputs."""
    inputs: tuple[str, ...]
    """`image`, and `neighbours` and `box` where the network takes notice of them."""
    outputs: tuple[str, ...]
    header: str
    """Settings and joints as JSON; empty where the file is not ours."""


@dataclass(frozen=True)
class Exported:
    """A network in another engine, on the CPU.

    Args:
        opened: the file.
        image_size: (width, height) of the crops that it takes.
    """

    opened: Opened
    image_size: tuple[int, int]

    def __call__(self, crops: Tensor, neighbours: Tensor | None = None, box: Tensor | None = None) -> Tensor:
        """Heatmaps (batch, joints, height / stride, width / stride), float32 on the crops' device.

        Args:
            crops: (batch, 3, height, width) RGB uint8.
            neighbours: (batch, others, 4) xyxy in crop pixels, rows without area are padding; None: not known.
            box: (batch, 4), the person's own, likewise.

        Raises:
            ValueError: crops of another size or type than the file takes.
        """
        return self._run(("heatmaps",), crops, neighbours, box)[0]

    def joints(
        self, crops: Tensor, neighbours: Tensor | None = None, box: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Joints (batch, joints, 2) in crop pixels and confidence (batch, joints), decoded by the file: one look.

        Raises:
            ValueError: as a call, or the file holds no decoding.
        """
        if not self.decodes:
            raise ValueError("this network was exported without its decoding; export it with --decode")
        joints, confidence = self._run(("joints", "confidence"), crops, neighbours, box)
        return joints, confidence

    @property
    def decodes(self) -> bool:
        """Whether the decoding is inside."""
        return "joints" in self.opened.outputs

    def _run(
        self, names: tuple[str, ...], crops: Tensor, neighbours: Tensor | None, box: Tensor | None
    ) -> list[Tensor]:
        width, height = self.image_size
        if crops.dtype != torch.uint8 or crops.shape[1:] != (3, height, width):
            raise ValueError(
                f"this exported network takes uint8 crops (batch, 3, {height}, {width}), not {crops.dtype} of shape "
                f"{tuple(crops.shape)}; export one for the size that is wanted"
            )
        batch = len(crops)
        if neighbours is None or not neighbours.shape[1]:
            neighbours = torch.zeros(batch, 1, 4)
        own = torch.zeros(batch, 4) if box is None else box
        parts = (np.ascontiguousarray(part.cpu().numpy()) for part in (crops, neighbours.float(), own.float()))
        given = {name: part for name, part in zip(INPUTS, parts, strict=True) if name in self.opened.inputs}
        answers = self.opened.run(given, names)
        return [torch.from_numpy(answer).to(crops.device) for answer in answers]


def load(path: str | Path, *, engine: Engine | None = None, threads: int = 0) -> tuple[Exported, Settings, Skeleton]:
    """An exported network with the settings and joints that it carries.

    Args:
        path: a .onnx file, or OpenVINO's .xml with its .bin beside it.
        engine: what runs it; by default OpenVINO, which is the faster one, or else ONNX Runtime.
        threads: of the processor; 0 leaves the engine's choice.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no engine for it is installed, the file is damaged, or rdpose did not write it.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"there is no exported network {file}")
    opened = OPENERS[engine or engine_for(file)](file, threads)
    if not opened.header:
        raise ValueError(f"{file} carries no rdpose settings; write it by `rdpose export --weights FILE`")
    settings, skeleton = native.from_header(opened.header, file)
    return Exported(opened, settings.model.image_size), settings, skeleton


def engine_for(path: Path) -> Engine:
    """The installed engine that runs a file soonest.

    Raises:
        ValueError: there is none; or the ending is no exported network's.
    """
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path} is no exported network, which ends in {' or '.join(SUFFIXES)}")
    if find_spec("openvino"):
        return "openvino"
    if path.suffix == ".onnx":
        return "onnxruntime"
    raise ValueError(f"{path} needs OpenVINO, which is not installed: `pip install 'rdpose[openvino]'`")


def open_onnxruntime(path: Path, threads: int) -> Opened:
    session = onnx_session.open_session(path, threads=threads, remedy="export it again")
    return Opened(
        run=lambda inputs, names: [np.asarray(answer) for answer in session.run(list(names), inputs)],
        inputs=tuple(node.name for node in session.get_inputs()),
        outputs=tuple(node.name for node in session.get_outputs()),
        header=session.get_modelmeta().custom_metadata_map.get(HEADER, ""),
    )


def open_openvino(path: Path, threads: int) -> Opened:
    import openvino

    # Precision and hint keep processors with bf16 from trading the numbers for speed, and one crowd from being split.
    wishes = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    wishes |= {"INFERENCE_NUM_THREADS": str(threads)} if threads else {}
    core = openvino.Core()
    try:
        model = core.read_model(path)
        compiled = core.compile_model(model, "CPU", wishes)
    except RuntimeError as error:
        raise ValueError(f"{path} is damaged or no network ({in_a_line(error)}); export it again") from None
    # Where it has read an ONNX file, OpenVINO puts that file's metadata below `framework`.
    places = [place for place in ([HEADER], ["framework", HEADER]) if model.has_rt_info(place)]

    def run(inputs: dict[str, np.ndarray], names: tuple[str, ...]) -> list[np.ndarray]:
        answer = compiled(inputs, share_inputs=True, share_outputs=False)
        return [answer[name] for name in names]

    return Opened(
        run=run,
        inputs=tuple(node.get_any_name() for node in model.inputs),
        outputs=tuple(node.get_any_name() for node in model.outputs),
        header=str(model.get_rt_info(places[0]).value) if places else "",
    )


OPENERS: dict[str, Callable[[Path, int], Opened]] = {
    "openvino": open_openvino,
    "onnxruntime": open_onnxruntime,
}
