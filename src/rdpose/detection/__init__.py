"""Where people are in a picture: anything that answers with boxes and scores.

A detector is called with a picture and, where it has one, its name; it returns `Detections`. There are a file of
boxes, D-FINE and RT-DETRv2 of transformers (the extra `detect`), and any ONNX network with a description of its
outputs. One's own is a function `(picture, name="") -> Detections`.

    detector = detection.load("ustc-community/dfine-small-coco")    # a name at the hub, a folder, or a file .onnx
    boxes, scores = detector(picture)
"""

from __future__ import annotations

from pathlib import Path

from rdpose.detection.boxes_file import DetectionsFile
from rdpose.detection.detections import Detections, Detector

__all__ = ["SHORT_NAMES", "Detections", "DetectionsFile", "Detector", "load"]

SHORT_NAMES = {"dfine": "ustc-community/dfine-small-coco", "rtdetr": "PekingU/rtdetr_v2_r18vd"}
"""Networks at the hub that have a short name here; both Apache-2.0."""


def load(name: str, *, min_score: float = 0.3, device: str | None = None) -> Detector:
    """A detector by its name.

    Args:
        name: "dfine", "rtdetr", another name at the hub, a folder that transformers wrote, or an ONNX file with its
            description beside it (`detector.onnx`, `detector.yaml`).
        min_score: boxes below it are left out.
        device: of transformers' networks; by default the GPU where there is one.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file or the folder holds no detector of people.
        ImportError: the extra that runs it is not installed.
    """
    if Path(name).suffix == ".onnx":
        from rdpose.detection.onnx_detector import OnnxDetector

        return OnnxDetector.read(name, min_score=min_score)
    from rdpose.detection.transformers_detector import TransformersDetector

    return TransformersDetector.read(SHORT_NAMES.get(name, name), min_score=min_score, device=device)
