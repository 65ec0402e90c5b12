"""What goes into an ONNX detector and what comes out of it, as a YAML file beside it says.

# detector.yaml, for detector.onnx
size: [640, 640]            # width and height of the network's input
resize: stretch             # or letterbox: the picture keeps its shape, at the top left, the rest is grey;
                            # or area: it keeps its shape, and the input is as many pixels as `size`, in steps of 32
color: rgb                  # or bgr
mean: [0, 0, 0]             # (pixel - mean) / std, with pixels of 0 to 255; neither for a network that takes uint8
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

import re
from pathlib import Path
from typing import Literal

from rdpose.backends import input_description
from rdpose.backends.input_description import InputDescription


class Description(InputDescription):
    """What the YAML file says; the fields are told in this file's first lines."""

    resize: Literal["stretch", "letterbox", "area"] = "stretch"
    boxes: str
    scores: str
    labels: str = ""
    transposed: bool = False
    form: Literal["xyxy", "cxcywh", "xywh"] = "xyxy"
    unit: Literal["pixels", "share"] = "pixels"
    sigmoid: bool = False
    person: int = 0
    nms: float = 0.7


def read(path: Path) -> Description:
    """Read a description.

    Raises:
        ValueError: it is no YAML, or describes no detector; the message names file and field.
    """
    return input_description.read(Description, path, what="a detector")


def parse(text: str) -> tuple[str, slice | None]:
    """`output0[4:]` -> its name and columns; None stands for all."""
    match = re.fullmatch(r"(.+?)(?:\[(\d*):(\d*)\])?", text)
    assert match is not None
    name, start, end = match.groups()
    return name, None if start is None else slice(int(start or 0), int(end) if end else None)
