"""Weights of every origin: the published code's numbers through a file, layouts, what is guessed, what is refused."""

from __future__ import annotations

import json
import pickle
import re
import runpy
import sys
import types
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from rdpose import skeletons
from rdpose.checkpoints import convert, key_maps, native, pickles
from rdpose.checkpoints import load as weight_files
from rdpose.checkpoints.infer_config import Asked
from rdpose.config.schema import ModelSettings
from rdpose.models import builders
from rdpose.models.reference import OfficialRDPose

State = dict[str, Tensor]


@cache
def network_of(backbone: str = "hrnet_small", variant: str = "plain", num_joints: int = 17) -> nn.Module:
    """Not to be changed by a test."""
    torch.manual_seed(0)
    network = builders.build(backbone, variant, num_joints=num_joints).eval()
    with torch.no_grad():
        for key, tensor in network.state_dict().items():
            if tensor.is_floating_point() and not key.startswith("normalise"):
                tensor.add_(0.01 * torch.randn(tensor.shape))
    return network


def published(network: nn.Module) -> State:
    """A network's tensors under the family's keys: the backbone's bare, final_layer, and no normalisation."""
    state = {key.removeprefix("backbone."): value for key, value in network.state_dict().items()}
    return {k.replace("head.", "final_layer."): v for k, v in state.items() if not k.startswith("normalise.")}


def mmpose(state: State, head: str) -> State:
    parts = ("final_layer", "deconv_layers")
    return {f"{head if key.startswith(parts) else 'backbone'}.{key}": value for key, value in state.items()}


def save(path: Path, content: Any, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


def formula(golden: Path) -> dict[str, Any]:
    """The functions that drew the golden weights and inputs, by name."""
    return runpy.run_path(str(golden / "formula.py"))


@cache
def golden_state(golden: Path, keys: str, gain: float) -> State:
    """The golden weights under every published key of an RDPose."""
    shapes, fill = json.loads((golden / "keys.json").read_text())[keys], formula(golden)["fill"]
    return {
        key: torch.from_numpy(fill(key, tuple(shape), gain)) if shape else torch.tensor(0)
        for key, shape in shapes.items()
    }


@pytest.mark.parametrize(
    ("name", "keys", "variant"),
    [
        ("official_hrnet_w32", "rdpose_hrnet_w32", "plain"),
        ("official_rdpose_hrnet_w32", "rdpose_hrnet_w32", "official"),
        ("official_rdpose_resnet50", "rdpose_resnet50", "official"),
    ],
)
def test_a_published_file_gives_the_published_numbers(
    golden: Path, tmp_path: Path, name: str, keys: str, variant: str
) -> None:
    with np.load(golden / f"{name}.npz") as file:
        values = dict(file)
    state = golden_state(golden, keys, float(values["gain"]))
    if variant == "plain":
        head = {"final_layer.weight": (17, 32, 1, 1), "final_layer.bias": (17,)}
        fill = formula(golden)["fill"]
        state = {key: tensor for key, tensor in state.items() if "attn" not in key}
        state |= {key: torch.from_numpy(fill(key, shape, float(values["gain"]))) for key, shape in head.items()}
    network, settings, skeleton = weight_files.load_network(save(tmp_path / "published.pth", state), Asked(bgr=False))
    assert (settings.model.variant, skeleton) == (variant, skeletons.COCO_17)
    shape = tuple(values["input_shape"])
    image = torch.from_numpy(formula(golden)["golden_input"](int(values["input_seed"]), shape))
    network.normalise = nn.Identity()  # the golden input is normalised already
    with torch.no_grad():
        maps = network.maps(image) if isinstance(network, OfficialRDPose) else network(image)
    largest = max(1.0, np.abs(values["output"]).max())
    np.testing.assert_allclose(maps.numpy(), values["output"], rtol=0, atol=1e-5 * largest)


@pytest.mark.parametrize("keys", ["rdpose_hrnet_w32", "rdpose_resnet50"])
def test_every_published_name_comes_back(golden: Path, keys: str) -> None:
    published_keys = list(json.loads((golden / "keys.json").read_text())[keys])
    ours = [key_maps.to_ours(key) for key in published_keys]
    assert len(set(ours)) == len(ours)
    assert all(key.startswith(key_maps.OURS) for key in ours)
    assert [key_maps.to_official(key).removeprefix("backbone.") for key in ours] == published_keys
    assert [key_maps.to_ours(key) for key in ours] == ours


def as_training_checkpoint(state: State) -> Any:
    wrapped = {f"module.{key}": torch.zeros_like(value) for key, value in state.items()}
    moments = {0: {"step": torch.tensor(1.0), "exp_avg": torch.zeros(1)}}
    return {
        "epoch": 7,
        "model": "pose_hrnet",
        "state_dict": wrapped,
        "best_state_dict": state,
        "perf": np.float64(0.5),
        "optimizer": {"state": moments, "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999), "params": [0]}]},
    }


LAYOUTS: dict[str, tuple[Callable[[State], Any], str]] = {
    "HRNet": (lambda state: state, key_maps.FAMILY),
    "DataParallel": (lambda state: {f"module.{key}": value for key, value in state.items()}, key_maps.FAMILY),
    "training checkpoint": (as_training_checkpoint, key_maps.FAMILY),
    "mmpose 0.x": (
        lambda state: {"state_dict": mmpose(state, "keypoint_head"), "meta": {"epoch": 210}},
        key_maps.MMPOSE_0,
    ),
    "mmpose 1.x": (lambda state: {"state_dict": mmpose(state, "head"), "meta": {}}, key_maps.MMPOSE_1),
    "doubles": (
        lambda state: {k: v.double() if v.is_floating_point() else v for k, v in state.items()},
        key_maps.FAMILY,
    ),
    "before PyTorch 0.4.1": (
        lambda state: {key: value for key, value in state.items() if "num_batches" not in key},
        key_maps.FAMILY,
    ),
}


@pytest.mark.parametrize(
    ("layout", "backbone", "zipped"),
    [
        *((layout, "hrnet_small", zipped) for layout in LAYOUTS for zipped in (True, False)),
        *((layout, "resnet18", True) for layout in ("HRNet", "mmpose 0.x", "mmpose 1.x")),
    ],
)
def test_layouts(tmp_path: Path, layout: str, backbone: str, zipped: bool) -> None:
    network = network_of(backbone)
    wrap, origin = LAYOUTS[layout]
    path = tmp_path / "pose_256x192.pth"
    save(path, wrap(published(network)), _use_new_zipfile_serialization=zipped)
    reading = weight_files.read(path, Asked(bgr=False))
    assert reading.layout == origin
    assert reading.notes == ()
    assert (reading.settings.model.backbone, reading.settings.model.variant) == (backbone, "plain")
    assert reading.settings.model.image_size == (192, 256)
    assert reading.skeleton == skeletons.COCO_17
    same_tensors(reading.tensors, network.state_dict())


def same_tensors(found: State, expected: State) -> None:
    assert list(found) == list(expected)
    for key, tensor in expected.items():
        torch.testing.assert_close(found[key], tensor, msg=key)


@pytest.mark.parametrize("variant", ["plain", "rdpose", "rdpose-paper", "official"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_state_dict_of_ours_without_settings(tmp_path: Path, variant: str, suffix: str) -> None:
    network = network_of(variant=variant)
    path = tmp_path / f"mine{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(network.state_dict(), path)
    if variant.startswith("rdpose"):
        with pytest.raises(ValueError, match="without their settings; name the variant"):
            weight_files.read(path)
    reading = weight_files.read(path, Asked(variant=variant))
    assert reading.settings.model.variant == variant
    same_tensors(reading.tensors, network.state_dict())


def test_our_own_file_is_taken_as_it_is(tmp_path: Path) -> None:
    network = network_of(variant="rdpose")
    path = tmp_path / "w.safetensors"
    told = Asked(variant="rdpose", image_size=(288, 384))
    reading = weight_files.read(save(tmp_path / "w.pth", network.state_dict()), told)
    native.save_weights(path, reading.tensors, reading.settings, skeletons.COCO_17)
    loaded, settings, skeleton = weight_files.load_network(path)
    assert (settings, skeleton) == (reading.settings, skeletons.COCO_17)
    assert (settings.model.image_size, settings.model.sigma) == ((288, 384), 3.0)
    same_tensors(loaded.state_dict(), network.state_dict())
    assert not loaded.training
    with pytest.raises(ValueError, match="carries its own settings"):
        weight_files.read(path, told)


def test_a_training_checkpoint_tells_its_figures(tmp_path: Path) -> None:
    path = save(tmp_path / "checkpoint.pth", as_training_checkpoint(published(network_of())))
    assert weight_files.read(path).figures == {"epoch": 7, "perf": 0.5}


def foreign_class(monkeypatch: pytest.MonkeyPatch, module: str, name: str, base: type = object) -> type:
    """A class that a pickle will know by a package which is not installed here."""
    made = type(name, (base,), {"__module__": module, "__qualname__": name})
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        package = ".".join(parts[:depth])
        monkeypatch.setitem(sys.modules, package, sys.modules.get(package) or types.ModuleType(package))
    setattr(sys.modules[module], name, made)
    return made


def test_mmpose_meta_is_read_without_mmpose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What mmengine puts beside the weights: histories, settings, numpy arrays; and the names of the joints."""
    with monkeypatch.context() as patch:
        history = foreign_class(patch, "mmengine.logging.history_buffer", "HistoryBuffer")()
        history.values = np.arange(3.0)
        history.scalar = np.float32(1)
        settings = foreign_class(patch, "mmengine.config.config", "ConfigDict", dict)(model={"type": "HRNet"})
        animal = ["nose", "left_paw", "right_paw"] + [f"spot_{i}" for i in range(14)]
        joints = {
            "keypoint_id2name": dict(enumerate(animal)),
            "skeleton_links": [(0, 1), (0, 2)],
            "sigmas": np.ones(17, np.float32),
        }
        content = {
            "state_dict": mmpose(published(network_of()), "head"),
            "meta": {"dataset_meta": joints, "cfg": settings, "epoch": 210},
            "message_hub": {"loss": history},
        }
        path = save(tmp_path / "animal.pth", content)
    reading = weight_files.read(path)
    assert reading.skeleton.joints == tuple(animal)
    assert reading.skeleton.limbs == ((0, 1), (0, 2))
    assert reading.skeleton.flip_pairs == ((1, 2),)
    assert reading.figures == {"epoch": 210}
    assert "mmengine" not in sys.modules


def test_crowdpose_of_mmpose_is_ours(tmp_path: Path) -> None:
    joints = ["top_head" if name == "head" else name for name in skeletons.CROWDPOSE_14.joints]
    meta = {"dataset_meta": {"keypoint_id2name": dict(enumerate(joints)), "skeleton_links": []}}
    state = mmpose(published(network_of(num_joints=14)), "head")
    reading = weight_files.read(save(tmp_path / "c.pth", {"state_dict": state, "meta": meta}))
    assert reading.skeleton is skeletons.CROWDPOSE_14


@pytest.mark.parametrize(
    ("num_joints", "skeleton", "size"),
    [(17, "coco", (192, 256)), (16, "mpii", (256, 256)), (14, "crowdpose", (192, 256))],
)
def test_joints_by_their_number(tmp_path: Path, num_joints: int, skeleton: str, size: tuple[int, int]) -> None:
    for variant in ("plain", "official"):  # the published RDPose has a centre besides
        reading = weight_files.read(
            save(tmp_path / "w.pth", published(network_of(variant=variant, num_joints=num_joints)))
        )
        assert reading.skeleton == skeletons.get(skeleton)
        assert reading.settings.data.skeleton == reading.settings.data.metric == skeleton
        assert reading.settings.model.image_size == size
        assert f"{size[0]}x{size[1]} (width x height) is assumed" in reading.notes[0]


@pytest.mark.parametrize(
    ("name", "note"),
    [("model_best", None), ("hrnet_128x96", "its name says an input of 96x128; it is asked for 288x384")],
)
def test_a_foreign_file_is_tested_at_the_size_that_settings_say(tmp_path: Path, name: str, note: str | None) -> None:
    like = ModelSettings(image_size=(288, 384), sigma=2.5)
    reading = weight_files.read(save(tmp_path / f"{name}.pth", published(network_of())), Asked(like=like))
    assert (reading.settings.model.image_size, reading.settings.model.sigma) == ((288, 384), 2.5)
    assert [line for line in reading.notes if "input" in line] == ([f"{note} (width x height)"] if note else [])


def test_own_weights_know_themselves(tmp_path: Path, tiny_weights: Path) -> None:
    like = ModelSettings(image_size=(288, 384))
    assert weight_files.read(tiny_weights, Asked(like=like)).settings == weight_files.read(tiny_weights).settings


def test_unknown_joints_must_be_named(tmp_path: Path) -> None:
    path = save(tmp_path / "hand.pth", published(network_of(num_joints=21)))
    own = skeletons.from_names([f"knuckle {i}" for i in range(21)], name="hand")
    assert weight_files.read(path).skeleton.num_joints == 21
    with pytest.raises(ValueError, match=r"hand\.pth finds 21 joints and does not name them"):
        weight_files.load_network(path)
    assert weight_files.load_network(path, Asked(skeleton=own))[2] is own
    with pytest.raises(ValueError, match="finds 21 joints, the skeleton coco has 17"):
        weight_files.read(path, Asked(skeleton=skeletons.COCO_17))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("pose_hrnet_w32_384x288", (288, 384)),
        ("pose_hrnet_w32_256x256", (256, 256)),
        ("td-hm_hrnet-w32_8xb64-210e_coco-256x192-81c58e40_20220909", (192, 256)),
        ("res101_crowdpose_320x256-c88c512a_20201227", (256, 320)),
        ("pose_100x100", (192, 256)),  # no network takes this
    ],
)
def test_input_size_from_the_name(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    reading = weight_files.read(save(tmp_path / f"{name}.pth", published(network_of())))
    assert reading.settings.model.image_size == size
    assert reading.settings.model.sigma == (3 if size[1] == 384 else 2)
    assert reading.settings.name == name


IMAGENET = {
    "hrnet_w32": {"incre_modules.0.0.conv1.weight": 3, "final_layer.0.weight": 3, "classifier.weight": 3,
                  "stage4.2.fuse_layers.3.0.0.0.weight": 3},
    "resnet18": {"fc.weight": 3, "fc.bias": 3},
}  # fmt: skip


@pytest.mark.parametrize("backbone", IMAGENET)
def test_imagenet_weights_are_a_backbone_alone(tmp_path: Path, backbone: str) -> None:
    state = {k: v for k, v in builders.build_backbone(backbone).state_dict().items() if "deconv" not in k}
    more = {key: torch.zeros(size) for key, size in IMAGENET[backbone].items()}
    path = save(tmp_path / "imagenet.pth", state | more)
    reading = weight_files.read(path)
    assert (reading.layout, reading.skeleton.joints) == (key_maps.IMAGENET, ())
    assert reading.settings.model.backbone == backbone
    assert {k.removeprefix("backbone.") for k in reading.tensors if k.startswith("backbone.")} == set(state)
    assert all(key in reading.notes[0] for key in more)
    with pytest.raises(ValueError, match=f"without a pose head; .* model.init={re.escape(str(path))}"):
        weight_files.load_network(path)


def test_loading_is_strict_and_lists_what_does_not_fit(tmp_path: Path) -> None:
    state = published(network_of())
    del state["bn1.bias"]
    state["extra.weight"] = torch.zeros(1)
    state["layer1.0.conv1.weight"] = torch.zeros(2, 2, 1, 1)
    path = save(tmp_path / "odd.pth", state)
    with pytest.raises(ValueError, match=r"odd\.pth") as caught:
        weight_files.read(path)
    message = str(caught.value)
    assert "1 missing (backbone.bn1.bias)" in message
    assert "1 not known (extra.weight)" in message
    assert "1 of another shape (backbone.layer1.0.conv1.weight is (2, 2, 1, 1) and not (16, 16, 1, 1))" in message


def test_what_may_be_missing_is_asked_for_by_name(tmp_path: Path) -> None:
    network = network_of()
    state = {k: v for k, v in published(network).items() if not k.startswith("final_layer")}
    state |= {"final_layer.weight": published(network)["final_layer.weight"], "extra.weight": torch.zeros(1)}
    path = save(tmp_path / "odd_256x192.pth", state)
    reading = weight_files.read(path, Asked(allow_missing=("head.bias",), ignore=("extra",)))
    assert reading.notes == ("not used: extra.weight", "missing, and fresh: head.bias")
    assert set(reading.tensors) == set(network.state_dict())
    with pytest.raises(ValueError, match=r"1 missing \(head.bias\)"):
        weight_files.read(path, Asked(allow_missing=("decoupling",), ignore=("extra",)))


def test_the_published_rdpose_as_the_papers(tmp_path: Path) -> None:
    network = network_of(variant="official")
    path = save(tmp_path / "rdpose.pth", published(network))
    loaded, settings, _ = weight_files.load_network(path, Asked(variant="rdpose-paper"))
    state = loaded.state_dict()
    assert settings.model.variant == "rdpose-paper"
    torch.testing.assert_close(state["decoupling.place.weight"], network.state_dict()["s_attn.atn.weight"])
    torch.testing.assert_close(state["decoupling.mask.bias"], network.state_dict()["s_attn.conv.bias"])
    torch.testing.assert_close(state["head.weight"], network.state_dict()["final_layer.weight"])


@pytest.mark.parametrize(("found", "asked"), [("plain", "rdpose"), ("plain", "official"), ("official", "plain")])
def test_a_variant_is_not_made_of_another(tmp_path: Path, found: str, asked: str) -> None:
    path = save(tmp_path / "w.pth", published(network_of(variant=found)))
    with pytest.raises(ValueError, match=f"variant {found}, which cannot be read as {asked}; .*model.init="):
        weight_files.read(path, Asked(variant=asked))


@pytest.mark.parametrize(
    ("backbone", "layout", "bgr"),
    [("resnet18", "HRNet", True), ("resnet18", "mmpose 1.x", False), ("hrnet_small", "HRNet", False)],
)
def test_networks_for_bgr_answer_the_same_to_rgb(tmp_path: Path, backbone: str, layout: str, bgr: bool) -> None:
    """The family normalises a BGR picture by the RGB means as they stand: blue by red's."""
    network = network_of(backbone)
    path = save(tmp_path / "w_256x192.pth", LAYOUTS[layout][0](published(network)))
    image = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        expected = network(image.flip(1) if bgr else image)
        by_origin = weight_files.load_network(path)[0](image)
        other = weight_files.load_network(path, Asked(bgr=not bgr))[0](image)
    torch.testing.assert_close(by_origin, expected)
    assert not torch.allclose(other, expected)
    assert any("BGR" in note for note in weight_files.read(path).notes) == bgr


@pytest.mark.parametrize(("backbone", "layout"), [("resnet18", "HRNet"), ("hrnet_small", "HRNet")])
@pytest.mark.parametrize("bgr", [True, False])
def test_what_the_familys_settings_say_of_colours_counts(tmp_path: Path, backbone: str, layout: str, bgr: bool) -> None:
    path = save(tmp_path / "w_256x192.pth", LAYOUTS[layout][0](published(network_of(backbone))))
    said, expected = (weight_files.read(path, asked) for asked in (Asked(like_bgr=bgr), Asked(bgr=bgr)))
    assert all(torch.equal(said.tensors[key], tensor) for key, tensor in expected.tensors.items())
    assert any("DATASET.COLOR_RGB says" in note for note in said.notes) == bgr
    other = save(tmp_path / "other_256x192.pth", LAYOUTS["mmpose 1.x"][0](published(network_of(backbone))))
    assert not any("BGR" in note for note in weight_files.read(other, Asked(like_bgr=bgr)).notes)


@pytest.mark.parametrize("name", ["res18_aic_256x192", "hrnet_w32_ap10k_256x192", "w_posetrack18_256x192"])
def test_as_many_joints_of_other_sets_are_not_taken_for_coco(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / f"{name}.pth", published(network_of()))
    with pytest.raises(ValueError, match=r"17 joints and does not name them; .*--skeleton"):
        weight_files.load_network(path)


@pytest.mark.parametrize(
    ("name", "geometry", "decode"),
    [
        ("hrnet_udp_256x192", "udp", "udp"),
        ("darkpose_w32_256x192", "darkpose", "dark"),
        ("w32_dark_256x192", "hrnet", "quarter"),
        ("w_256x192", "hrnet", "quarter"),
    ],
)
def test_the_geometry_is_the_one_that_the_name_says(tmp_path: Path, name: str, geometry: str, decode: str) -> None:
    weights = save(tmp_path / f"{name}.pth", published(network_of()))
    reading, other = weight_files.read(weights), geometry != "hrnet"
    model, test = reading.settings.model, reading.settings.test
    assert (model.geometry, model.unbiased, test.decode, test.shift_heatmap) == (geometry, other, decode, None)
    assert any(f"read in the geometry {geometry}, as its name says" in note for note in reading.notes) == other
    convert.convert(weights, tmp_path / "new.safetensors")
    assert weight_files.read(tmp_path / "new.safetensors").settings.model.geometry == geometry
    convert.convert(weights, tmp_path / "told.safetensors", geometry="udp")
    assert weight_files.read(tmp_path / "told.safetensors").settings.model.geometry == "udp"
    assert weight_files.load_network(weights)[0].convention == geometry


@pytest.mark.parametrize(
    ("meta", "geometry"),
    [
        ({"config": "data_cfg = dict(use_udp=True)"}, "udp"),
        ({"config": "test_cfg = {'use_udp': True}"}, "udp"),
        ({"cfg": "codec = dict(type='UDPHeatmap', sigma=2)"}, "udp"),
        ({"cfg": "codec = dict(type='MSRAHeatmap', use_udp=False)", "config": None}, "hrnet"),
    ],
)
def test_mmposes_configuration_says_the_geometry(tmp_path: Path, meta: dict[str, Any], geometry: str) -> None:
    weights = save(tmp_path / "best_256x192.pth", {"state_dict": published(network_of()), "meta": meta})
    assert weight_files.read(weights).settings.model.geometry == geometry


def test_settings_that_ask_for_a_geometry_count_before_the_name(tmp_path: Path) -> None:
    weights = save(tmp_path / "darkpose_256x192.pth", published(network_of()))
    for like, geometry in (("hrnet", "darkpose"), ("udp", "udp")):
        asked = Asked(like=ModelSettings(backbone="resnet18", variant="plain", geometry=like))  # type: ignore
        assert weight_files.read(weights, asked).settings.model.geometry == geometry
    with pytest.raises(ValueError, match=r"model.geometry = 'upd': Input should be 'hrnet', 'udp' or 'darkpose'"):
        weight_files.read(weights, Asked(geometry="upd"))


class Evil:
    """Would write a file, were it unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def broken_files(folder: Path) -> dict[str, tuple[bytes | Any, str]]:
    """Name: (bytes, or what is saved by torch), what is said of it."""
    state = {"conv1.weight": torch.zeros(64, 64)}
    whole, old = folder / "whole", folder / "old"
    torch.save(state, whole)
    torch.save(state, old, _use_new_zipfile_serialization=False)
    save_file(state, folder / "safe")
    return {
        "evil.pth": ({"state_dict": state, "meta": Evil(folder / "was_here")}, "holds foreign objects"),
        "module.pth": (nn.Linear(2, 2), r"holds foreign objects \(torch.nn.modules.linear.Linear\)"),
        "page.pth": (b"<!DOCTYPE html><html>", "is no checkpoint .*DOCTYPE"),
        "empty.pth": (b"", "is no checkpoint .*is empty"),
        "half.pth": (whole.read_bytes()[:9000], "is damaged or no checkpoint"),
        "half_old.pth": (old.read_bytes()[:-8000], "is damaged or no checkpoint"),
        "plain.pkl": (pickle.dumps([1, 2], protocol=4), "is damaged or no checkpoint"),
        "half.safetensors": ((folder / "safe").read_bytes()[:-8000], "is a damaged safetensors file"),
        "list.pth": ([1, 2], "holds no network's state dict but a list"),
        "words.pth": ({"name": "pose"}, "holds no network's state dict but a dict with name"),
        "state.pth": ({"network": state, "stepper": {}}, "is the state of a training"),
        "other.pth": ({"blocks.0.weight": torch.zeros(1)}, "holds neither HRNet, ResNet nor ViTPose .*blocks.0.weight"),
        "w18.pth": ({"transition1.0.0.weight": torch.zeros(18, 256, 3, 3)}, "an HRNet of width 18"),
    }


def test_what_cannot_be_read_is_refused_in_a_sentence(tmp_path: Path) -> None:
    for name, (content, said) in broken_files(tmp_path).items():
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(content, path)
        with pytest.raises(ValueError, match=f"{name} .*{said}|{name} {said}") as caught:
            weight_files.read(path)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400
    assert not (tmp_path / "was_here").exists()


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.pth does not exist; `rdpose weights` lists"):
        weight_files.read(tmp_path / "none.pth")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        weight_files.read(tmp_path)


def test_stand_ins_do_nothing() -> None:
    stand_in = pickles.Inert("f8", False, True)
    stand_in.__setstate__({"args": ("changed",)})
    assert stand_in.args == ("f8", False, True)
    assert pickles.number(stand_in, np.float64(0.25).tobytes()) == 0.25
    assert isinstance(pickles.number(stand_in, b"short"), pickles.Inert)
    assert isinstance(pickles.number(pickles.Inert("O"), b"objects!"), pickles.Inert)


def test_convert_writes_what_loads_everywhere(tmp_path: Path) -> None:
    network = network_of(variant="official")
    old, new = save(tmp_path / "rdpose_256x192.pth", published(network)), tmp_path / "new.safetensors"
    report = convert.convert(old, new)
    same_tensors(weight_files.load_network(new)[0].state_dict(), network.state_dict())
    for words in (key_maps.RDPOSE, "hrnet_small", "official", "17 of coco", "192x256", str(new)):
        assert words in report
    with pytest.raises(ValueError, match=r"new\.pth does not end in \.safetensors"):
        convert.convert(old, tmp_path / "new.pth")


def test_convert_takes_a_persons_word(tmp_path: Path) -> None:
    old, new = save(tmp_path / "hand.pth", published(network_of(num_joints=2))), tmp_path / "hand.safetensors"
    joints = tmp_path / "hand.yaml"
    joints.write_text("joints: [left_thumb, right_thumb]")
    with pytest.raises(ValueError, match="--skeleton"):
        convert.convert(old, new)
    convert.convert(old, new, skeleton=str(joints), image_size=(128, 96))
    reading = weight_files.read(new)
    assert reading.skeleton.joints == ("left_thumb", "right_thumb")
    assert reading.settings.model.image_size == (128, 96)


def test_convert_of_a_backbone_starts_a_training(tmp_path: Path) -> None:
    state = builders.build_backbone("resnet18").state_dict()
    old, new = tmp_path / "resnet18.pth", tmp_path / "resnet18.safetensors"
    convert.convert(save(old, {k: v for k, v in state.items() if "deconv" not in k}), new)
    assert not weight_files.read(new).skeleton.joints
    with pytest.raises(ValueError, match="without a pose head"):
        weight_files.load_network(new)


def test_info(tmp_path: Path) -> None:
    network = network_of()
    path = save(tmp_path / "checkpoint_256x192.pth", as_training_checkpoint(published(network)))
    text = convert.info(path)
    learned = sum(parameter.numel() for parameter in network.parameters())
    for words in ("HRNet family", "hrnet_small", "plain", "17 of coco: nose", f"{learned:,}", "epoch 7, perf 0.5"):
        assert words in text
    assert re.search(r"sha256 +[0-9a-f]{64}$", text)
