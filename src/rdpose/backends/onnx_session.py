"""An ONNX file opened by ONNX Runtime on the processor: a network of ours, or anybody's detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rdpose.backends.input_description import Node
from rdpose.io.files import in_a_line

SILENT = 4
"""What the runtime would print is said in our errors."""
NAMES = {"float": "float32", "double": "float64"}
"""Types that numpy calls otherwise than ONNX Runtime."""


def open_session(path: Path, *, threads: int = 0, remedy: str) -> Any:
    """An `onnxruntime.InferenceSession` of the file.

    Args:
        threads: of the processor; 0 leaves the runtime's choice.
        remedy: what to do about a file that it cannot read, for the message.

    Raises:
        ValueError: the file is damaged, or no network.
    """
    import onnxruntime as runtime  # which networks of torch do without

    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, SILENT
    try:
        return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of many classes
        raise ValueError(f"{path} is damaged or no network ({in_a_line(error)}); {remedy}") from None


def nodes(session: Any) -> tuple[Node, ...]:
    """The inputs of a session."""
    found = []
    for node in session.get_inputs():
        kind = node.type.removeprefix("tensor(").removesuffix(")")
        shape = tuple("?" if side is None else side for side in node.shape or ())
        found.append(Node(node.name, shape, NAMES.get(kind, kind)))
    return tuple(found)
