"""Backbones of transformers, tiny and random: fetched from a folder, trained, and loaded again without it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rdpose
from rdpose.checkpoints import native
from rdpose.config.schema import Settings
from rdpose.engine import tester, trainer
from rdpose.export import export
from rdpose.models import builders
from rdpose.models.backbones import hub

transformers: Any = pytest.importorskip("transformers")
ViT = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
SIZES = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 2, 1]}
TINY: dict[str, Callable[[], Any]] = {
    "dinov2": lambda: transformers.Dinov2Model(transformers.Dinov2Config(**ViT, patch_size=14, image_size=70)),
    "vit": lambda: transformers.ViTModel(transformers.ViTConfig(**ViT), add_pooling_layer=False),
    "swin": lambda: transformers.SwinModel(
        transformers.SwinConfig(embed_dim=8, depths=[1, 1, 2, 1], num_heads=[1, 2, 2, 4])
    ),
    "convnext": lambda: transformers.ConvNextModel(transformers.ConvNextConfig(**SIZES)),
    "resnet": lambda: transformers.ResNetModel(
        transformers.ResNetConfig(**SIZES, embedding_size=8, layer_type="basic")
    ),
}
PYRAMIDS = ("swin", "convnext", "resnet")


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str], Path]:
    def saved(kind: str) -> Path:
        torch.manual_seed(0)
        TINY[kind]().save_pretrained(tmp_path / kind)
        return tmp_path / kind

    return saved


@pytest.mark.parametrize("kind", TINY)
def test_an_encoder_keeps_its_weights_and_gives_one_map_of_stride_4(kind: str, folder) -> None:
    backbone = hub.fetch(f"hf:{folder(kind)}").eval()
    assert backbone.levels == ([4, 8, 16, 32] if kind in PYRAMIDS else [16])
    torch.manual_seed(0)
    published, own = TINY[kind]().state_dict(), backbone.encoder.state_dict()
    same = {key for key in own if any(key.endswith(other) for other in published)}
    assert len(same) > 0.9 * len(published) - 2  # Swin's and ConvNeXt's norms of each level are not published
    for key in same:
        other = max((other for other in published if key.endswith(other)), key=len)
        assert torch.equal(own[key], published[other]), key
    for height, width in ((64, 96), (256, 192)):
        features = backbone(torch.randn(1, 3, height, width))
        assert features.shape == (1, 256, height // 4, width // 4)


@pytest.mark.parametrize("kind", ["dinov2", "vit"])
def test_maps_are_the_encoders_own(kind: str, folder) -> None:
    """DINOv2's patches of 14 pixels stand for 16 each."""
    backbone = hub.fetch(f"hf:{folder(kind)}").eval()
    torch.manual_seed(0)
    model = TINY[kind]().eval()
    seen: list[torch.Tensor] = []
    backbone.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        backbone(torch.randn(1, 3, 64, 96))
        found = backbone.encoder(seen[0]).feature_maps
        tokens = model(seen[0], **({"interpolate_pos_encoding": True} if kind == "vit" else {})).last_hidden_state
    assert seen[0].shape == ((1, 3, 56, 84) if kind == "dinov2" else (1, 3, 64, 96))
    torch.testing.assert_close(found[-1].flatten(2).transpose(1, 2), tokens[:, 1:])


@pytest.mark.parametrize("variant", [variant for variant in builders.VARIANTS if variant != "official"])
def test_every_variant_stands_on_it(variant: str, folder) -> None:
    network = builders.build(hub.fetch(f"hf:{folder('dinov2')}"), variant, num_joints=5).eval()
    assert network(torch.zeros(1, 3, 64, 32, dtype=torch.uint8)).shape == (1, 5, 16, 8)


def test_a_training_by_name_loads_without_the_hub(folder, tiny_settings, tmp_path) -> None:
    encoder = folder("dinov2")
    settings: Settings = tiny_settings(
        f"model.backbone=hf:{encoder}", "train.freeze=[backbone.encoder]", "train.ema=.9"
    )
    path = trainer.train(settings)
    tensors = native.load_weights(path).tensors
    before = hub.fetch(f"hf:{encoder}").encoder.state_dict()
    assert all(torch.equal(before[key], tensors[f"backbone.encoder.{key}"]) for key in before)
    shutil.rmtree(encoder)
    assert len(rdpose.load(path)(np.zeros((60, 40, 3), np.uint8), [[2, 2, 30, 50]])) == 1
    assert tester.test_weights(settings, path) is not None
    assert export(path, tmp_path / "hub.onnx").figures[0].heatmaps < 1e-4


def test_a_file_brings_sizes_and_no_code(folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its configuration says of code is passed over; nothing is fetched."""
    config = hub.fetch(f"hf:{folder('dinov2')}").config
    values = json.loads(bytes(config.tolist()))
    assert values["hidden_size"] == 32
    assert not [key for key in values if hub.NOT_KEPT.match(key)]
    evil = values | {"_attn_implementation": "me/kernel", "attn_implementation": "me/kernel", "auto_map": {"a": "b--c"}}
    monkeypatch.setattr(hub.hub, "read", lambda *_: pytest.fail("asked the hub"))
    tensor = torch.tensor(list(json.dumps(evil).encode()), dtype=torch.uint8)
    backbone = hub.of_weights({hub.CONFIG: tensor}, "w.safetensors")
    assert torch.equal(backbone.config, config)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "w carries no configuration of a backbone"),
        ({hub.CONFIG: torch.tensor([1, 2], dtype=torch.uint8)}, "w carries no configuration of a backbone"),
        ({hub.CONFIG: torch.tensor(list(b'{"model_type": "bert"}'), dtype=torch.uint8)}, "w is a bert; known are vit"),
        ({hub.CONFIG: torch.tensor(list(b'{"model_type": "timm_backbone"}'), dtype=torch.uint8)}, "is a timm_backbone"),
    ],
)
def test_files_without_a_configuration_are_told(tensors: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hub.of_weights(tensors, "w")


def test_what_is_no_backbone_is_told(tmp_path: Path) -> None:
    transformers.BertConfig(**ViT).save_pretrained(tmp_path / "bert")
    with pytest.raises(ValueError, match=r"no backbone 'hf:.*bert': \S+ is a bert; known are vit, "):
        builders.chosen(f"hf:{tmp_path / 'bert'}")
    with pytest.raises(ValueError, match=r"no backbone 'hf:\S*nowhere'"):
        builders.chosen(f"hf:{tmp_path / 'nowhere'}")
    with pytest.raises(ValueError, match=r"unknown backbone 'hf:a/b'; .* one of transformers is named hf:owner/name"):
        builders.build("hf:a/b", "plain", num_joints=3)
