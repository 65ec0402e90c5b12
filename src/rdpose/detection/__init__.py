"""Where people are in a picture: anything that answers with boxes and scores.

A detector is called with a picture and, where it has one, its name; it returns `Detections`. There are the one that
comes along, a file of boxes, D-FINE and RT-DETRv2 of transformers (the extra `detect`), and any ONNX network with a
description of its outputs. One's own is a function `(picture, name="") -> Detections`.

    detector = detection.load()                      # the one that comes along
    detector = detection.load("dfine")               # or a name at the hub, a folder, or a file .onnx
    boxes, scores = detector(picture)
    several = detection.find_all(detector, pictures, names)
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from rdpose.config.defaults import MIN_SCORE
from rdpose.detection.boxes_file import DetectionsFile
from rdpose.detection.detections import Detections, Detector, find_all, whole_picture

__all__ = ["MIN_SCORE", "SHORT_NAMES", "Detections", "DetectionsFile", "Detector", "find_all", "load"]

BUNDLED = "weights/detector.onnx"
"""The detector inside the package, with its description beside it."""
WHOLE = "whole"
"""Name of the detector that takes each picture for one person."""
SHORT_NAMES = {"dfine": "ustc-community/dfine-small-coco", "rtdetr": "PekingU/rtdetr_v2_r18vd"}
"""Networks at the hub that have a short name here; both Apache-2.0."""


def load(
    name: str | None = None, *, min_score: float = MIN_SCORE, device: str | None = None, threads: int = 0
) -> Detector:
    """A detector by its name.

    Args:
        name: None is the one that comes with the package. Others: "dfine", "rtdetr", another name at the hub, a folder
            that transformers wrote, an ONNX file with its description beside it (`detector.onnx`, `detector.yaml`),
            or "whole", which takes each picture for one person.
        min_score: boxes below it are left out.
        device: of transformers' networks; by default the GPU where there is one. ONNX networks run on the processor.
        threads: of the processor, for ONNX networks; 0 leaves ONNX Runtime's choice.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file or the folder holds no detector of people.
        ImportError: the extra that runs it is not installed.
    """
    if name == WHOLE:
        return whole_picture
    if name is None or Path(name).suffix == ".onnx":
        from rdpose.detection.onnx_detector import OnnxDetector

        return OnnxDetector.read(name or _bundled(), min_score=min_score, threads=threads)
    from rdpose.detection.transformers_detector import TransformersDetector

    return TransformersDetector.read(SHORT_NAMES.get(name, name), min_score=min_score, device=device)


def _bundled() -> Path:
    path = Path(str(files("rdpose") / BUNDLED))
    if not path.is_file():
        raise FileNotFoundError(f"this copy of rdpose has no detector of its own ({path}): name one, or give boxes")
    return path
