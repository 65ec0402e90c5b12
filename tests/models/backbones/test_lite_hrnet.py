"""Lite-HRNet: the published keys, sizes and arithmetic, and PP-TinyPose's numbers from its published weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from rdpose.config.schema import Settings
from rdpose.models.backbones import lite_hrnet
from rdpose.models.backbones.lite_hrnet import LiteHRNet, LiteModule
from rdpose.models.backbones.shuffle import CrossResolutionWeighting, shuffled
from rdpose.models.fuse import fused
from rdpose.models.rdpose import RDPose

Keys = Iterator[tuple[str, tuple[int, ...]]]


def norm(name: str, width: int) -> Keys:
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", (width,)
    yield f"{name}.num_batches_tracked", ()


def conv_module(name: str, out: int, into: int, size: int = 1) -> Keys:
    """mmcv's ConvModule."""
    yield f"{name}.conv.weight", (out, into, size, size)
    yield from norm(f"{name}.bn", out)


def separable(name: str, into: int, out: int) -> Keys:
    yield f"{name}.0.weight", (into, 1, 3, 3)
    yield from norm(f"{name}.1", into)
    yield f"{name}.2.weight", (out, into, 1, 1)
    yield from norm(f"{name}.3", out)


def weighting_block(name: str, widths: Sequence[int]) -> Keys:
    halves = [width // 2 for width in widths]
    total, between = sum(halves), int(sum(halves) / 8)
    yield from conv_module(f"{name}.cross_resolution_weighting.conv1", between, total)
    yield from conv_module(f"{name}.cross_resolution_weighting.conv2", total, between)
    for branch, half in enumerate(halves):
        yield from conv_module(f"{name}.depthwise_convs.{branch}", half, 1, 3)
    for branch, half in enumerate(halves):
        for part, (out, into) in enumerate([(int(half / 4), half), (half, int(half / 4))], 1):
            yield f"{name}.spatial_weighting.{branch}.conv{part}.conv.weight", (out, into, 1, 1)
            yield f"{name}.spatial_weighting.{branch}.conv{part}.conv.bias", (out,)


def shuffle_block(name: str, width: int) -> Keys:
    half = width // 2
    for place, (into, size) in enumerate([(half, 1), (1, 3), (half, 1)]):
        yield from conv_module(f"{name}.branch2.{place}", half, into, size)


def module(name: str, widths: Sequence[int], naive: bool) -> Keys:
    if naive:
        for branch, width in enumerate(widths):
            for block in range(2):
                yield from shuffle_block(f"{name}.layers.{branch}.{block}", width)
    else:
        for block in range(2):
            yield from weighting_block(f"{name}.layers.{block}", widths)
    for target, out in enumerate(widths):
        for source, into in enumerate(widths):
            place = f"{name}.fuse_layers.{target}.{source}"
            if source > target:
                yield f"{place}.0.weight", (out, into, 1, 1)
                yield from norm(f"{place}.1", out)
            for step in range(target - source):
                yield from separable(f"{place}.{step}", into, out if step == target - source - 1 else into)


def published(channels: int, modules: Sequence[int], naive: bool) -> Keys:
    """Keys and shapes as HRNet/Lite-HRNet's models/backbones/litehrnet.py makes them, read off its text."""
    for name, *shape in (
        ("conv1", 32, 3, 3),
        *(("branch1.0", 16, 1, 3), ("branch1.1", 16, 16)),
        *(("expand_conv", 32, 16), ("depthwise_conv", 32, 1, 3), ("linear_conv", 16, 32)),
    ):
        yield from conv_module(f"stem.{name}", *shape)
    before = [32]
    for stage, count in enumerate(modules):
        widths = [channels << branch for branch in range(stage + 2)]
        for branch, width in enumerate(widths):
            if branch >= len(before):
                yield from separable(f"transition{stage}.{branch}.0", before[-1], width)
            elif width != before[branch]:
                yield from separable(f"transition{stage}.{branch}", before[branch], width)
        for place in range(count):
            yield from module(f"stage{stage}.{place}", widths, naive)
        before = widths
    for place, (into, out) in enumerate(pairwise([*before[::-1], before[0]])):
        yield from conv_module(f"head_layer.projects.{place}.depthwise_conv", into, 1, 3)
        yield from conv_module(f"head_layer.projects.{place}.pointwise_conv", out, into)


@pytest.mark.parametrize(
    ("build", "structure", "millions"),
    [
        (lite_hrnet.lite_hrnet_18, (40, (2, 4, 2), False), 1.13),
        (lite_hrnet.lite_hrnet_30, (40, (3, 8, 3), False), 1.76),  # as EasyCV's table says
        (lite_hrnet.lite_hrnet_18_naive, (30, (2, 4, 2), True), 0.76),
        (lite_hrnet.lite_hrnet_18_wider_naive, (40, (2, 4, 2), True), 1.32),  # as PaddleDetection's says
    ],
)
def test_keys_shapes_and_size_are_the_published_ones(
    build: Callable[[], LiteHRNet], structure: Any, millions: float
) -> None:
    with torch.device("meta"):
        network = build()
    found = [(key, tuple(tensor.shape)) for key, tensor in network.state_dict().items()]
    assert sorted(found) == sorted(published(*structure))
    assert (network.channels, network.stem_channels, network.stride) == (structure[0], 32, 4)
    with_head = sum(parameter.numel() for parameter in network.parameters()) + 17 * (network.channels + 1)
    assert round(with_head / 1e6, 2) == millions


def branches(widths: Sequence[int]) -> list[Tensor]:
    return [torch.randn(2, width, 32 >> place, 16 >> place) for place, width in enumerate(widths)]


@pytest.mark.parametrize("widths", [[8, 16], [8, 16, 32, 64]])
@torch.no_grad()
def test_branches_are_exchanged_as_in_the_published_code(widths: list[int]) -> None:
    """Whose sums begin with the finest branch and grow in place, so that this one changes on the way."""
    torch.manual_seed(0)
    made = LiteModule(widths, naive=True).eval()
    layers: Any = made.fuse_layers
    given = branches(widths)
    out = [x.clone() for x in given]
    expected = []
    for target in range(len(widths)):
        y = out[0] if target == 0 else layers[target][0](out[0])
        for source, x in enumerate(out):
            part = x if source == target else layers[target][source](x)
            y += interpolate(part, scale_factor=y.shape[-1] / part.shape[-1], mode="nearest")
        expected.append(y.relu())
    for found, wanted in zip(made.exchanged(given), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_weights_of_channels_are_made_at_the_coarsest_size() -> None:
    torch.manual_seed(0)
    made, given = CrossResolutionWeighting([8, 16, 32]).eval(), branches([8, 16, 32])
    size = given[-1].shape[-2:]
    together = torch.cat([adaptive_avg_pool2d(x, size) for x in given], dim=1)
    weights = torch.sigmoid(made.conv2(made.conv1(together))).split([8, 16, 32], dim=1)
    for found, x, weight in zip(made(given), given, weights, strict=True):
        torch.testing.assert_close(found, x * interpolate(weight, size=x.shape[-2:], mode="nearest"))


def test_channels_take_turns() -> None:
    first, second = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    expected = torch.cat([first, second], dim=1).view(2, 2, 3, 4, 5).transpose(1, 2).reshape(2, 6, 4, 5)
    assert torch.equal(shuffled(first, second), expected)


@torch.inference_mode()
def test_an_onnx_file_keeps_the_numbers(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from rdpose.export import graph

    torch.manual_seed(0)
    network = RDPose(LiteHRNet(16, modules=(1, 1, 1)), 3, neighbour_aware=True).eval()
    nn.init.normal_(network.head.weight)
    settings = Settings.model_validate({"model": {"image_size": [64, 96]}})
    graph.write_onnx(fused(network), settings, tmp_path / "lite.onnx", decode=False)
    crops = torch.randint(0, 256, (3, 3, 96, 64), dtype=torch.uint8)
    boxes = torch.tensor([[[4.0, 4, 30, 60]]] * 3)
    given = {"image": crops, "neighbours": boxes, "box": boxes[:, 0] + 9}
    session = runtime.InferenceSession(str(tmp_path / "lite.onnx"))
    (found,) = session.run(["heatmaps"], {key: value.numpy() for key, value in given.items()})
    expected = network(*given.values())
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-5 * float(expected.abs().max()))


def constant(node: Any) -> Tensor:
    """The constant that a convolution or a sum takes beside its input."""
    node = node.input_value(1).get_node()
    while node.get_type_name() != "Constant":  # half precision, made single
        node = node.input_value(0).get_node()
    return torch.from_numpy(node.get_data().astype(np.float32))


def convolutions(model: Any) -> dict[int, tuple[Tensor, Tensor]]:
    """Weight and bias of each convolution of an OpenVINO model of Paddle's, by the number of the norm folded into it:
    norms are numbered as they were built. The last layer has none, and comes last."""
    found = {}
    for node in model.get_ordered_ops():
        if node.get_type_name() in ("Convolution", "GroupConvolution"):
            (target,) = node.output(0).get_target_inputs()
            _, _, number = target.get_node().get_friendly_name().removesuffix(".w_1").rpartition("batch_norm2d_")
            place = int(number) if number.isdigit() else 1 << 20
            found[place] = constant(node), constant(target.get_node())
    return found


@torch.inference_mode()
def test_tinypose_weights_give_tinypose_heatmaps(shared_data: Path) -> None:
    openvino = pytest.importorskip("openvino")
    folder = shared_data.parent / "models/tinypose_256x192"
    if not folder.is_dir():
        pytest.skip("needs ../shared/models/tinypose_256x192")
    model = openvino.Core().read_model(folder / "model.xml")
    theirs = convolutions(model)
    network = fused(RDPose(lite_hrnet.lite_hrnet_18_wider_naive(), 17).eval())
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    for layer, place in zip(layers, sorted(theirs), strict=True):
        weight, bias = theirs[place]
        assert layer.bias is not None
        layer.weight.copy_(weight.reshape(layer.weight.shape))
        layer.bias.copy_(bias.flatten())
    crops = torch.randint(0, 256, (1, 3, 256, 192), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    expected = compiled(network.normalise(crops).numpy())[0]
    np.testing.assert_allclose(network(crops).numpy(), expected, rtol=0, atol=1e-5)
