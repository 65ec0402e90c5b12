"""One bench for all backbones: every name with every variant, every family in training, half precision and files."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from rdpose import skeletons
from rdpose.checkpoints import native
from rdpose.config.schema import Settings
from rdpose.engine import transfer
from rdpose.engine.optim import WeightAverage
from rdpose.engine.training_step import LossWeights, RDPoseForTraining
from rdpose.models import builders
from rdpose.models.fuse import fused
from rdpose.models.losses import heatmap_loss
from rdpose.models.perturbation import Perturbation
from rdpose.models.rdpose import RDPose
from tiny_backbones import BACKBONES

VARIANTS = ("plain", "rdpose-paper", "boxes", "rdpose")
COCO = skeletons.get("coco")
BOX = torch.tensor([[4.0, 2, 40, 60], [10, 0, 60, 64]])
NEIGHBOURS = torch.tensor([[[20.0, 4, 60, 60], [0, 0, 0, 0]], [[0, 0, 30, 60], [30, 0, 50, 50]]])


def crops(height: int = 64, width: int = 64) -> Tensor:
    return torch.randint(0, 256, (2, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))


@pytest.fixture(params=BACKBONES)
def backbone(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return BACKBONES[request.param]()


def built(backbone: nn.Module, variant: str, num_joints: int = 17) -> RDPose:
    """A network that has learnt something: nothing in it is 0 any more."""
    network = builders.build(backbone, variant, num_joints=num_joints)
    assert isinstance(network, RDPose)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.01 * torch.randn(parameter.shape))
    return network.eval()


def test_every_family_is_on_the_bench() -> None:
    with torch.device("meta"):
        known = {type(builders.build_backbone(name)) for name in builders.BACKBONES}
        assert known == {type(make()) for make in BACKBONES.values()}


@pytest.mark.parametrize("variant", builders.VARIANTS)
@pytest.mark.parametrize("name", builders.BACKBONES)
def test_every_name_takes_every_variant(name: str, variant: str) -> None:
    """Shapes alone: on the meta device, which computes nothing."""
    with torch.device("meta"), torch.no_grad():
        network = builders.build(name, variant, num_joints=3).eval()
        for height, width in ((256, 192), (96, 128)):
            found = network(torch.zeros(2, 3, height, width), torch.zeros(2, 2, 4), torch.zeros(2, 4))
            assert found.shape == (2, 3, height // 4, width // 4)


@pytest.mark.parametrize("name", ["hrnet_w32", "hrnet_w48"])
def test_fdm_adds_under_half_a_per_cent_where_maps_are_narrow(name: str) -> None:
    work = {}
    for variant in ("plain", "rdpose-paper", "rdpose"):
        with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
            builders.build(name, variant, num_joints=17).eval()(torch.zeros(1, 3, 256, 192))
        work[variant] = counter.get_total_flops()
    assert work["plain"] < work["rdpose-paper"] < 1.005 * work["plain"]
    assert work["plain"] < work["rdpose"] < 1.005 * work["plain"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_training_reaches_every_parameter(backbone: nn.Module, variant: str) -> None:
    network = built(backbone, variant)
    decouples = network.decoupling is not None
    perturbation = Perturbation(neighbour=1, random=1, shifted=1, shift=0.2) if decouples else None
    training = RDPoseForTraining(network, perturbation, loss=heatmap_loss, weights=LossWeights(1, 1.5, 1), sigma=2)
    joints = torch.rand(2, 17, 2) * 60
    batch = {"image": crops(), "joints": joints, "visible": torch.ones(2, 17), "box": BOX, "neighbours": NEIGHBOURS}
    average = WeightAverage(network, 0.5)
    before = copy.deepcopy(network.state_dict())
    training.train()(batch | {"draws": torch.full((2, 4), 0.4)})["loss"].backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert not [name for name, gradient in gradients.items() if gradient is None or not gradient.isfinite().all()]
    with torch.no_grad():
        network.head.weight.add_(1)
    average.update(network)
    share = average.tensors["head.weight"] - before["head.weight"]
    assert share.min() > 0.01
    assert share.max() < 1


@pytest.mark.parametrize("variant", ["plain", "rdpose"])
@torch.inference_mode()
def test_folded_and_in_half_precision_it_is_the_same_network(backbone: nn.Module, variant: str) -> None:
    network = built(backbone, variant)
    expected = network(crops(), NEIGHBOURS, BOX)
    size = float(expected.abs().max())
    torch.testing.assert_close(fused(network)(crops(), NEIGHBOURS, BOX), expected, rtol=0, atol=1e-4 * size)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = network(crops(), NEIGHBOURS, BOX)
    assert (half.float() - expected).abs().mean() < 0.1 * size


@torch.inference_mode()
def test_a_file_brings_it_back_and_starts_another(backbone: nn.Module, tmp_path: Path) -> None:
    """Whole, and as the start of a network of other joints."""
    network, path = built(backbone, "rdpose"), tmp_path / "w.safetensors"
    native.save_weights(path, network.state_dict(), Settings(), COCO)
    again = built(copy.deepcopy(backbone), "rdpose")
    native.load_strictly(again, native.load_weights(path).tensors, path)
    assert torch.equal(again.eval()(crops(), NEIGHBOURS, BOX), network(crops(), NEIGHBOURS, BOX))
    other = built(copy.deepcopy(backbone), "rdpose", num_joints=5)
    names = ("nose", "left_wrist", "right_wrist", "left_horn", "right_horn")
    transfer.start_from(other, path, skeletons.from_names(names, name="horned"))
    for own, theirs in zip(other.backbone.parameters(), network.backbone.parameters(), strict=True):
        assert torch.equal(own, theirs)
    places = [COCO.joints.index(name) for name in names[:3]]
    assert torch.equal(other.head.weight[:3], network.head.weight[places])
