"""8 bits for the backbone of an exported network, whose ranges are read off pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from rdpose.backends import exported
from rdpose.data.crops import PictureCrops

BACKBONE = "backbone."
"""In the names of its weights. The rest, a hundredth of the work, stays exact: anchor, FDM, head."""
CONVOLUTIONS = ["Conv", "ConvTranspose"]
ACTIVATIONS = ["Clip", "Relu"]
"""Named beside the convolutions before them, they give these their range: 0 to 6, say, in place of all that is cut."""

FEW = 20
"""Pictures below which ranges are doubtful."""


def quantise(path: Path, samples: list[PictureCrops]) -> None:
    """Turn the convolutions of an exported network's backbone into 8 bits, in place.

    Symmetric weights of a range per channel, unsigned values of the range that they take in `samples`: what
    the integer products of processors (VNNI) ask for.
    """
    prepared = path.with_suffix(".prepared.onnx")
    quant_pre_process(path, prepared, skip_symbolic_shape=True)
    graph = onnx.load(prepared).graph
    quantize_static(
        prepared,
        path,
        Samples(samples, [node.name for node in graph.input]),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=CONVOLUTIONS + ACTIVATIONS,
        nodes_to_exclude=[n.name for n in graph.node if n.op_type in CONVOLUTIONS and BACKBONE not in n.input[1]],
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
    )
    prepared.unlink()


class Samples(CalibrationDataReader):
    """Batches as ONNX Runtime's calibration takes them: one dictionary after the other, then None."""

    def __init__(self, samples: list[PictureCrops], inputs: list[str]) -> None:
        self.batches: Iterator[PictureCrops] = iter(samples)
        self.inputs = inputs

    def get_next(self) -> dict[str, np.ndarray] | None:  # pyrefly: ignore [bad-override] (the base forgets its None)
        batch = next(self.batches, None)
        if batch is None:
            return None
        parts = dict(zip(exported.INPUTS, batch.inputs, strict=True))
        return {name: np.ascontiguousarray(parts[name].numpy()) for name in self.inputs}
