"""Starting from other weights: joints by name, decoupling only where it means the same, and a report of all of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from rdpose import skeletons
from rdpose.checkpoints import native
from rdpose.config.schema import ModelSettings, Settings
from rdpose.engine import transfer
from rdpose.models import builders
from rdpose.skeletons import COCO_17, CROWDPOSE_14, MPII_16, Skeleton


def network_of(variant: str, skeleton: Skeleton, *, seed: int, backbone: str = "hrnet_small") -> nn.Module:
    torch.manual_seed(seed)
    network = builders.build(backbone, variant, num_joints=skeleton.num_joints)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape))
    return network


def saved(path: Path, variant: str, skeleton: Skeleton, *, backbone: str = "hrnet_small") -> tuple[Path, nn.Module]:
    network = network_of(variant, skeleton, seed=1, backbone=backbone)
    settings = Settings(model=ModelSettings(backbone=backbone, variant=variant))
    native.save_weights(path, network.state_dict(), settings, skeleton)
    return path, network


def head_of(network: nn.Module) -> torch.Tensor:
    state = network.state_dict()
    return state["final_layer.weight"] if "final_layer.weight" in state else state["head.weight"]


def test_joints_go_by_name(tmp_path: Path) -> None:
    path, source = saved(tmp_path / "coco.safetensors", "rdpose", COCO_17)
    network = network_of("rdpose", CROWDPOSE_14, seed=2)
    before = head_of(network).clone()
    report = transfer.start_from(network, path, CROWDPOSE_14)
    for row, joint in enumerate(CROWDPOSE_14.joints):
        known = joint in COCO_17.joints
        expected = head_of(source)[COCO_17.joints.index(joint)] if known else before[row]
        assert torch.equal(head_of(network)[row], expected), joint
    assert torch.equal(head_of(network)[-1], head_of(source)[-1])  # the centre
    assert report.fresh_joints == ("head", "neck")
    assert len(report.joints) == 12
    assert (report.fresh, report.unused) == ((), ())
    assert "joints fresh: head, neck" in str(report)
    for key, tensor in source.state_dict().items():
        assert key.startswith("head.") or torch.equal(network.state_dict()[key], tensor), key


@pytest.mark.parametrize(
    ("source", "target", "fresh", "left_over", "centre"),
    [
        ("plain", "plain", set(), set(), False),
        ("plain", "rdpose", {"decoupling", "neighbour_map"}, set(), False),
        ("plain", "rdpose-paper", {"decoupling"}, set(), False),
        ("plain", "official", {"decoupling"}, set(), False),
        ("official", "rdpose-paper", set(), set(), False),  # the published centre is never trained
        ("official", "rdpose", {"decoupling", "neighbour_map"}, {"decoupling"}, False),
        ("rdpose-paper", "rdpose", {"decoupling", "neighbour_map"}, {"decoupling"}, True),
        ("rdpose-paper", "official", set(), set(), True),
        ("rdpose-paper", "rdpose-residual", {"decoupling"}, {"decoupling"}, True),  # of equal shapes
        ("rdpose", "rdpose", set(), set(), True),
        ("rdpose", "plain", set(), {"decoupling", "neighbour_map"}, False),
    ],
)
def test_variants(tmp_path: Path, source: str, target: str, fresh: set[str], left_over: set[str], centre: bool) -> None:
    path, other = saved(tmp_path / "w.safetensors", source, COCO_17)
    network = network_of(target, COCO_17, seed=2)
    report = transfer.start_from(network, path, COCO_17)
    assert {key.split(".")[0] for key in report.fresh} == fresh
    assert {key.split(".")[0] for key in report.unused} == left_over
    assert torch.equal(head_of(network)[:17], head_of(other)[:17])
    if len(head_of(network)) == len(head_of(other)) == 18:
        assert torch.equal(head_of(network)[17], head_of(other)[17]) == centre


def test_a_published_file_and_its_notes(tmp_path: Path) -> None:
    source = network_of("plain", MPII_16, seed=1)
    renamed = {key.removeprefix("backbone."): tensor for key, tensor in source.state_dict().items()}
    state = {k.replace("head.", "final_layer."): v for k, v in renamed.items() if "normalise" not in k}
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, tmp_path / "hrnet.pth")
    network = network_of("rdpose", COCO_17, seed=2)
    report = transfer.start_from(network, tmp_path / "hrnet.pth", COCO_17)
    assert torch.equal(head_of(network)[11], head_of(source)[MPII_16.joints.index("left_hip")])
    assert "left_hip" in report.joints
    assert report.fresh_joints == ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
    assert "256x256 (width x height) is assumed" in str(report)


def test_an_imagenet_backbone(tmp_path: Path) -> None:
    state = builders.build_backbone("resnet18").state_dict()
    kept = {key: tensor for key, tensor in state.items() if "deconv" not in key}
    torch.save(kept | {"fc.weight": torch.zeros(2, 2), "fc.bias": torch.zeros(2)}, tmp_path / "resnet18.pth")
    network = network_of("plain", COCO_17, seed=2, backbone="resnet18")
    report = transfer.start_from(network, tmp_path / "resnet18.pth", COCO_17)
    assert torch.equal(network.state_dict()["backbone.layer4.1.conv2.weight"], state["layer4.1.conv2.weight"])
    assert report.joints == ()
    assert {key.rpartition(".")[0] for key in report.fresh} >= {"head", "backbone.deconv_layers.0"}
    assert "not used: fc.weight, fc.bias" in str(report)
    assert "joints taken: none" in str(report)


def test_joints_without_names_are_not_taken(tmp_path: Path) -> None:
    hand = skeletons.from_names([f"knuckle_{i}" for i in range(21)], name="hand")
    path, _ = saved(tmp_path / "hand.safetensors", "plain", hand)
    report = transfer.start_from(network_of("plain", COCO_17, seed=2), path, COCO_17)
    assert report.fresh_joints == COCO_17.joints
    assert set(report.fresh) == set(report.unused) == {"head.weight", "head.bias"}


def test_another_backbone_is_refused(tmp_path: Path) -> None:
    """Layers that fit by chance (the stem's norms) are no start."""
    path, _ = saved(tmp_path / "small.safetensors", "plain", COCO_17)
    network = network_of("plain", COCO_17, seed=2, backbone="resnet18")
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    with pytest.raises(ValueError, match=r"small\.safetensors holds a hrnet_small, of which \d+ of \d+ tensors fit"):
        transfer.start_from(network, path, COCO_17)
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())
