"""The engines that run .onnx and .xml files on the processor: OpenVINO and ONNX Runtime, behind one face.

opened = open_file(Path("model.onnx"))
(heatmaps,) = opened.run({"image": crops}, ("heatmaps",))
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from rdpose.backends import onnx_session
from rdpose.backends.input_description import Node
from rdpose.checkpoints.native import HEADER
from rdpose.io.files import in_a_line

Engine = Literal["openvino", "onnxruntime"]
SUFFIXES = (".onnx", ".xml")
REMEDY = "fetch or export it again"


class Opened(NamedTuple):
    """A file as an engine sees it."""

    run: Callable[[dict[str, np.ndarray], tuple[str, ...]], list[np.ndarray]]
    """(inputs by name, names of outputs) -> these outputs."""
    nodes: tuple[Node, ...]
    """Its inputs."""
    outputs: tuple[str, ...]
    header: str
    """Settings and joints as JSON; empty where the file is not ours."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of its inputs."""
        return tuple(node.name for node in self.nodes)


def open_file(path: Path, *, engine: Engine | None = None, threads: int = 0) -> Opened:
    """Open an exported network.

    Args:
        path: a .onnx file, or OpenVINO's .xml with its .bin beside it.
        engine: what runs it; by default OpenVINO, which is the faster one, or else ONNX Runtime.
        threads: of the processor; 0 leaves the engine's choice.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no engine for it is installed, or the file is damaged.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no exported network {path}")
    return OPENERS[engine or engine_for(path)](path, threads)


def engine_for(path: Path) -> Engine:
    """The installed engine that runs a file soonest.

    Raises:
        ValueError: there is none; or the ending is no exported network's.
    """
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path} is no exported network, which ends in {' or '.join(SUFFIXES)}")
    if find_spec("openvino"):
        return "openvino"
    if path.suffix == ".onnx":
        return "onnxruntime"
    raise ValueError(f"{path} needs OpenVINO, which is not installed: `pip install 'rdpose[openvino]'`")


def open_onnxruntime(path: Path, threads: int) -> Opened:
    session = onnx_session.open_session(path, threads=threads, remedy=REMEDY)
    return Opened(
        run=lambda inputs, names: [np.asarray(answer) for answer in session.run(list(names), inputs)],
        nodes=onnx_session.nodes(session),
        outputs=tuple(node.name for node in session.get_outputs()),
        header=session.get_modelmeta().custom_metadata_map.get(HEADER, ""),
    )


def open_openvino(path: Path, threads: int) -> Opened:
    import openvino

    # Precision and hint keep processors with bf16 from trading the numbers for speed, and one crowd from being split.
    wishes = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    wishes |= {"INFERENCE_NUM_THREADS": str(threads)} if threads else {}
    core = openvino.Core()
    try:
        model = core.read_model(path)
        # Where it has read an ONNX file, OpenVINO puts that file's metadata below `framework`.
        places = [place for place in ([HEADER], ["framework", HEADER]) if model.has_rt_info(place)]
        if not places:
            _free_batch(model)
        compiled = core.compile_model(model, "CPU", wishes)
    except RuntimeError as error:
        raise ValueError(f"{path} is damaged or no network ({in_a_line(error)}); {REMEDY}") from None

    def run(inputs: dict[str, np.ndarray], names: tuple[str, ...]) -> list[np.ndarray]:
        answer = compiled(inputs, share_inputs=True, share_outputs=False)
        return [answer[name] for name in names]

    return Opened(
        run=run,
        nodes=tuple(_node(node) for node in model.inputs),
        outputs=tuple(node.get_any_name() for node in model.outputs),
        header=str(model.get_rt_info(places[0]).value) if places else "",
    )


def _node(node: Any) -> Node:
    sides = node.get_partial_shape()
    known = not sides.rank.is_dynamic
    shape = tuple(side.get_length() if side.is_static else "?" for side in sides) if known else ()
    return Node(node.get_any_name(), shape, np.dtype(node.get_element_type().to_dtype()).name)


def _free_batch(model: Any) -> None:
    """Let a network that was written for one picture take several, where its graph can: OpenVINO knows."""
    shapes = {node: node.get_partial_shape() for node in model.inputs}
    if len(shapes) != 1 or any(shape.rank.is_dynamic or len(shape) != 4 for shape in shapes.values()):
        return
    try:
        model.reshape({node: [-1, *list(shape)[1:]] for node, shape in shapes.items()})
    except RuntimeError:
        return  # as it was


OPENERS: dict[str, Callable[[Path, int], Opened]] = {
    "openvino": open_openvino,
    "onnxruntime": open_onnxruntime,
}
