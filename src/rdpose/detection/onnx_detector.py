"""Any ONNX detector whose outputs are described in a YAML file beside it.

# detector.yaml, for detector.onnx
size: [640, 640]            # width and height of the network's input
resize: stretch             # or letterbox: the picture keeps its shape, at the top left, the rest is grey
color: rgb                  # or bgr
mean: [0, 0, 0]             # (pixel - mean) / std, with pixels of 0 to 255
std: [255, 255, 255]
boxes: output0[0:4]         # output (1, n, 4), or columns of one
scores: output0[4:]         # (1, n), or a column for each label
labels: ""                  # (1, n), where scores have no column for each label
transposed: false           # true where outputs are (1, columns, n)
form: cxcywh                # or xyxy, xywh
unit: pixels                # of the input, or: share of it, 0 to 1
sigmoid: false              # scores are logits
person: 0                   # the label of a person
nms: 0.7                    # IoU above which the lower score goes; 1 keeps all
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from rdpose import config, geometry
from rdpose.detection.detections import Detections, clip, sift

GREY = 114
"""What fills a letterbox, as in the YOLO family."""
Triple = tuple[float, float, float]


class Description(BaseModel):
    """What the YAML file says; the fields are told in this file's first lines."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: tuple[int, int]
    resize: Literal["stretch", "letterbox"] = "stretch"
    color: Literal["rgb", "bgr"] = "rgb"
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (255.0, 255.0, 255.0)
    boxes: str
    scores: str
    labels: str = ""
    transposed: bool = False
    form: Literal["xyxy", "cxcywh", "xywh"] = "xyxy"
    unit: Literal["pixels", "share"] = "pixels"
    sigmoid: bool = False
    person: int = 0
    nms: float = 0.7


class OnnxDetector:
    """Finds people with an ONNX network, run by ONNX Runtime on the processor.

    Args:
        session: `onnxruntime.InferenceSession` of a network with one input (1, 3, height, width) float32.
        description: what goes in and what comes out.
        min_score: boxes below it are left out.

    Raises:
        ValueError: the network has no output of a described name.
    """

    def __init__(self, session: Any, description: Description, *, min_score: float = 0.3) -> None:
        self.session, self.about, self.min_score = session, description, min_score
        self._outputs = [output.name for output in session.get_outputs()]
        for text in filter(None, (description.boxes, description.scores, description.labels)):
            if (name := _parse(text)[0]) not in self._outputs:
                raise ValueError(f"the detector has no output {name}; it has {', '.join(self._outputs)}")

    @classmethod
    def read(cls, path: str | Path, *, min_score: float = 0.3) -> OnnxDetector:
        """Read `detector.onnx` and `detector.yaml`.

        Raises:
            FileNotFoundError: one of the two is not there.
            ValueError: the description or the network is not as expected.
            ImportError: ONNX Runtime is not installed.
        """
        path = Path(path)
        about = path.with_suffix(".yaml")
        for file in (path, about):
            if not file.is_file():
                raise FileNotFoundError(f"{file} does not exist: a detector is an .onnx file with a .yaml beside it")
        try:
            description = Description.model_validate(config.read_yaml(about))
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ValueError(f"{about} does not describe a detector: {faults}") from None
        try:
            runtime = importlib.import_module("onnxruntime")
        except ImportError as error:
            raise ImportError("this detector needs ONNX Runtime: pip install 'rdpose[onnx]'") from error
        return cls(
            runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"]), description, min_score=min_score
        )

    def __call__(self, picture: np.ndarray, name: str = "") -> Detections:
        """The people in a picture (height, width, 3) RGB uint8."""
        del name
        tensor, scale_xy = self._fit(picture)
        values = self.session.run(self._outputs, {self.session.get_inputs()[0].name: tensor})
        outputs = dict(zip(self._outputs, values, strict=True))
        scores = self._scores(outputs)
        boxes = _to_xyxy(self._table(outputs, self.about.boxes).reshape(-1, 4), self.about.form)
        if self.about.unit == "share":
            boxes = boxes * np.tile(self.about.size, 2)
        boxes = clip(boxes / np.tile(scale_xy, 2), picture)
        return _suppress(sift(boxes, scores, min_score=self.min_score), self.about.nms)

    def _fit(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The network's input (1, 3, height, width) float32, and its pixels for each of the picture's in x and in y."""
        height, width = picture.shape[:2]
        scale = np.array(self.about.size) / (width, height)
        if self.about.resize == "letterbox":
            scale = np.full(2, scale.min())
        inner = np.maximum(np.round(scale * (width, height)), 1).astype(int)
        full = np.full((self.about.size[1], self.about.size[0], 3), GREY, np.uint8)
        full[: inner[1], : inner[0]] = cv2.resize(picture, (int(inner[0]), int(inner[1])))
        full = full[..., ::-1] if self.about.color == "bgr" else full
        mean, std = np.array(self.about.mean, np.float32), np.array(self.about.std, np.float32)
        tensor = (full.astype(np.float32) - mean) / std
        return np.ascontiguousarray(tensor.transpose(2, 0, 1)[None]), scale

    def _scores(self, outputs: dict[str, np.ndarray]) -> np.ndarray:
        """(n,): how sure each box is to be a person."""
        scores = self._table(outputs, self.about.scores)
        scores = 1 / (1 + np.exp(-scores)) if self.about.sigmoid else scores
        if self.about.labels:
            labels = self._table(outputs, self.about.labels).reshape(-1)
            return np.where(labels == self.about.person, scores.reshape(-1), 0)
        return scores[:, self.about.person] if scores.ndim == 2 else scores

    def _table(self, outputs: dict[str, np.ndarray], text: str) -> np.ndarray:
        """The described output without its batch dimension, (n,) or (n, columns) float64."""
        name, columns = _parse(text)
        table = outputs[name][0].astype(np.float64)
        table = table.T if self.about.transposed and table.ndim == 2 else table
        return table[:, columns] if columns is not None else table


def _parse(text: str) -> tuple[str, slice | None]:
    """`output0[4:]` -> its name and columns."""
    match = re.fullmatch(r"(.+?)(?:\[(\d*):(\d*)\])?", text)
    assert match is not None
    name, start, end = match.groups()
    return name, None if start is None else slice(int(start or 0), int(end) if end else None)


def _to_xyxy(boxes: np.ndarray, form: str) -> np.ndarray:
    if form == "xyxy":
        return boxes
    start = boxes[:, :2] - (boxes[:, 2:] / 2 if form == "cxcywh" else 0)
    return np.concatenate([start, start + boxes[:, 2:]], axis=1)


def _suppress(found: Detections, threshold: float) -> Detections:
    """Greedy suppression by IoU of boxes that come best first."""
    alike = geometry.iou(found.boxes_xyxy, found.boxes_xyxy) > threshold
    kept: list[int] = []
    for row in range(len(found.scores)):
        if not alike[row, kept].any():
            kept.append(row)
    return Detections(found.boxes_xyxy[kept], found.scores[kept])
