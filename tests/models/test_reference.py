"""The published code's numbers: golden outputs, one golden training step, and plain networks of the same backbones."""

from __future__ import annotations

import ast
import json
import runpy
from collections import OrderedDict
from copy import deepcopy
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rdpose.models import builders
from rdpose.models.backbones.hrnet import HRNet, hrnet_w32
from rdpose.models.backbones.resnet import SimpleBaseline
from rdpose.models.reference import OfficialRDPose, constant_anchor, middle

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
        backbone, ast.literal_eval(config)["K"], simple_baseline=isinstance(backbone, SimpleBaseline)
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
        decoupled = network.passes(network.backbone(image))[1]
    error = np.abs(decoupled.numpy() - values["train_output"])
    norms = {name.removeprefix("backbone."): p.grad.norm().item() for name, p in network.named_parameters()}

    assert terms["loss"].item() == pytest.approx(values["train_loss"].item(), rel=1e-6)
    assert np.median(error) < 1e-5
    assert error.max() < 1e-4
    assert norms.keys() == set(values["grad_names"])
    np.testing.assert_allclose([norms[name] for name in values["grad_names"]], values["grad_norms"], rtol=1e-3)


def published_step_on_simple_baseline(network: OfficialRDPose, image: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """The loss by the formulas published for SimpleBaseline, person by person; nothing of ours but the layers."""
    features = network.backbone(network.normalise(image))
    height, width = features.shape[2:]

    def seen_from(row: int, column: int, one: Tensor) -> Tensor:
        """Maps (K + 1, h, w) of features (C, h, w)."""
        vector = one[:, row, column]
        by_channel = one * (network.c_attn.atn.weight @ vector + network.c_attn.atn.bias)[:, None, None]
        likeness = (one * (network.s_attn.atn.weight @ vector + network.s_attn.atn.bias)[:, None, None]).sum(0)
        along_x = (column - torch.arange(width)).expand(height, width) / 32
        along_y = (row - torch.arange(height))[:, None].expand(height, width) / 32
        mask = network.s_attn.conv(torch.stack([likeness, along_x.to(one), along_y.to(one)])[None])[0].sigmoid()
        fused = torch.relu(network.fuse_attn(torch.cat([by_channel, one * mask])[None]))
        return network.final_layer(fused)[0]

    first = torch.stack([seen_from(height // 2, width // 2, one) for one in features])
    peaks = [divmod(int(maps[-1].argmax()), width) for maps in first]
    second = torch.stack([seen_from(*place, one) for place, one in zip(peaks, features, strict=True)])

    def criterion(maps: Tensor) -> Tensor:
        joints = zip(maps.unbind(1), target.unbind(1), weight.unbind(1), strict=True)
        terms = [0.5 * nn.functional.mse_loss(p * w[:, None, None], t * w[:, None, None]) for p, t, w in joints]
        return torch.stack(terms).mean()

    return criterion(first) + 1.5 * criterion(second) + criterion(network.final_layer(features))


@pytest.mark.parametrize("depth", [18, 50])
def test_training_step_on_simple_baseline_is_the_published_one(depth: int) -> None:
    torch.manual_seed(depth)
    network = OfficialRDPose(SimpleBaseline(depth, filters=(16, 16, 12)), 3, simple_baseline=True).double().train()
    for layer in (network.final_layer, network.fuse_attn, network.s_attn.conv):
        nn.init.normal_(layer.weight, std=0.3)  # so that maps are far from flat
    image = torch.randint(0, 256, (2, 3, 96, 64)).double()
    target, weight = torch.rand(2, 4, 24, 16).double(), torch.tensor([[1.0, 0, 1, 1], [1, 1, 0, 1]]).double()
    gradients = []
    losses = []
    for step in (network.loss_terms, partial(published_step_on_simple_baseline, network)):
        network.zero_grad()
        found = step(image, target, weight)
        loss = found["loss"] if isinstance(found, dict) else found
        loss.backward()
        losses.append(loss.item())
        gradients.append({name: p.grad.clone() for name, p in network.named_parameters()})
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], rtol=1e-8, atol=1e-12, msg=name)


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "hrnet_small"])
def test_each_backbone_trains_as_published_on_it(name: str) -> None:
    network = builders.build(name, "official", num_joints=3)
    assert isinstance(network, OfficialRDPose)
    assert network.simple_baseline == name.startswith("resnet")


@pytest.mark.parametrize(("logit", "tied"), [(9.0, False), (9.3, True), (-9.0, False), (-9.3, True)])
def test_of_cells_that_the_clipping_makes_equal_the_first_is_the_anchor(logit: float, tied: bool) -> None:
    """On HRNet, at test and in training: sigmoid(9.3) and sigmoid(9.4) are both cut to 0.9999."""
    torch.manual_seed(0)
    features = torch.rand(1, 4, 16, 12)
    features[0, 0] = 0
    features[0, 0, 5, 7] = 0.1  # alone in the centre map
    network = OfficialRDPose(WithChannels(4), 3).eval()
    network.normalise = nn.Identity()
    with torch.no_grad():
        for layer in (network.s_attn.conv, network.fuse_attn):
            nn.init.normal_(layer.weight, std=0.3)
        network.final_layer.weight[-1] = torch.tensor([1.0, 0, 0, 0])[:, None, None]
        network.final_layer.bias[-1] = logit - 0.05
        expected = network._decouple(features, torch.tensor([[0, 0] if tied else [7, 5]]))
        found = network.maps(features)
    torch.testing.assert_close(found, expected.sigmoid().clamp(1e-4, 1 - 1e-4))
    with torch.no_grad():
        network.final_layer.weight[-1] = 0
        network.final_layer.bias[-1] = 20
        decoupled = network.passes(features)[1]
        expected = network._decouple(features, torch.tensor([[0, 0]]))
    torch.testing.assert_close(decoupled, expected.sigmoid().clamp(1e-4, 1 - 1e-4))


class WithChannels(nn.Identity):
    """A backbone that has done its work already."""

    stride = 1

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels


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


def test_the_middle_is_at_half_the_height_and_half_the_width() -> None:
    assert middle(torch.zeros(2, 1, 64, 48)).tolist() == [[24, 32]] * 2


def test_a_small_crop_can_be_trained() -> None:
    network = OfficialRDPose(HRNet(8, modules=(1, 1, 1), blocks=1, stem_channels=8, stem_blocks=1), 5)
    image = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    terms = network.loss_terms(image, torch.rand(2, 6, 16, 16), torch.ones(2, 6))
    terms["loss"].backward()
    expected = terms["direct"] + 1.5 * terms["decoupled"] + terms["perturbed"]
    torch.testing.assert_close(terms["loss"], expected)
    assert all(p.grad is not None for p in network.parameters())
