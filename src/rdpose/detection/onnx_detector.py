"""Any ONNX detector whose outputs are described in a YAML file beside it (`detection.description`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rdpose.backends import input_description, onnx_session
from rdpose.config.defaults import MIN_SCORE
from rdpose.detection import description, outputs
from rdpose.detection.description import Description
from rdpose.detection.detections import Detections, clip, sift, suppress
from rdpose.io.files import in_a_line

GREY = 114
"""What fills a letterbox, as in the YOLO family."""
STEP = 32
"""Of an input's sides where they follow the picture's."""
LONGEST = 3
"""Times an input may be longer than it is wide there."""


class OnnxDetector:
    """Finds people with an ONNX network, run by ONNX Runtime on the processor. It is tried out on a grey picture first.

    Args:
        session: `onnxruntime.InferenceSession` of a network with one input (1, 3, height, width), or
            (batch, 3, height, width), of floats or of uint8.
        about: what goes in and what comes out.
        min_score: boxes below it are left out.
        name: how errors call the network.

    Raises:
        ValueError: the network does not take such a picture, or its outputs are not as described.
    """

    def __init__(
        self, session: Any, about: Description, *, min_score: float = MIN_SCORE, name: str = "the detector"
    ) -> None:
        self.session, self.about, self.min_score, self.name = session, about, min_score, name
        texts = filter(None, (about.boxes, about.scores, about.labels))
        self._outputs = list(dict.fromkeys(description.parse(text)[0] for text in texts))
        there = [output.name for output in session.get_outputs()]
        for output in self._outputs:
            if output not in there:
                raise ValueError(f"{name} has no output {output}; it has {', '.join(there)}")
        self._node = input_description.check_input(about, onnx_session.nodes(session), name)
        if self._node.batch > 1:
            raise ValueError(f"{name} takes {self._node.batch} pictures at once; export it with a batch of 1, or free")
        if about.resize == "area" and any(isinstance(side, int) for side in self._node.shape[2:]):
            own = self._node.shape[2:]
            raise ValueError(f"{name}: `resize: area` needs an input of free height and width, and it has {own}")
        outputs.check(self._try_out(), about, name)

    @classmethod
    def read(cls, path: str | Path, *, min_score: float = MIN_SCORE, threads: int = 0) -> OnnxDetector:
        """Read `detector.onnx` and `detector.yaml`; `threads` of the processor, 0 leaves ONNX Runtime's choice.

        Raises:
            FileNotFoundError: one of the two is not there.
            ValueError: the description or the network is not as expected, or they do not fit each other.
        """
        path = Path(path)
        about = path.with_suffix(".yaml")
        for file in (path, about):
            if not file.is_file():
                raise FileNotFoundError(f"{file} does not exist: a detector is an .onnx file with a .yaml beside it")
        session = onnx_session.open_session(path, threads=threads, remedy="fetch or export it again")
        return cls(session, description.read(about), min_score=min_score, name=str(path))

    def __call__(self, picture: np.ndarray, name: str = "") -> Detections:
        """The people in a picture (height, width, 3) RGB uint8."""
        return self.many([picture], [name])[0]

    def many(self, pictures: Sequence[np.ndarray], names: Sequence[str] = ()) -> list[Detections]:
        """The people in each of several pictures, which a network of a free batch size looks at together."""
        del names
        fitted = [self._fit(picture) for picture in pictures]
        answers = self._run_all([tensor for tensor, _ in fitted])
        return [
            self._people(answer, tensor, scale_xy, picture)
            for answer, (tensor, scale_xy), picture in zip(answers, fitted, pictures, strict=True)
        ]

    def _run_all(self, tensors: list[np.ndarray]) -> list[dict[str, np.ndarray]]:
        """What the network says of each input; those of one shape go through it together, if it can do that."""
        if len(tensors) < 2 or not self._takes_batches:
            return [self._run(tensor) for tensor in tensors]
        shapes = [tensor.shape for tensor in tensors]
        answers: list[dict[str, np.ndarray]] = [{}] * len(tensors)
        for shape in dict.fromkeys(shapes):
            rows = [row for row, own in enumerate(shapes) if own == shape]
            together = self._run(np.concatenate([tensors[row] for row in rows]))
            for place, row in enumerate(rows):
                answers[row] = {key: value[place : place + 1] for key, value in together.items()}
        return answers

    def _people(
        self, answer: dict[str, np.ndarray], tensor: np.ndarray, scale_xy: np.ndarray, picture: np.ndarray
    ) -> Detections:
        tables = outputs.tables(answer, self.about)
        boxes = _to_xyxy(tables.boxes, self.about.form)
        if self.about.unit == "share":
            height, width = tensor.shape[2:]
            boxes = boxes * (width, height, width, height)
        boxes = clip(boxes / np.tile(scale_xy, 2), picture)
        scores = outputs.person_scores(tables, self.about)
        return suppress(sift(boxes, scores, min_score=self.min_score), self.about.nms)

    def _fit(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The network's input (1, 3, height, width), and its pixels for each of the picture's in x and in y."""
        height, width = picture.shape[:2]
        size = area_size(self.about.size, (width, height)) if self.about.resize == "area" else self.about.size
        scale = np.array(size) / (width, height)
        if self.about.resize == "letterbox":
            scale = np.full(2, scale.min())
        inner = np.maximum(np.round(scale * (width, height)), 1).astype(int)
        full = np.full((size[1], size[0], 3), GREY, np.uint8)
        full[: inner[1], : inner[0]] = cv2.resize(picture, (int(inner[0]), int(inner[1])))
        return self.about.input_of(full[None], self._node.dtype), scale

    def _run(self, tensor: np.ndarray) -> dict[str, np.ndarray]:
        values = self.session.run(self._outputs, {self._node.name: tensor})
        return dict(zip(self._outputs, map(np.asarray, values), strict=True))

    def _try_out(self, batch: int = 1) -> dict[str, np.ndarray]:
        """What the network says of grey pictures of the described size."""
        width, height = self.about.size
        try:
            tensor = self._fit(np.full((height, width, 3), GREY, np.uint8))[0]
            return self._run(np.repeat(tensor, batch, axis=0))
        except Exception as error:  # of many classes
            asked = f"`size: [{width}, {height}]`"
            raise ValueError(
                f"{self.name} does not run with {asked} ({in_a_line(error)}); write the size it has"
            ) from None

    @cached_property
    def _takes_batches(self) -> bool:
        """Whether the batch size is free, and not by name alone."""
        if self._node.batch:
            return False
        try:
            return all(len(output) == 2 for output in self._try_out(batch=2).values())
        except ValueError:
            return False


def area_size(size: tuple[int, int], picture_wh: tuple[int, int]) -> tuple[int, int]:
    """Width and height of an input in a picture's shape, of about as many pixels as `size`, in steps of STEP."""
    longest = LONGEST**0.5
    aspect = np.clip(np.sqrt(picture_wh[0] / picture_wh[1]), 1 / longest, longest)
    side = np.sqrt(size[0] * size[1])
    width, height = (max(STEP, STEP * round(float(length) / STEP)) for length in (side * aspect, side / aspect))
    return width, height


def _to_xyxy(boxes: np.ndarray, form: str) -> np.ndarray:
    if form == "xyxy":
        return boxes
    start = boxes[:, :2] - (boxes[:, 2:] / 2 if form == "cxcywh" else 0)
    return np.concatenate([start, start + boxes[:, 2:]], axis=1)
