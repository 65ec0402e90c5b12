"""Exported networks (.onnx, .xml): run by OpenVINO or ONNX Runtime, they stand wherever a network stands.

    network, settings, skeleton = load("model.onnx")
    heatmaps = network(crops, neighbours, box)                      # as an RDPose
    joints, confidence = network.joints(crops, neighbours, box)     # where the decoding was exported, too

Like our safetensors, the files carry their settings and joints.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rdpose.backends import engines
from rdpose.backends.engines import Engine, Opened
from rdpose.checkpoints import native
from rdpose.config.schema import Settings
from rdpose.skeletons import Skeleton

INPUTS = ("image", "neighbours", "box")
OUTPUTS = ("heatmaps", "joints", "confidence")
"""The last two only where the decoding is inside."""


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
        path, engine, threads: as `engines.open_file` takes them.

    Raises:
        FileNotFoundError, ValueError: as `engines.open_file`, or rdpose did not write the file.
    """
    file = Path(path)
    opened = engines.open_file(file, engine=engine, threads=threads)
    if not opened.header:
        raise ValueError(f"{file} carries no rdpose settings; write it by `rdpose export --weights FILE`")
    return of(opened, file)


def of(opened: Opened, path: Path) -> tuple[Exported, Settings, Skeleton]:
    """The same, of a file of ours that is open."""
    settings, skeleton = native.from_header(opened.header, path)
    return Exported(opened, settings.model.image_size), settings, skeleton
