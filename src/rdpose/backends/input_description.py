"""What a network of others takes, as a YAML file beside it says: the part that detectors and pose networks share.

size: [192, 256]                    # width and height of the network's input
color: rgb                          # or bgr
mean: [123.675, 116.28, 103.53]     # (pixel - mean) / std, with pixels of 0 to 255 and in the order of `color`;
std: [58.395, 57.12, 57.375]        # neither for a network that takes uint8
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rdpose.config import loading

Triple = tuple[float, float, float]
Side = Annotated[int, Field(ge=1)]
TYPES = ("float32", "float16", "float64", "uint8")
"""Of inputs; a uint8 one takes pixels as they are."""


class InputDescription(BaseModel):
    """The fields are told in this file's first lines."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: tuple[Side, Side]
    color: Literal["rgb", "bgr"] = "rgb"
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (255.0, 255.0, 255.0)

    def input_of(self, pictures: np.ndarray, dtype: str) -> np.ndarray:
        """(n, 3, height, width) of type `dtype`, of pictures (n, height, width, 3) RGB uint8 of the described size."""
        pictures = pictures[..., ::-1] if self.color == "bgr" else pictures
        if dtype != "uint8":
            mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
            pictures = ((pictures.astype(np.float32) - mean) / std).astype(dtype, copy=False)
        return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))


class Node(NamedTuple):
    """An input of a network."""

    name: str
    shape: tuple[int | str, ...]
    """Numbers, and names of what is free; empty where nobody knows."""
    dtype: str
    """As numpy calls it: float32."""

    @property
    def batch(self) -> int:
        """How many pictures it takes at once; 0 is any number."""
        first = self.shape[0] if self.shape else 1
        return first if isinstance(first, int) else 0


Described = TypeVar("Described", bound=BaseModel)


def read(kind: type[Described], path: Path, *, what: str) -> Described:
    """Read a description.

    Args:
        what: it describes, for the message: "a detector".

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no YAML, or describes no such thing; the message names file and field.
    """
    try:
        return kind.model_validate(loading.read_yaml(path))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ValueError(f"{path} does not describe {what}: {faults}") from None


def check_input(about: InputDescription, nodes: Sequence[Node], name: str) -> Node:
    """The one input of a network.

    Args:
        name: how errors call the network.

    Raises:
        ValueError: it takes something else than one picture of the described size.
    """
    if len(nodes) != 1:
        names = ", ".join(node.name for node in nodes)
        raise ValueError(f"{name} takes {len(nodes)} inputs ({names}); export it with the picture as its only one")
    (node,), (width, height) = nodes, about.size
    given = (node.batch or 1, 3, height, width)
    own = node.shape or given
    if len(own) != 4 or any(isinstance(side, int) and side != other for side, other in zip(own, given, strict=True)):
        raise ValueError(
            f"{name}: the input {node.name} is ({', '.join(map(str, own))}), and `size: [{width}, {height}]` "
            f"makes {given} of a picture; write the network's own width and height"
        )
    if node.dtype not in TYPES:
        raise ValueError(f"{name}: the input {node.name} is of {node.dtype}; {', '.join(TYPES)} are known here")
    if node.dtype == "uint8" and {"mean", "std"} & about.model_fields_set:
        raise ValueError(f"{name}: the input {node.name} takes pixels of 0 to 255; leave out `mean` and `std`")
    return node
