"""The published code's numbers: golden outputs, one golden training step, and plain networks of the same backbones."""

from __future__ import annotations

import ast
import json
import runpy
from collections import OrderedDict
from copy import deepcopy
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rdpose.models.backbones.hrnet import HRNet, hrnet_w32
from rdpose.models.backbones.resnet import SimpleBaseline
from rdpose.models.reference import OfficialRDPose, clipped_sigmoid, constant_anchor

Golden = dict[str, np.ndarray]


def read(golden: Path, name: str) -> tuple[Golden, Tensor]:
    """A golden file and its network's input."""
    with np.load(golden / f"{name}.npz") as file:
        values = dict(file)
    image = runpy.run_path(str(golden / "formula.py"))["golden_input"](
        int(values["input_seed"]), tuple(values["input_shape"])
    )
    return values, torch.from_numpy(image)


@cache
def filled_backbone(golden: Path, config: str, gain: float) -> nn.Module:
    """Not to be changed by a test: drawing 28 million numbers takes seconds."""
    numbers = ast.literal_eval(config)
    if numbers["model"] == "pose_resnet":
        backbone = SimpleBaseline(numbers["layers"], filters=(numbers["fil"],) * 3)
    else:
        backbone = HRNet(numbers["ch"], modules=numbers["mods"], blocks=numbers["blocks"])
    fill(backbone, golden, gain)
    return backbone.eval()


def fill(network: nn.Module, golden: Path, gain: float) -> None:
    draw = runpy.run_path(str(golden / "formula.py"))["fill"]
    for key, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.from_numpy(draw(key, tuple(tensor.shape), gain)))


def official(golden: Path, values: Golden) -> OfficialRDPose:
    """The golden RDPose; the golden input is already normalised."""
    config, gain = str(values["config"]), float(values["gain"])
    backbone = filled_backbone(golden, config, gain)
    network = OfficialRDPose(
        backbone, ast.literal_eval(config)["K"], decouple_at_test=not isinstance(backbone, SimpleBaseline)
    )
    network.normalise = network.backbone = nn.Identity()
    fill(network, golden, gain)
    network.backbone = backbone
    return network


@pytest.mark.parametrize(
    "name", ["official_rdpose_hrnet_tiny", "official_rdpose_hrnet_w32", "official_rdpose_resnet50"]
)
def test_rdpose_gives_the_published_output(golden: Path, name: str) -> None:
    values, image = read(golden, name)
    network = official(golden, values).eval()
    with torch.no_grad():
        maps, heatmaps = network.maps(image), network(image)
    np.testing.assert_allclose(maps.numpy(), values["output"], rtol=0, atol=1e-5)
    assert torch.equal(heatmaps, maps[:, :-1])


@pytest.mark.parametrize("name", ["official_hrnet_w32", "official_simplebaseline_resnet18_mpii"])
def test_plain_network_gives_the_published_output(golden: Path, name: str) -> None:
    values, image = read(golden, name)
    gain, num_joints = float(values["gain"]), values["output"].shape[1]
    backbone = filled_backbone(golden, str(values["config"]), gain)
    head = nn.Sequential(OrderedDict(final_layer=nn.Conv2d(backbone.channels, num_joints, 1)))
    fill(head, golden, gain)
    with torch.no_grad():
        maps = head(backbone(image)).numpy()
    np.testing.assert_allclose(maps, values["output"], rtol=0, atol=1e-5 * np.abs(values["output"]).max())


def test_training_step_is_the_published_one(golden: Path) -> None:
    """Loss, heatmaps and every gradient.

    In float64, so that only the golden file's own single-precision rounding is left: batch statistics amplify it
    (a rounding of the input alone moves heatmaps by 1e-5 and gradients by 4e-4).
    """
    values, _ = read(golden, "official_rdpose_hrnet_tiny")
    draw = np.random.RandomState(int(values["input_seed"]))
    image = torch.from_numpy(draw.standard_normal(tuple(values["input_shape"])).astype(np.float32)).double()
    target = torch.from_numpy(draw.random_sample(values["output"].shape))
    weight = torch.from_numpy(draw.random_sample((2, 18, 1)) > 0.3).double().squeeze(2)

    network = deepcopy(official(golden, values)).train().double()
    terms = network.loss_terms(image, target, weight)
    terms["loss"].backward()
    with torch.no_grad():
        decoupled = clipped_sigmoid(network.passes(network.backbone(image))[1])
    error = np.abs(decoupled.numpy() - values["train_output"])
    norms = {name.removeprefix("backbone."): p.grad.norm().item() for name, p in network.named_parameters()}

    assert terms["loss"].item() == pytest.approx(values["train_loss"].item(), rel=1e-6)
    assert np.median(error) < 1e-5
    assert error.max() < 1e-4
    assert norms.keys() == set(values["grad_names"])
    np.testing.assert_allclose([norms[name] for name in values["grad_names"]], values["grad_norms"], rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "build"), [("rdpose_hrnet_w32", hrnet_w32), ("rdpose_resnet50", lambda: SimpleBaseline(50))]
)
def test_keys_and_shapes_are_the_published_ones(golden: Path, name: str, build) -> None:
    published = json.loads((golden / "keys.json").read_text())[name]
    with torch.device("meta"):
        state = OfficialRDPose(build(), 17).state_dict()
    ours = {key.removeprefix("backbone."): list(tensor.shape) for key, tensor in state.items()}
    assert {key: shape for key, shape in ours.items() if not key.startswith("normalise.")} == published


@pytest.mark.parametrize(
    ("height", "width", "anchor"), [(64, 48, [32, 32]), (96, 72, [32, 32]), (32, 24, [16, 16]), (8, 8, [5, 4])]
)
def test_the_constant_anchor_lies_in_every_map(height: int, width: int, anchor: list[int]) -> None:
    assert constant_anchor(torch.zeros(2, 1, height, width)).tolist() == [anchor, anchor]


def test_a_small_crop_can_be_trained() -> None:
    network = OfficialRDPose(HRNet(8, modules=(1, 1, 1), blocks=1, stem_channels=8, stem_blocks=1), 5)
    image = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    terms = network.loss_terms(image, torch.rand(2, 6, 16, 16), torch.ones(2, 6))
    terms["loss"].backward()
    expected = terms["direct"] + 1.5 * terms["decoupled"] + terms["perturbed"]
    torch.testing.assert_close(terms["loss"], expected)
    assert all(p.grad is not None for p in network.parameters())
