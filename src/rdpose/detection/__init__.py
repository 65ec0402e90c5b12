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

import difflib
import re
from importlib.resources import files
from pathlib import Path

from rdpose.config.defaults import MIN_SCORE
from rdpose.detection.boxes_file import DetectionsFile
from rdpose.detection.detections import Detections, Detector, find_all, whole_picture

__all__ = ["MIN_SCORE", "SHORT_NAMES", "Detections", "DetectionsFile", "Detector", "check_name", "find_all", "load"]

BUNDLED = "weights/detector.onnx"
"""The detector inside the package, with its description beside it."""
WHOLE = "whole"
"""Name of the detector that takes each picture for one person."""
SHORT_NAMES = {"dfine": "ustc-community/dfine-small-coco", "rtdetr": "PekingU/rtdetr_v2_r18vd"}
"""Networks at the hub that have a short name here; both Apache-2.0."""

_AT_THE_HUB = re.compile(r"\w[\w.-]*/\w[\w.-]*")


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
    check_name(name)
    if name == WHOLE:
        return whole_picture
    if name is None or Path(name).suffix == ".onnx":
        from rdpose.detection.onnx_detector import OnnxDetector

        return OnnxDetector.read(name or _bundled(), min_score=min_score, threads=threads)
    from rdpose.detection.transformers_detector import TransformersDetector

    return TransformersDetector.read(SHORT_NAMES.get(name, name), min_score=min_score, device=device)


def check_name(name: str | None) -> None:
    """Whether `load` may know a detector of this name, told before anything is fetched or loaded.

    Raises:
        FileNotFoundError: it is the path of a file or folder that does not exist.
        ValueError: it is no path, no short name, and no name at the hub.
    """
    if name is None or name == WHOLE or name in SHORT_NAMES or Path(name).is_dir():
        return
    if Path(name).suffix == ".onnx":
        if not Path(name).is_file():
            raise FileNotFoundError(f"{name} does not exist: a detector is an .onnx file with a .yaml beside it")
    elif "/" not in name:
        near = difflib.get_close_matches(name.lower(), [*SHORT_NAMES, WHOLE], 1, 0.5)
        guess = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(
            f"no detector is called {name!r}: give {', '.join(SHORT_NAMES)}, {WHOLE}, a hub's owner/name, a folder or "
            f"an .onnx file{guess}"
        )
    elif not _AT_THE_HUB.fullmatch(name):
        raise FileNotFoundError(
            f"{name} does not exist: a detector is a folder that transformers wrote, or an .onnx file"
        )


def _bundled() -> Path:
    path = Path(str(files("rdpose") / BUNDLED))
    if not path.is_file():
        raise FileNotFoundError(f"this copy of rdpose has no detector of its own ({path}): name one, or give boxes")
    return path
