"""A transformer is exported with torch's numbers: attention, positions of another crop, either decoder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from rdpose.checkpoints import native
from rdpose.config.schema import Settings
from rdpose.models import builders
from rdpose.models.backbones import vit
from rdpose.models.rdpose import RDPose
from rdpose.skeletons import COCO_17

pytest.importorskip("onnx")
pytest.importorskip("openvino")
from rdpose.export import check, export


@pytest.mark.parametrize(
    ("backbone", "image_size", "format"),
    [("vit_small", (64, 96), "onnx"), ("vit_small_simple", (192, 256), "openvino")],
)
def test_export(
    backbone: str, image_size: tuple[int, int], format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vit.SIZES, "vit_small", vit.Size(width=48, depth=2, heads=12, drop_path=0.1))
    torch.manual_seed(0)
    network = builders.build(backbone, "rdpose", num_joints=17).eval()
    assert isinstance(network, RDPose)
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.1)  # attention has a say
    settings = Settings.model_validate({"model": {"backbone": backbone, "variant": "rdpose", "image_size": image_size}})
    native.save_weights(tmp_path / "vit.safetensors", network.state_dict(), settings, COCO_17)
    report = export(tmp_path / "vit.safetensors", format=format)
    assert report.figures
    for figures in report.figures:
        assert figures.heatmaps <= check.HEATMAPS
        assert figures.joints_px <= check.JOINTS_PX
