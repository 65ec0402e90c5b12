"""ViTPose: transformers' numbers, positions, drop path, how deep a parameter lies, the two decoders' heads."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from rdpose.checkpoints import vit_keys
from rdpose.models import builders
from rdpose.models.backbones.vit import Attention, DropPath, ViTPose, resize_positions
from rdpose.models.rdpose import RDPose


def tiny(*, filters: tuple[int, int] | None = (256, 256), depth: int = 2, drop_path: float = 0.0) -> ViTPose:
    torch.manual_seed(0)
    return ViTPose(32, depth, 4, filters=filters, drop_path=drop_path)


@torch.no_grad()
def drawn(network: nn.Module) -> nn.Module:
    """Every number counts: none is 0 or 1."""
    for key, tensor in network.state_dict().items():
        if tensor.is_floating_point() and not key.startswith("normalise"):
            tensor.add_(0.1 * torch.randn(tensor.shape))
    return network.eval()


@pytest.mark.parametrize("filters", [(256, 256), None], ids=["classic", "simple"])
@torch.no_grad()
def test_heatmaps_are_those_of_transformers(filters: tuple[int, int] | None) -> None:
    transformers = pytest.importorskip("transformers")
    backbone = transformers.VitPoseBackboneConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, layer_norm_eps=1e-6, out_indices=[2]
    )
    config = transformers.VitPoseConfig(backbone_config=backbone, num_labels=5, use_simple_decoder=filters is None)
    theirs = drawn(transformers.VitPoseForPoseEstimation(config))
    tensors, notes = vit_keys.as_published(theirs.state_dict(), "it")
    ours = builders.build(tiny(filters=filters), "plain", num_joints=5).eval()
    ours.load_state_dict(ours.state_dict() | tensors)
    assert len(tensors) == len(ours.state_dict()) - 2  # all but the normalisation's
    assert not notes
    crops = torch.randint(0, 256, (2, 3, 256, 192), dtype=torch.uint8)
    expected = theirs(ours.normalise(crops)).heatmaps
    assert expected.std() > 0.01
    torch.testing.assert_close(ours(crops), expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_attention_by_hand() -> None:
    layer, x = Attention(8, 2), torch.randn(3, 5, 8)
    query, key, value = (part.reshape(3, 5, 2, 4) for part in layer.qkv(x).chunk(3, dim=-1))
    weights = (torch.einsum("bqhd,bkhd->bhqk", query, key) / 2).softmax(-1)
    expected = layer.proj(torch.einsum("bhqk,bkhd->bqhd", weights, value).reshape(3, 5, 8))
    torch.testing.assert_close(layer(x), expected)


@torch.no_grad()
def test_positions_are_those_of_256x192_and_interpolated_elsewhere() -> None:
    backbone = tiny()
    own, common = backbone.pos_embed[0, 1:], backbone.pos_embed[0, 0]
    assert own.shape == (192, 32)
    torch.testing.assert_close(backbone.positions(16, 12)[0], own + common, rtol=0, atol=0)
    grid = own.reshape(16, 12, 32).permute(2, 0, 1)[None]
    larger = interpolate(grid, size=(24, 18), mode="bicubic")[0].permute(1, 2, 0).reshape(432, 32)
    torch.testing.assert_close(backbone.positions(24, 18)[0], larger + common)
    ramp = torch.arange(4.0).repeat_interleave(2)[None, :, None]  # rows 0..3 of two columns
    assert resize_positions(ramp, (4, 2), (4, 4)).reshape(4, 4).tolist() == [[float(row)] * 4 for row in range(4)]


def test_drop_path_drops_whole_samples_in_training_alone() -> None:
    layer, x = DropPath(0.75), torch.ones(400, 2, 3)
    assert torch.equal(layer.eval()(x), x)
    torch.manual_seed(0)
    values = layer.train()(x).reshape(400, 6)
    assert set(values.flatten().tolist()) == {0.0, 4.0}
    assert torch.equal(values.amin(1), values.amax(1))
    assert 0.15 < (values[:, 0] > 0).float().mean() < 0.35


def test_drop_path_grows_with_depth() -> None:
    rates = [block.drop_path.rate for block in tiny(depth=4, drop_path=0.3).blocks]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.3])
    assert builders.build_backbone("vit_small").blocks[-1].drop_path.rate == 0.1


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("pos_embed", 0),
        ("patch_embed.proj.weight", 0),
        ("blocks.0.attn.qkv.weight", 1),
        ("blocks.11.mlp.fc2.bias", 12),
        ("last_norm.weight", 13),
        ("deconv_layers.0.weight", 13),
    ],
)
def test_how_deep_a_parameter_lies(name: str, layer: int) -> None:
    backbone = tiny(depth=12)
    assert name in dict(backbone.named_parameters())
    assert backbone.depth_of(name) == (layer, 13)


@pytest.mark.parametrize(("filters", "kernel"), [((8, 8), 1), (None, 3)])
@pytest.mark.parametrize("variant", builders.VARIANTS)
@torch.no_grad()
def test_every_variant_with_either_head(variant: str, filters: tuple[int, int] | None, kernel: int) -> None:
    network = builders.build(tiny(filters=filters), variant, num_joints=3).eval()
    crops = torch.randint(0, 256, (2, 3, 96, 64), dtype=torch.uint8)
    boxes = torch.tensor([[[4.0, 4, 30, 60]], [[0, 0, 0, 0]]]), torch.tensor([[20.0, 0, 60, 64]] * 2)
    maps = network(crops, *boxes)
    assert maps.shape == (2, 3, 24, 16)
    if isinstance(network, RDPose):
        assert network.head.kernel_size == (kernel, kernel)
        features, _ = network.features(crops, *boxes)
        torch.testing.assert_close(network.center(features), network.head(features)[:, -1:])


@torch.no_grad()
def test_boxes_join_the_patches_and_change_nothing_at_first() -> None:
    network = drawn(builders.build(tiny(filters=(8, 8)), "boxes", num_joints=3))
    assert isinstance(network, RDPose)
    assert network.neighbour_map is not None
    assert network.neighbour_map.join.weight.shape == (32, 4, 1, 1)
    nn.init.zeros_(network.neighbour_map.join.weight)
    crops, box = torch.randint(0, 256, (1, 3, 96, 64), dtype=torch.uint8), torch.tensor([[8.0, 8, 40, 90]])
    assert torch.equal(network(crops, box=box), network(crops))
    nn.init.normal_(network.neighbour_map.join.weight)
    assert (network(crops, box=box) - network(crops)).abs().max() > 1e-4


@torch.no_grad()
def test_bfloat16_is_near() -> None:
    network = drawn(builders.build(tiny(filters=None), "plain", num_joints=3))
    crops = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    expected = network(crops)
    with torch.autocast("cpu", torch.bfloat16):
        found = network(crops)
    assert 0 < (found.float() - expected).abs().max() < 0.03 * expected.abs().max()
