"""Published Lite-HRNet files are read strictly, in every layout that they come in."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from rdpose.checkpoints import convert, key_maps
from rdpose.checkpoints import load as weight_files
from rdpose.checkpoints.infer_config import Asked
from rdpose.models import builders

NAMES = ("lite_hrnet_18", "lite_hrnet_30", "lite_hrnet_18_naive", "lite_hrnet_18_wider_naive")


def theirs(name: str, head: str = "keypoint_head", num_joints: int = 17) -> dict[str, Tensor]:
    """A state dict as mmpose and Lite-HRNet's own code save it."""
    torch.manual_seed(0)
    network = builders.build(name, "plain", num_joints=num_joints)
    parts = {"backbone": network.backbone, f"{head}.final_layer": network.head}
    return {f"{part}.{key}": tensor for part, module in parts.items() for key, tensor in module.state_dict().items()}


@pytest.mark.parametrize(
    ("name", "head", "layout"),
    [*((name, "keypoint_head", key_maps.MMPOSE_0) for name in NAMES), ("lite_hrnet_18", "head", key_maps.MMPOSE_1)],
)
def test_every_layout(tmp_path: Path, name: str, head: str, layout: str) -> None:
    state = theirs(name, head)
    path = tmp_path / "litehrnet_coco_384x288-8d4dac48_20211230.pth"
    torch.save({"meta": {"epoch": 210}, "state_dict": state}, path)
    reading = weight_files.read(path)
    model = reading.settings.model
    assert (reading.layout, model.backbone, model.variant) == (layout, name, "plain")
    assert (model.image_size, model.sigma) == ((288, 384), 3)
    assert torch.equal(reading.tensors["backbone.stem.conv1.conv.weight"], state["backbone.stem.conv1.conv.weight"])
    assert torch.equal(reading.tensors["head.bias"], state[f"{head}.final_layer.bias"])


def test_convert_info_and_load(tmp_path: Path) -> None:
    old, new = tmp_path / "litehrnet18_mpii_256x256.pth", tmp_path / "new.safetensors"
    torch.save({"state_dict": theirs("lite_hrnet_18", num_joints=16)}, old)
    for words in ("lite_hrnet_18", "16 of mpii", "256x256", "1,130,728"):
        assert words in convert.info(old)
    convert.convert(old, new)
    network, settings, skeleton = weight_files.load_network(new)
    assert (settings.model.backbone, skeleton.name) == ("lite_hrnet_18", "mpii")
    crops = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    swapped, *_ = weight_files.load_network(old, Asked(bgr=True))
    with torch.inference_mode():
        torch.testing.assert_close(network(crops), weight_files.load_network(old)[0](crops))
        torch.testing.assert_close(swapped(crops.flip(1)), network(crops))


def test_what_is_missing_or_unknown_is_told(tmp_path: Path) -> None:
    state = theirs("lite_hrnet_18")
    del state["backbone.stem.linear_conv.bn.bias"]
    torch.save(state, tmp_path / "less.pth")
    with pytest.raises(ValueError, match=r"lite_hrnet_18 .*1 missing \(backbone\.stem\.linear_conv\.bn\.bias\)"):
        weight_files.read(tmp_path / "less.pth")
    other = {key: value for key, value in theirs("lite_hrnet_18").items() if ".stage1.3." not in key}
    torch.save(other, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="Lite-HRNet of width 40 with 3 modules in its second stage"):
        weight_files.read(tmp_path / "other.pth")
