"""Write the detector as an ONNX file of 8-bit weights, check it against the network, and measure its speed.

    python -m recipes.detector.export data/detector/run/trained.safetensors

The file takes `image` (n, 3, height, width) uint8 RGB, sides that are multiples of 32, and gives `boxes`
(n, cells, 4) x1 y1 x2 y2 in pixels of the input and `scores` (n, cells). Weights are stored as 8-bit whole numbers with
one number of steps in 1 for every output channel; a runtime divides them once, when it opens the file, and computes
in float32.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession
from recipes.detector.nanodet import SIDE_PX, NanoDet, decode, load
from torch import Tensor, nn

from rdpose.backends import onnx_session

SHIPPED = Path(__file__).resolve().parents[2] / "src/rdpose/weights/detector.onnx"

LARGEST = 127
SMALLEST_ARRAY = 2048
"""Arrays of fewer numbers stay float32."""
OPSET = 17
BOX_TOLERANCE_PX, SCORE_TOLERANCE = 0.05, 1e-3


class Shipped(nn.Module):
    """(n, 3, height, width) uint8 RGB -> boxes (n, cells, 4) in pixels, scores (n, cells)."""

    def __init__(self, detector: NanoDet) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        return decode(*self.detector(image), self.detector.cells(*image.shape[2:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, help="what recipes.detector.train wrote")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    options = parser.parse_args()
    detector = load(options.weights)
    round_weights(detector)
    shipped = Shipped(detector)
    export(shipped, options.out)
    box, score = difference(shipped, options.out)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.2f} MB; beside the network {box:.1e} px, {score:.1e}")
    if box > BOX_TOLERANCE_PX or score > SCORE_TOLERANCE:
        raise SystemExit("the file does not answer like the network")
    print(f"onnxruntime, one thread: {milliseconds(options.out):.1f} ms a picture")


def round_weights(detector: NanoDet) -> None:
    """Round every large weight to the steps that the file stores."""
    for weight in detector.parameters():
        if weight.numel() >= SMALLEST_ARRAY:
            whole, steps = quantise(weight.detach().numpy())
            weight.data.copy_(torch.from_numpy(whole / steps))


def quantise(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(out, ...) float32 -> the same shape int8 and steps in 1, (out, 1, ...) float32; their quotient is close."""
    largest = np.abs(weight).max(axis=tuple(range(1, weight.ndim)), keepdims=True)
    steps = (LARGEST / np.maximum(largest, 1e-12)).astype(np.float32)
    return np.rint(weight * steps).astype(np.int8), steps


def export(shipped: Shipped, path: Path) -> None:
    """Write the file: torch's exporter first, then large weights become int8 and a quotient."""
    example = torch.zeros(2, 3, SIDE_PX, SIDE_PX, dtype=torch.uint8)
    names = ("image", "boxes", "scores")
    free = {name: {0: "batch", 1: "cells"} for name in names[1:]} | {"image": {0: "batch", 2: "height", 3: "width"}}
    trace(shipped, example, path, input_names=names[:1], output_names=names[1:], dynamic_axes=free)
    model = onnx.load(path)
    store_whole(model.graph)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def trace(network: nn.Module, example: Tensor, path: Path, **names: Any) -> None:
    """Write a network as torch's tracing exporter does: plain operations, sizes as constants."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (example,), str(path), opset_version=OPSET, dynamo=False, **names)


def store_whole(graph: onnx.GraphProto) -> None:
    """Replace every large initializer by Cast(int8) / steps, which runtimes fold when they open the file.

    OpenVINO 2026.4 takes a product for a quantised layer, and is then off by half a pixel even in float32.
    """
    kept, nodes = [], []
    for stored in graph.initializer:
        array = numpy_helper.to_array(stored)
        if array.dtype != np.float32 or array.ndim != 4 or array.size < SMALLEST_ARRAY:
            kept.append(stored)
            continue
        whole, steps = quantise(array)
        name = stored.name
        kept += [numpy_helper.from_array(whole, name + ".whole"), numpy_helper.from_array(steps, name + ".steps")]
        nodes.append(helper.make_node("Cast", [name + ".whole"], [name + ".cast"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Div", [name + ".cast", name + ".steps"], [name]))
    del graph.initializer[:]
    graph.initializer.extend(kept)
    computed = list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes + computed)


def difference(shipped: Shipped, path: Path) -> tuple[float, float]:
    """Largest difference of a box (pixels) and of a score between the network and its file, on noise."""
    runner, worst = session(path), np.zeros(2)
    for shape in ((3, 3, SIDE_PX, SIDE_PX), (1, 3, 352, 480)):
        noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        boxes, scores = runner.run(None, {"image": noise})
        with torch.no_grad():
            ours = shipped(torch.from_numpy(noise))
        worst = np.maximum(worst, [np.abs(boxes - ours[0].numpy()).max(), np.abs(scores - ours[1].numpy()).max()])
    return float(worst[0]), float(worst[1])


def session(path: Path) -> InferenceSession:
    return onnx_session.open_session(path, threads=1, remedy="export it again")


def milliseconds(path: Path, rounds: int = 20) -> float:
    """Median processor time of one picture."""
    runner, image = session(path), np.zeros((1, 3, SIDE_PX, SIDE_PX), np.uint8)
    took = []
    for _ in range(rounds):
        start = time.process_time()
        runner.run(None, {"image": image})
        took.append(time.process_time() - start)
    return 1000 * float(np.median(took))


if __name__ == "__main__":
    main()
