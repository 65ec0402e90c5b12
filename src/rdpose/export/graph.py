"""A network as an ONNX graph, and that as an OpenVINO one; settings and joints inside."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from rdpose import heatmaps
from rdpose.backends import exported
from rdpose.checkpoints.native import HEADER, to_header
from rdpose.config.schema import Settings
from rdpose.geometry import CellGrid
from rdpose.skeletons import Skeleton

OPSET = 18


class Answers(nn.Module):
    """A network whose decoding is part of it: heatmaps, joints in crop pixels, confidence."""

    def __init__(self, network: nn.Module, settings: Settings) -> None:
        super().__init__()
        self.network, self.decode = network, settings.test.decode
        self.sigma, self.convention = settings.model.sigma, settings.model.geometry

    def forward(self, image: Tensor, neighbours: Tensor, box: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        maps = self.network(image, neighbours, box)
        cells, confidence = heatmaps.decode(maps, self.decode, sigma=self.sigma)
        return maps, CellGrid.between(self.convention, image, maps).to_pixels(cells), confidence


def write_onnx(network: nn.Module, settings: Settings, path: Path, *, decode: bool) -> None:
    """Write a network (in evaluation mode, batch norms folded) as `path`.

    By tracing: the graph is equal to that of torch.export, and there in a twentieth of its time. What a trace may
    miss, a size that became a constant, the check after the export finds.
    """
    width, height = settings.model.image_size
    example = (torch.zeros(2, 3, height, width, dtype=torch.uint8), torch.zeros(2, 3, 4), torch.zeros(2, 4))
    outputs = exported.OUTPUTS if decode else exported.OUTPUTS[:1]
    model = Answers(network, settings).eval() if decode else network
    free = {name: {0: "batch"} for name in (*exported.INPUTS, *outputs)}
    free["neighbours"][1] = "others"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # sizes that are constants here
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            model,
            example,
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=list(exported.INPUTS),
            output_names=list(outputs),
            dynamic_axes=free,
        )


def inscribe(path: Path, settings: Settings, skeleton: Skeleton) -> None:
    """Put into an ONNX file what it was made with."""
    import onnx

    model = onnx.load(path)
    onnx.helper.set_model_props(model, {HEADER: to_header(settings, skeleton)})
    onnx.save(model, path)


def to_openvino(path: Path) -> Path:
    """The .xml (and .bin) beside an ONNX file of ours, with the same numbers."""
    import openvino

    model = openvino.convert_model(path)
    header = model.get_rt_info(["framework", HEADER]).value
    model.set_rt_info(header, [HEADER])
    target = path.with_suffix(".xml")
    openvino.save_model(model, target, compress_to_fp16=False)
    return target
