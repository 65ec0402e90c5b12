"""The bundled network's graph for ONNX Runtime, without weights of its own: it reads those of the file beside it.

    python -m recipes.bundled.graph src/rdpose/weights/bundled.safetensors

An ONNX file may say that a tensor's bytes lie in another file, and where. A safetensors file is such a file: a header
and then the tensors' bytes. So the package carries the weights once, in half precision, and the graph in a tenth of a
megabyte. A node after each tensor makes it single precision, once, when the file is opened.
"""

from __future__ import annotations

import argparse
import json
import struct
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rdpose.export import export

SMALLEST = 64
"""Values of a tensor that is worth a reference; fewer stay in the graph."""


class Stored(NamedTuple):
    """A tensor of a safetensors file."""

    values: np.ndarray
    """(n,) float16."""
    offset: int
    """Bytes from the file's beginning."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    options = parser.parse_args()
    graph = write_graph(options.weights)
    print(f"{graph}: {graph.stat().st_size / 1e6:.2f} MB")


def write_graph(weights: Path) -> Path:
    """Write NAME.onnx beside NAME.safetensors, which is in half precision; returns it.

    Raises:
        ValueError: less than nine tenths of the graph's values are in the weights file.
    """
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "whole.onnx"
        export(weights, exported, format="onnx")
        model = onnx.load(exported)
    own, found = refer(model.graph, stored(weights), weights.name)
    if own > found / 9:
        raise ValueError(f"{weights} has {found} of the graph's {own + found} values: give weights in half precision")
    graph = weights.with_suffix(".onnx")
    graph.write_bytes(model.SerializeToString())
    return graph


def stored(weights: Path) -> dict[int, list[Stored]]:
    """The half-precision tensors of a safetensors file, by their number of values."""
    content = weights.read_bytes()
    start = 8 + struct.unpack("<Q", content[:8])[0]
    found: dict[int, list[Stored]] = {}
    for name, about in json.loads(content[8:start]).items():
        if name != "__metadata__" and about["dtype"] == "F16":
            begin, end = (start + place for place in about["data_offsets"])
            values = np.frombuffer(content[begin:end], np.float16)
            found.setdefault(len(values), []).append(Stored(values, begin))
    return found


def refer(graph: onnx.GraphProto, known: dict[int, list[Stored]], file: str) -> tuple[int, int]:
    """Let a graph's tensors be those of a file where they are equal; numbers of values that are not there, and are."""
    kept, casts, own, found = [], [], 0, 0
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        same = next((one for one in known.get(values.size, []) if is_same(one, values)), None)
        if same is None:
            kept.append(tensor)
            own += values.size
            continue
        kept.append(reference(tensor, same, file))
        casts.append(helper.make_node("Cast", [kept[-1].name], [tensor.name], to=TensorProto.FLOAT))
        found += values.size
    nodes = [*casts, *graph.node]
    for field, values in ((graph.initializer, kept), (graph.node, nodes)):
        del field[:]
        field.extend(values)
    return own, found


def is_same(one: Stored, values: np.ndarray) -> bool:
    """Whether a graph's values are those of a stored tensor, in its order."""
    large = values.dtype == np.float32 and values.size >= SMALLEST
    return large and np.array_equal(one.values.astype(np.float32), values.ravel())


def reference(tensor: TensorProto, same: Stored, file: str) -> TensorProto:
    """A half-precision tensor of another name whose bytes lie in the file."""
    half = TensorProto(name=f"{tensor.name}_half", data_type=TensorProto.FLOAT16, dims=tensor.dims)
    half.data_location = TensorProto.EXTERNAL
    for key, value in (("location", file), ("offset", same.offset), ("length", same.values.nbytes)):
        entry = half.external_data.add()
        entry.key, entry.value = key, str(value)
    return half


if __name__ == "__main__":
    main()
