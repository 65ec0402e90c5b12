"""Any ONNX detector whose outputs are described in a YAML file beside it (`detection.description`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rdpose import geometry
from rdpose.backends import onnx_session
from rdpose.detection import description, outputs
from rdpose.detection.description import Description
from rdpose.detection.detections import Detections, clip, sift
from rdpose.io.files import in_a_line

GREY = 114
"""What fills a letterbox, as in the YOLO family."""
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
"""Of inputs, as ONNX Runtime calls them."""


class OnnxDetector:
    """Finds people with an ONNX network, run by ONNX Runtime on the processor. It is tried out on a grey picture first.

    Args:
        session: `onnxruntime.InferenceSession` of a network with one input (1, 3, height, width) of floats.
        about: what goes in and what comes out.
        min_score: boxes below it are left out.
        name: how errors call the network.

    Raises:
        ValueError: the network does not take such a picture, or its outputs are not as described.
    """

    def __init__(self, session: Any, about: Description, *, min_score: float = 0.3, name: str = "the detector") -> None:
        self.session, self.about, self.min_score, self.name = session, about, min_score, name
        texts = filter(None, (about.boxes, about.scores, about.labels))
        self._outputs = list(dict.fromkeys(description.parse(text)[0] for text in texts))
        there = [output.name for output in session.get_outputs()]
        for output in self._outputs:
            if output not in there:
                raise ValueError(f"{name} has no output {output}; it has {', '.join(there)}")
        self._check_input()
        outputs.check(self._try_out(), about, name)

    @classmethod
    def read(cls, path: str | Path, *, min_score: float = 0.3) -> OnnxDetector:
        """Read `detector.onnx` and `detector.yaml`.

        Raises:
            FileNotFoundError: one of the two is not there.
            ValueError: the description or the network is not as expected, or they do not fit each other.
            ImportError: ONNX Runtime is not installed.
        """
        path = Path(path)
        about = path.with_suffix(".yaml")
        for file in (path, about):
            if not file.is_file():
                raise FileNotFoundError(f"{file} does not exist: a detector is an .onnx file with a .yaml beside it")
        session = onnx_session.open_session(path, remedy="fetch or export it again")
        return cls(session, description.read(about), min_score=min_score, name=str(path))

    def __call__(self, picture: np.ndarray, name: str = "") -> Detections:
        """The people in a picture (height, width, 3) RGB uint8."""
        del name
        tensor, scale_xy = self._fit(picture)
        tables = outputs.tables(self._run(tensor), self.about)
        boxes = _to_xyxy(tables.boxes, self.about.form)
        if self.about.unit == "share":
            boxes = boxes * np.tile(self.about.size, 2)
        boxes = clip(boxes / np.tile(scale_xy, 2), picture)
        scores = outputs.person_scores(tables, self.about)
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

    def _run(self, tensor: np.ndarray) -> dict[str, np.ndarray]:
        node = self.session.get_inputs()[0]
        values = self.session.run(self._outputs, {node.name: tensor.astype(TYPES[node.type])})
        return dict(zip(self._outputs, map(np.asarray, values), strict=True))

    def _check_input(self) -> None:
        """Raises ValueError where the network takes something else than one picture of the described size."""
        nodes, (width, height) = self.session.get_inputs(), self.about.size
        if len(nodes) != 1:
            names = ", ".join(node.name for node in nodes)
            raise ValueError(
                f"{self.name} takes {len(nodes)} inputs ({names}); export it with the picture as its only one"
            )
        (node,), given = nodes, (1, 3, height, width)
        own = tuple(node.shape or given)  # numbers, and names of what is free; nothing where nobody knows
        if len(own) != 4 or any(
            isinstance(side, int) and side != other for side, other in zip(own, given, strict=True)
        ):
            raise ValueError(
                f"{self.name}: the input {node.name} is ({', '.join(map(str, own))}), and `size: [{width}, {height}]` "
                f"makes {given} of a picture; write the network's own width and height"
            )
        if node.type not in TYPES:
            raise ValueError(f"{self.name}: the input {node.name} is a {node.type}; {', '.join(TYPES)} are known here")

    def _try_out(self) -> dict[str, np.ndarray]:
        """What the network says of a grey picture of the described size."""
        width, height = self.about.size
        try:
            return self._run(self._fit(np.full((height, width, 3), GREY, np.uint8))[0])
        except Exception as error:  # of many classes
            asked = f"`size: [{width}, {height}]`"
            raise ValueError(
                f"{self.name} does not run with {asked} ({in_a_line(error)}); write the size it has"
            ) from None


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
