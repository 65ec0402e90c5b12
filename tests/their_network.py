"""A heatmap network of others: one convolution in an ONNX file, with a description beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

WEIGHT = np.random.default_rng(0).normal(0, 0.3, (17, 3, 4, 4)).astype(np.float32)
"""A cell of a heatmap is a weighted sum of its 4 x 4 pixels."""
ABOUT = {"size": [64, 96], "keypoints": "coco", "mean": [120, 110, 100], "std": [60, 61, 62]}


def write(path: Path, *, batch: int | str = "batch", pixels: bool = False, stride: int = 4, **about: Any) -> Path:
    """A network of one strided convolution, with a second output, and its description; None leaves a field out.

    Args:
        batch: as its input says; "one" is a name of its size, which it does not keep to: it adds up the batch.
    """
    import onnx

    helper, kinds = onnx.helper, onnx.TensorProto
    nodes = [helper.make_node("Cast", ["image"], ["float"], to=kinds.FLOAT)]
    if batch == "one":
        nodes += [helper.make_node("ReduceSum", ["float", "axes"], ["in"], keepdims=1)]
    else:
        nodes += [helper.make_node("Identity", ["float"], ["in"])]
    nodes += [helper.make_node("Conv", ["in", "weight"], ["maps"], strides=[stride, stride])]
    nodes += [helper.make_node("ReduceMean", ["maps"], ["means"], axes=[2, 3], keepdims=0)]
    image = helper.make_tensor_value_info("image", kinds.UINT8 if pixels else kinds.FLOAT, [batch, 3, 96, 64])
    outputs = [helper.make_tensor_value_info(name, kinds.FLOAT, None) for name in ("maps", "means")]
    arrays = {"weight": WEIGHT} | ({"axes": np.array([0])} if batch == "one" else {})
    constants = [onnx.numpy_helper.from_array(value, name) for name, value in arrays.items()]
    graph = helper.make_graph(nodes, "theirs", [image], outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    fields = {key: value for key, value in (ABOUT | about).items() if value is not None}
    path.with_suffix(".yaml").write_text(yaml.safe_dump(fields))
    return path
