"""Networks for other engines: ONNX or OpenVINO files that carry their settings and are checked against torch.

report = export(Path("weights.safetensors"), format="onnx")
print(report)                       # what was written, and how far its numbers are from torch's
"""

from __future__ import annotations

import logging
import os
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

from rdpose.backends import engines
from rdpose.checkpoints import load as weight_files
from rdpose.checkpoints.infer_config import Asked
from rdpose.export import check, crops, graph
from rdpose.export.check import Figures
from rdpose.models.fuse import fused
from rdpose.models.user_backbone import Factory

log = logging.getLogger(__name__)

__all__ = ["ExportReport", "Figures", "export"]

SUFFIX: dict[str, str] = {"onnx": ".onnx", "openvino": ".xml"}
NEEDED = {"onnx": ("onnx", "onnxscript"), "openvino": ("onnx", "onnxscript", "openvino")}
"""Packages: OpenVINO's files are made of ONNX's."""


@dataclass(frozen=True)
class ExportReport:
    """What was exported, and its check."""

    path: Path
    megabytes: float
    num_crops: int
    """Crops of the check."""
    figures: tuple[Figures, ...]
    """One per engine that is installed."""

    def __str__(self) -> str:
        head = f"{self.path} ({self.megabytes:.1f} MB), beside torch on {self.num_crops} crops:"
        return "\n".join([head, *(f"  {one}" for one in self.figures)])


def export(
    weights: Path,
    out: Path | None = None,
    *,
    backbone: Factory | None = None,
    format: str = "onnx",
    decode: bool = False,
    int8: bool = False,
    calibrate: Path | None = None,
    annotations: Path | None = None,
) -> ExportReport:
    """Write a network with all that it needs (normalisation, maps of the boxes, FDM) for another engine.

    The file takes `image` (batch, 3, height, width) RGB uint8, `neighbours` (batch, others, 4) and `box` (batch, 4)
    xyxy in crop pixels, zeros where not known; `image` alone if the network has no use for boxes. It gives `heatmaps`,
    with `decode` also `joints` (batch, joints, 2) in crop pixels and `confidence` (batch, joints). Batch and others
    are free, the crop's size is that of the settings.

    Args:
        weights: any weights file that rdpose reads.
        out: the file to write; by default beside the weights, under their name.
        backbone: as `rdpose.load` takes it.
        format: "onnx", or "openvino" (.xml and .bin).
        decode: put the decoding that the settings name inside.
        int8: let the backbone compute in 8 bits; heatmaps are then only about the same.
        calibrate: a folder of pictures to check the file with, and from which `int8` reads the ranges of values; by
            default rendered crowds, which are not for `int8`.
        annotations: COCO annotations of these pictures (others may be in the file), whose people are then the crops;
            without, each whole picture.

    Raises:
        FileNotFoundError: there are no such weights, pictures or annotations.
        ValueError: `weights` is an exported network, a package or what to calibrate with is missing, `out` has another
            ending, or the file's numbers are not torch's; nothing is then left behind.
    """
    _check_asked(weights, format)
    target = _target(weights, out, f"{'.int8' if int8 else ''}{SUFFIX[format]}", format)
    if int8 and not calibrate:
        raise ValueError("8 bits need ranges of values: name a folder of some dozens of pictures by --calibrate FOLDER")
    _require(format)
    network, settings, skeleton = weight_files.load_network(weights, Asked(backbone=backbone))
    samples = crops.of_folder(calibrate, annotations, settings) if calibrate else crops.rendered(settings)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export.") as folder:
        onnx_file = Path(folder) / f"{target.stem}.onnx"
        graph.write_onnx(fused(network), settings, onnx_file, decode=decode)
        if int8:
            from rdpose.export import quantisation  # which imports what `_require` has asked for

            if len(samples) < quantisation.FEW:
                log.warning(f"{calibrate}: ranges from {len(samples)} pictures; some dozens are better")
            quantisation.quantise(onnx_file, samples)
        graph.inscribe(onnx_file, settings, skeleton)
        made = onnx_file if format == "onnx" else graph.to_openvino(onnx_file)
        figures = tuple(
            check.compare(network, settings, made, engine, samples[: check.MOST], exact=not int8)
            for engine in get_args(engines.Engine)
            if find_spec(engine) and (made.suffix == ".onnx" or engine == "openvino")
        )
        size = _move(made, target)
    num_crops = sum(len(batch.index) for batch in samples[: check.MOST])
    return ExportReport(target, size / 1e6, num_crops, figures)


def _check_asked(weights: Path, format: str) -> None:
    if format not in SUFFIX:
        raise ValueError(f"unknown format {format!r}; there are {', '.join(SUFFIX)}")
    if Path(weights).suffix in engines.SUFFIXES:
        raise ValueError(
            f"{weights} is an exported network already; give weights (.safetensors, .pth). Networks of others run as "
            "they are, with a description beside them (docs/quickstart.md)"
        )


def _target(weights: Path, out: Path | None, suffix: str, format: str) -> Path:
    target = Path(out) if out else Path(weights).with_suffix(suffix)
    if target.suffix != SUFFIX[format]:
        raise ValueError(f"{target} does not end in {SUFFIX[format]}, as {format} files do")
    return target


def _require(format: str) -> None:
    missing = [name for name in NEEDED[format] if not find_spec(name)]
    if missing:
        raise ValueError(f"exporting to {format} needs {', '.join(missing)}: `pip install 'rdpose[{format}]'`")


def _move(made: Path, target: Path) -> int:
    """Put a finished file in its place, OpenVINO's weights before the .xml that names them: its size in bytes."""
    size = 0
    for part in (made.with_suffix(".bin"), made):
        if part.exists() and (part == made or made.suffix == ".xml"):
            size += part.stat().st_size
            os.replace(part, target.with_suffix(part.suffix))
    return size
