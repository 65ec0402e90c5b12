"""Folding batch norms changes nothing but the time."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rdpose.models import builders
from rdpose.models.backbones import vit
from rdpose.models.fuse import fused


def lively(network: nn.Module) -> nn.Module:
    """Norms as after a training: none of their numbers is 0 or 1."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.0)
            nn.init.normal_(layer.bias, std=0.3)
            nn.init.normal_(layer.running_mean, std=0.3)
            nn.init.uniform_(layer.running_var, 0.5, 2.0)
    return network.eval()


@pytest.mark.parametrize(
    ("backbone", "variant"),
    [
        ("hrnet_small", "rdpose"),
        ("resnet18", "plain"),
        ("hrnet_small", "official"),
        ("unet_small", "plain"),
        ("efficientnet_lite0", "rdpose"),
        ("vit_small", "rdpose"),
        ("lite_hrnet_18", "rdpose"),
        ("lite_hrnet_18_naive", "official"),
    ],
)
@torch.inference_mode()
def test_equal_heatmaps_without_norms(backbone: str, variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vit.SIZES, "vit_small", vit.Size(width=48, depth=2, heads=12, drop_path=0.1))
    torch.manual_seed(0)
    network = lively(builders.build(backbone, variant, num_joints=4))
    crops = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    neighbours, box = torch.tensor([[[4.0, 4, 30, 60]]] * 2), torch.tensor([[20.0, 0, 60, 64]] * 2)
    expected = network(crops, neighbours, box)
    quick = fused(network)
    torch.testing.assert_close(quick(crops, neighbours, box), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in quick.modules())
    assert torch.equal(network(crops, neighbours, box), expected)


def test_a_network_in_training_is_refused() -> None:
    with pytest.raises(ValueError, match=r"call eval\(\) first"):
        fused(builders.build("hrnet_small", "plain", num_joints=4))
