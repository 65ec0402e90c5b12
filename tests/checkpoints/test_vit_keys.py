"""ViTPose's weights of four projects: every name, positions, experts, whole files, and the way back to transformers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rdpose import skeletons
from rdpose.checkpoints import convert, folders, key_maps, native, vit_keys
from rdpose.checkpoints import load as weight_files
from rdpose.checkpoints.infer_config import Asked
from rdpose.config.schema import Settings
from rdpose.models import builders
from rdpose.models.backbones import vit

State = dict[str, Tensor]
NAMES = [
    # ours, ViTPose's and easy_ViTPose's (mmpose 0.x), mmpose 1.x', transformers'
    "backbone.pos_embed backbone.pos_embed backbone.pos_embed backbone.embeddings.position_embeddings",
    "backbone.patch_embed.proj.weight backbone.patch_embed.proj.weight backbone.patch_embed.projection.weight "
    "backbone.embeddings.patch_embeddings.projection.weight",
    "backbone.blocks.10.norm1.bias backbone.blocks.10.norm1.bias backbone.layers.10.ln1.bias "
    "backbone.encoder.layer.10.layernorm_before.bias",
    "backbone.blocks.10.attn.proj.weight backbone.blocks.10.attn.proj.weight backbone.layers.10.attn.proj.weight "
    "backbone.encoder.layer.10.attention.output.dense.weight",
    "backbone.blocks.0.norm2.weight backbone.blocks.0.norm2.weight backbone.layers.0.ln2.weight "
    "backbone.encoder.layer.0.layernorm_after.weight",
    "backbone.blocks.0.mlp.fc1.weight backbone.blocks.0.mlp.fc1.weight backbone.layers.0.ffn.layers.0.0.weight "
    "backbone.encoder.layer.0.mlp.fc1.weight",
    "backbone.blocks.0.mlp.fc2.bias backbone.blocks.0.mlp.fc2.bias backbone.layers.0.ffn.layers.1.bias "
    "backbone.encoder.layer.0.mlp.fc2.bias",
    "backbone.last_norm.weight backbone.last_norm.weight backbone.ln1.weight backbone.layernorm.weight",
    "backbone.deconv_layers.0.weight keypoint_head.deconv_layers.0.weight head.deconv_layers.0.weight "
    "head.deconv1.weight",
    "backbone.deconv_layers.4.running_var keypoint_head.deconv_layers.4.running_var "
    "head.deconv_layers.4.running_var head.batchnorm2.running_var",
    "head.bias keypoint_head.final_layer.bias head.final_layer.bias head.conv.bias",
]
LAYOUTS = {key_maps.MMPOSE_0: 1, key_maps.MMPOSE_1: 2, key_maps.TRANSFORMERS: 3}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_names_of_every_project(layout: str) -> None:
    rows = [row.split() for row in NAMES]
    theirs = [row[LAYOUTS[layout]] for row in rows]
    found, notes = vit_keys.as_published({key: torch.zeros(1, 193, 4) for key in theirs}, "it")
    assert [key_maps.to_ours(key) for key in found] == [row[0] for row in rows]
    assert notes == ()
    assert (
        key_maps.layout_of([*theirs, "head.final_layer.bias"][: len(theirs) + (layout == key_maps.MMPOSE_1)]) == layout
    )


def test_query_key_and_value_are_one_layer() -> None:
    before = "backbone.encoder.layer.3.attention.attention"
    parts = {f"{before}.{part}.bias": torch.full((2,), float(n)) for n, part in enumerate(("query", "key", "value"))}
    positions = {vit_keys.POSITIONS: torch.zeros(1, 193, 2)}
    found, _ = vit_keys.as_published(parts | positions, "it")
    assert found["backbone.blocks.3.attn.qkv.bias"].tolist() == [0, 0, 1, 1, 2, 2]
    back = vit_keys.to_transformers(found)
    assert {key: tensor.tolist() for key, tensor in back.items() if "position" not in key} == {
        key: tensor.tolist() for key, tensor in parts.items()
    }


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        (193, ""),
        (192, ""),  # mmpose 1.x: no class token
        (197, "positions of 14x14 patches are interpolated to 16x12"),
        (433, "positions of 24x18 patches are interpolated to 16x12"),
    ],
)
def test_positions_come_to_one_grid(rows: int, note: str) -> None:
    positions = torch.ones(1, rows, 2)
    positions[:, 0] = 5.0 if rows % 2 else 1.0
    found, notes = vit_keys.as_published({vit_keys.POSITIONS: positions}, "it")
    assert notes == ((note,) if note else ())
    found = found[vit_keys.POSITIONS]
    assert found.shape == (1, 193, 2)
    assert found[0, 0].tolist() == ([5.0, 5.0] if rows % 2 else [0.0, 0.0])
    torch.testing.assert_close(found[:, 1:], torch.ones(1, 192, 2))


def test_positions_of_no_grid_are_refused() -> None:
    with pytest.raises(ValueError, match=r"w\.pth has positions of 52 patches, which is neither a square nor a grid"):
        vit_keys.as_published({vit_keys.POSITIONS: torch.zeros(1, 52, 2)}, "w.pth")


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    """The smallest transformer is of two narrow blocks here: whole files are written and read in no time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(vit.SIZES, "vit_small", vit.Size(width=48, depth=2, heads=12, drop_path=0.1))
        yield


@cache
def network(name: str = "vit_small") -> Any:
    """Not to be changed by a test."""
    torch.manual_seed(0)
    made = builders.build(name, "plain", num_joints=17).eval()
    with torch.no_grad():
        for tensor in made.backbone.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.02 * torch.randn(tensor.shape))
    return made


def vitpose(state: State) -> State:
    """As ViTPose's own code saves a network."""
    state = {key: tensor for key, tensor in state.items() if not key.startswith("normalise.")}
    heads = {"head.": "keypoint_head.final_layer.", "backbone.deconv_layers.": "keypoint_head.deconv_layers."}
    for ours, theirs in heads.items():
        state = {theirs + k.removeprefix(ours) if k.startswith(ours) else k: v for k, v in state.items()}
    return state


def mmpose_1(state: State) -> State:
    names = {
        "patch_embed.proj.": "patch_embed.projection.", "blocks.": "layers.", "norm1.": "ln1.", "norm2.": "ln2.",
        "mlp.fc1.": "ffn.layers.0.0.", "mlp.fc2.": "ffn.layers.1.", "last_norm.": "ln1.", "keypoint_head.": "head.",
    }  # fmt: skip
    renamed = vitpose(state)
    renamed["backbone.pos_embed"] = renamed["backbone.pos_embed"][:, 1:] + renamed["backbone.pos_embed"][:, :1]
    for ours, theirs in names.items():
        renamed = {key.replace(ours, theirs): tensor for key, tensor in renamed.items()}
    return renamed


def easy_vitpose(state: State) -> State:
    """As easy_ViTPose's model_split leaves a ViTPose+: one expert merged, all of them still there, other heads too."""
    more = {f"backbone.blocks.{block}.mlp.experts.0.weight": torch.zeros(12, 192) for block in range(2)}
    heads = {
        "associate_keypoint_heads.0.final_layer.bias": torch.zeros(14),
        "backbone.cls_token": torch.zeros(1, 1, 384),
    }
    return vitpose(state) | more | heads


@pytest.mark.parametrize(
    ("name", "save", "layout"),
    [
        ("vit_small", vitpose, key_maps.MMPOSE_0),
        ("vit_small_simple", mmpose_1, key_maps.MMPOSE_1),
        ("vit_small", easy_vitpose, key_maps.MMPOSE_0),
    ],
)
@torch.no_grad()
def test_files_give_their_networks(name: str, save: Callable[[State], State], layout: str, tmp_path: Path) -> None:
    path = tmp_path / "vitpose.pth"
    torch.save({"state_dict": save(network(name).state_dict())}, path)
    reading = weight_files.read(path)
    assert (reading.layout, reading.settings.model.backbone, reading.skeleton) == (layout, name, skeletons.COCO_17)
    assert reading.settings.model.image_size == (192, 256)
    assert (reading.settings.model.geometry, reading.settings.test.decode) == ("udp", "udp")
    assert any("geometry udp, as all published ViTPose is" in note for note in reading.notes)
    assert any("experts.0" in note for note in reading.notes) == (save is easy_vitpose)
    loaded, _, _ = weight_files.load_network(path)
    crops = torch.randint(0, 256, (1, 3, 256, 192), dtype=torch.uint8)
    torch.testing.assert_close(loaded(crops), network(name)(crops), rtol=1e-4, atol=1e-5)


def test_strictly(tmp_path: Path) -> None:
    state = vitpose(network().state_dict())
    state["backbone.blocks.1.gamma"] = state.pop("backbone.blocks.1.norm1.bias")
    torch.save(state, tmp_path / "w.pth")
    said = r"1 missing \(backbone\.blocks\.1\.norm1\.bias\); 1 not known \(backbone\.blocks\.1\.gamma\)"
    with pytest.raises(ValueError, match=said):
        weight_files.read(tmp_path / "w.pth")


def test_a_mixture_of_experts_is_refused(tmp_path: Path) -> None:
    state = vitpose(network().state_dict())
    state["backbone.blocks.0.mlp.fc2.weight"] = state["backbone.blocks.0.mlp.fc2.weight"][:36]
    torch.save(state, tmp_path / "plus.pth")
    with pytest.raises(ValueError, match=r"plus\.pth holds a ViTPose\+, whose layers choose among experts"):
        weight_files.read(tmp_path / "plus.pth")


def test_another_size_is_refused() -> None:
    tensors = {"backbone.patch_embed.proj.weight": torch.zeros(192, 3, 16, 16)}
    with pytest.raises(ValueError, match=r"width 192 and 0 blocks; the known ones are vit_small \(48, 2\), vit_base"):
        vit_keys.size_of(tensors, "tiny.pth")


def test_imagenet_starts_a_training(tmp_path: Path) -> None:
    """Masked autoencoders' names: the bare backbone, `norm`, a class token, positions of 14x14 patches."""
    state = {
        k.removeprefix("backbone."): v for k, v in vitpose(network().state_dict()).items() if k.startswith("backb")
    }
    state = {key.replace("last_norm.", "norm."): tensor for key, tensor in state.items()}
    state |= {"pos_embed": torch.zeros(1, 197, 48), "cls_token": torch.zeros(1, 1, 48)}
    torch.save({"model": state}, tmp_path / "mae_pretrain_vit_small.pth")
    reading = weight_files.read(tmp_path / "mae_pretrain_vit_small.pth")
    assert (reading.settings.model.backbone, reading.skeleton.joints) == ("vit_small", ())
    assert reading.notes == ("positions of 14x14 patches are interpolated to 16x12", "not used: cls_token")
    assert torch.equal(reading.tensors["backbone.last_norm.weight"], network().backbone.last_norm.weight)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of our vit_small for twelve own joints, as `convert` writes it for transformers."""
    root = tmp_path_factory.mktemp("vit")
    names = [f"left_{n}" for n in range(6)] + [f"right_{n}" for n in range(6)]
    settings = Settings.model_validate(
        {"model": {"backbone": "vit_small_simple", "variant": "plain", "geometry": "udp", "unbiased": True}}
    )
    made = builders.build("vit_small_simple", "plain", num_joints=12)
    native.save_weights(root / "own.safetensors", made.state_dict(), settings, skeletons.from_names(names, name="own"))
    assert "written to" in convert.convert(root / "own.safetensors", root / "street")
    return root / "street"


def test_to_transformers_and_back_nothing_is_lost(folder: Path, tmp_path: Path) -> None:
    convert.convert(folder, tmp_path / "back.safetensors")
    before, after = (native.load_weights(f) for f in (folder.parent / "own.safetensors", tmp_path / "back.safetensors"))
    assert before.tensors.keys() == after.tensors.keys()
    assert all(torch.equal(tensor, after.tensors[key]) for key, tensor in before.tensors.items())
    assert after.skeleton == before.skeleton
    assert after.settings.model == before.settings.model


@torch.no_grad()
def test_transformers_reads_what_we_write(folder: Path) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.VitPoseForPoseEstimation.from_pretrained(folder).eval()
    assert theirs.config.id2label[11] == "right_5"
    ours, settings, _ = weight_files.load_network(folder)
    assert settings.model.geometry == "udp"
    crops = torch.randint(0, 256, (1, 3, 256, 192), dtype=torch.uint8)
    torch.testing.assert_close(ours(crops), theirs(ours.normalise(crops)).heatmaps, rtol=0, atol=1e-5)
    processor = json.loads((folder / folders.PROCESSOR).read_text())
    assert processor["size"] == {"height": 256, "width": 192}


def test_info_of_a_folder(folder: Path) -> None:
    said = convert.info(folder)
    assert "layout      transformers" in said
    assert "backbone    vit_small_simple" in said
    assert "input       192x256" in said
    assert f"size        {(folder / folders.TENSORS).stat().st_size / 1e6:.1f} MB" in said


def test_positions_of_other_crops_are_written_for_their_grid() -> None:
    tensors = {vit_keys.POSITIONS: torch.ones(1, 193, 2)}
    found = vit_keys.to_transformers(tensors, (24, 18))["backbone.embeddings.position_embeddings"]
    assert found.shape == (1, 433, 2)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_type": "detr"}, "holds a detr of transformers; rdpose reads VitPoseForPoseEstimation"),
        ({"backbone_config": {"num_attention_heads": 6, "hidden_size": 48}}, "num_attention_heads is 6, not 12"),
        ({"backbone_config": {"hidden_act": "relu"}}, "hidden_act is relu, not gelu"),
        ({"scale_factor": 2}, "scale_factor is 2, not 4"),
    ],
)
def test_other_networks_of_transformers_are_refused(config: dict[str, Any], said: str, tmp_path: Path) -> None:
    (tmp_path / folders.CONFIG).write_text(json.dumps({"model_type": "vitpose"} | config))
    with pytest.raises(ValueError, match=said):
        weight_files.read(tmp_path)


def test_a_folder_without_its_tensors_is_told(tmp_path: Path) -> None:
    (tmp_path / folders.CONFIG).write_text(json.dumps({"model_type": "vitpose"}))
    with pytest.raises(FileNotFoundError, match=r"has no model\.safetensors; save the model there by save_pretrained"):
        weight_files.read(tmp_path)


def test_what_transformers_does_not_have_is_not_written_for_it(tmp_path: Path) -> None:
    settings = Settings.model_validate({"model": {"backbone": "vit_small", "variant": "rdpose"}})
    with pytest.raises(ValueError, match=r"this is rdpose on vit_small: give a name that ends in \.safetensors"):
        folders.write(tmp_path / "x", {}, settings, skeletons.COCO_17)
    settings = Settings.model_validate({"model": {"backbone": "vit_small", "variant": "plain"}})
    with pytest.raises(ValueError, match="reads ViTPose in the geometry udp, and this network was trained in hrnet"):
        folders.write(tmp_path / "x", {}, settings, skeletons.COCO_17)


def test_colours_of_a_transformer_are_swapped(tmp_path: Path) -> None:
    state = vitpose(network().state_dict())
    torch.save(state, tmp_path / "w.pth")
    reading = weight_files.read(tmp_path / "w.pth", Asked(bgr=True))
    kernel = "backbone.patch_embed.proj.weight"
    assert torch.equal(reading.tensors[kernel], state[kernel].flip(1))
