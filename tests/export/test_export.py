"""Exported networks give torch's numbers, carry their settings, and stand wherever a network stands."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import rdpose
from near import label_near
from rdpose import heatmaps
from rdpose.backends import engines, exported, networks
from rdpose.checkpoints import native
from rdpose.config.schema import Settings
from rdpose.data import synthetic
from rdpose.engine import tester
from rdpose.inference.pipeline import Network, open_network
from rdpose.models import builders
from rdpose.models.box_conditioning import GAIN
from rdpose.models.rdpose import RDPose
from rdpose.skeletons import COCO_17

pytest.importorskip("onnx")
pytest.importorskip("openvino")
from rdpose.export import ExportReport, check, crops, export

ENGINES: tuple[engines.Engine, ...] = ("onnxruntime", "openvino")


@dataclass
class Made:
    """A network and what was exported of it."""

    weights: Path
    network: Network
    settings: Settings
    onnx: ExportReport
    openvino: ExportReport
    opened: dict[str, exported.Exported]
    """By engine; OpenVINO's decodes."""

    def load(self, engine: str) -> exported.Exported:
        return self.opened[engine]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """An untrained network all of whose parts matter: no convolution is zero, heatmaps are of size 1."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("export")
    settings = Settings.model_validate(
        {
            "model": {"backbone": "hrnet_small", "variant": "rdpose", "image_size": [64, 96]},
            "data": {"max_neighbours": 3},
        }
    )
    network = builders.build("hrnet_small", "rdpose", num_joints=17).eval()
    assert isinstance(network, RDPose)
    nn.init.normal_(network.head.weight, std=0.1)
    for layer in (network.neighbour_map, network.decoupling):
        for parameter in layer.parameters() if layer else ():
            nn.init.normal_(parameter, std=0.05 / GAIN if layer is network.neighbour_map else 0.003)
    path = folder / "small.safetensors"
    native.save_weights(path, network.state_dict(), settings, COCO_17)
    reports = export(path), export(path, format="openvino", decode=True)
    opened = {name: exported.load(report.path, engine=name)[0] for name, report in zip(ENGINES, reports, strict=True)}
    return Made(path, network, settings, *reports, opened)


def batch(people: int, others: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(people)
    low = torch.rand(people, others + 1, 2, generator=generator) * 40
    boxes = torch.cat([low, low + 30], dim=-1)
    crops = torch.randint(0, 256, (people, 3, 96, 64), dtype=torch.uint8, generator=generator)
    return crops, boxes[:, 1:], boxes[:, 0]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("people", "others"), [(1, 3), (5, 1), (2, 0)])
@torch.inference_mode()
def test_heatmaps_of_any_batch_are_those_of_torch(made: Made, engine: str, people: int, others: int) -> None:
    given = batch(people, others)
    expected = made.network(*given)
    assert expected.std() > 0.1
    torch.testing.assert_close(made.load(engine)(*given), expected, rtol=0, atol=1e-4)


@torch.inference_mode()
def test_boxes_count_and_may_be_unknown(made: Made) -> None:
    network, (crops, neighbours, box) = made.load("onnxruntime"), batch(2, 2)
    unknown = network(crops)
    torch.testing.assert_close(unknown, made.network(crops, torch.zeros(2, 1, 4), torch.zeros(2, 4)), rtol=0, atol=1e-4)
    assert (network(crops, neighbours, box) - unknown).abs().max() > 0.1


def test_decoding_inside(made: Made) -> None:
    network, given = made.load("openvino"), batch(3, 2)
    joints, confidence = network.joints(*given)
    cells, expected = heatmaps.decode(network(*given), made.settings.test.decode)
    torch.testing.assert_close(joints, cells * 4, rtol=0, atol=0.01)
    torch.testing.assert_close(confidence, expected)
    with pytest.raises(ValueError, match="--decode"):
        made.load("onnxruntime").joints(*given)


def test_the_report_tells_what_was_checked(made: Made) -> None:
    assert [one.engine for one in made.onnx.figures] == ["openvino", "onnxruntime"]
    for report in (made.onnx, made.openvino):
        for figures in report.figures:
            assert 0 < figures.heatmaps <= check.HEATMAPS
            assert figures.joints_px <= check.JOINTS_PX
            assert figures.engine in str(report)
    assert "6 crops" in str(made.onnx)
    assert made.onnx.megabytes == pytest.approx(made.onnx.path.stat().st_size / 1e6)


@pytest.mark.parametrize("engine", ENGINES)
def test_files_carry_settings_and_joints(made: Made, engine: str) -> None:
    report = made.onnx if engine == "onnxruntime" else made.openvino
    network, settings, skeleton = exported.load(report.path, engine=engine, threads=1)
    assert settings == made.settings
    assert skeleton == COCO_17
    assert network.image_size == (64, 96)


def test_openvino_reads_what_was_made_for_onnxruntime(made: Made) -> None:
    network, settings, _ = exported.load(made.onnx.path, engine="openvino")
    assert settings == made.settings
    torch.testing.assert_close(network(*batch(2, 2)), made.load("onnxruntime")(*batch(2, 2)), rtol=0, atol=1e-4)


def test_a_network_without_use_for_boxes(tmp_path: Path, made: Made) -> None:
    torch.manual_seed(1)
    network = builders.build("hrnet_small", "rdpose-paper", num_joints=17).eval()
    model = made.settings.model.model_copy(update={"variant": "rdpose-paper"})
    settings = made.settings.model_copy(update={"model": model})
    native.save_weights(tmp_path / "net.safetensors", network.state_dict(), settings, COCO_17)
    report = export(tmp_path / "net.safetensors", tmp_path / "deep" / "out.onnx")
    with torch.inference_mode():
        torch.testing.assert_close(open_network(report.path)[0](*batch(2, 2)), network(*batch(2, 2)), rtol=0, atol=1e-4)


def test_equal_ap(made: Made, tiny_crowd: Path, tiny_settings: Callable[..., Settings], tmp_path: Path) -> None:
    """Also: exported networks are tested as others are."""
    labels = Path(shutil.copy(tiny_crowd / "annotations/person_keypoints_val2017.json", tmp_path / "near.json"))
    near = (f"data.test.annotations={labels}", "data.root=" + str(tiny_crowd))
    settings = tiny_settings("name=torch", *near)
    tester.test_weights(settings, made.weights)
    label_near(labels, settings.run_dir / "results/keypoints_near_results.json")
    torch_scores = tester.test_weights(settings, made.weights)
    assert torch_scores is not None
    assert 0.05 < torch_scores.figures["AP"] < 0.95
    for report in (made.onnx, made.openvino):
        scores = tester.test_weights(tiny_settings(f"name={report.path.suffix[1:]}", *near), report.path)
        assert scores is not None
        assert scores.figures == torch_scores.figures


def test_equal_joints_in_results(made: Made, tiny_settings: Callable[..., Settings]) -> None:
    """An untrained network's AP may be 0; its joints are what they are."""
    results = []
    for path in (made.weights, made.onnx.path):
        settings = tiny_settings(f"name=joints{path.suffix[1:]}")
        tester.test_weights(settings, path)
        (file,) = (settings.run_dir / "results").glob("keypoints_*.json")
        results.append(np.array([row["keypoints"] for row in json.loads(file.read_text())]))
    assert len(results[0]) > 6
    assert np.quantile(np.abs(results[0] - results[1]), 0.99) < 0.01


def test_eight_bits(made: Made, tiny_crowd: Path, tmp_path: Path, capsys) -> None:
    annotations = tiny_crowd / "annotations/person_keypoints_train2017.json"
    images = tiny_crowd / "images/train2017"
    report = export(made.weights, tmp_path / "small.onnx", int8=True, calibrate=images, annotations=annotations)
    assert f"{images}: ranges from 8 pictures; some dozens are better" in capsys.readouterr().err
    assert report.megabytes < 0.5 * made.onnx.megabytes
    for figures in report.figures:
        assert 1e-3 < figures.share < check.INT8_SHARE
    assert exported.load(report.path)[1] == made.settings


def test_eight_bits_reach_as_far_as_the_activations(tmp_path: Path) -> None:
    """What is cut off after a convolution (here at 0 and 6) must not cost it its bits."""
    annotations = synthetic.write_dataset(tmp_path, num_pictures=8, seed=0, num_people=(2, 3), name="crowd")
    torch.manual_seed(0)
    network = builders.build("efficientnet_lite0", "plain", num_joints=17)
    settings = Settings.model_validate({"model": {"backbone": "efficientnet_lite0", "variant": "plain"}})
    native.save_weights(tmp_path / "relu6.safetensors", network.state_dict(), settings, COCO_17)
    images, path = tmp_path / "images/crowd", tmp_path / "relu6.onnx"
    report = export(tmp_path / "relu6.safetensors", path, int8=True, calibrate=images, annotations=annotations)
    assert report.path == path


def test_a_file_with_other_numbers_is_not_left_behind(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "HEATMAPS", 1e-12)
    with pytest.raises(ValueError, match="nothing was written"):
        export(made.weights, tmp_path / "small.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"format": "tflite"}, "unknown format 'tflite'; there are onnx, openvino"),
        ({"out": Path("model.xml")}, "model.xml does not end in .onnx"),
        ({"int8": True}, "--calibrate FOLDER"),
        ({"int8": True, "calibrate": Path("nowhere")}, "no folder nowhere"),
    ],
)
def test_what_cannot_be_exported(made: Made, asked: dict, message: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        export(made.weights, **asked)


def test_a_folder_without_pictures(made: Made, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no pictures"):
        export(made.weights, tmp_path / "small.onnx", int8=True, calibrate=tmp_path)


def test_a_folder_may_hold_a_part_of_the_annotated_pictures(made: Made, tiny_crowd: Path, tmp_path: Path) -> None:
    annotations = tiny_crowd / "annotations/person_keypoints_train2017.json"
    folder = tmp_path / "some"
    folder.mkdir()
    with pytest.raises(
        ValueError, match=r"none of the 8 pictures of .*train2017\.json is in .*some \(the first: 0.*01\.jpg"
    ):
        crops.of_folder(folder, annotations, made.settings)
    for number in (2, 5):
        shutil.copy(tiny_crowd / f"images/train2017/{number:012d}.jpg", folder)
    people = json.loads(annotations.read_text())["annotations"]
    found = crops.of_folder(folder, annotations, made.settings)
    assert [len(one.index) for one in found] == [sum(row["image_id"] == number for row in people) for number in (2, 5)]


@pytest.mark.parametrize("engine", ENGINES)
def test_files_that_are_no_exported_networks(tmp_path: Path, engine: str) -> None:
    with pytest.raises(FileNotFoundError, match="there is no exported network"):
        exported.load(tmp_path / "missing.onnx", engine=engine)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network at all")
    with pytest.raises(ValueError, match=r"broken.onnx is damaged or no network"):
        exported.load(broken, engine=engine)
    with pytest.raises(ValueError, match=r"ends in \.onnx or \.xml"):
        engines.engine_for(tmp_path / "model.tflite")


@pytest.mark.parametrize("engine", ENGINES)
def test_somebody_elses_network(tmp_path: Path, made: Made, engine: str) -> None:
    import onnx

    model = onnx.load(made.onnx.path)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "theirs.onnx")
    with pytest.raises(ValueError, match="carries no rdpose settings"):
        exported.load(tmp_path / "theirs.onnx", engine=engine)
    with pytest.raises(FileNotFoundError, match=r"no theirs\.yaml beside it describes it"):
        networks.load(tmp_path / "theirs.onnx")
    with pytest.raises(ValueError, match=r"theirs\.onnx is an exported network already"):
        export(tmp_path / "theirs.onnx")


def test_crops_of_another_size(made: Made) -> None:
    with pytest.raises(ValueError, match=r"takes uint8 crops \(batch, 3, 96, 64\)"):
        made.load("onnxruntime")(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"not torch.float32"):
        made.load("onnxruntime")(torch.zeros(1, 3, 96, 64))


def test_a_device_is_refused_for_an_exported_network(made: Made) -> None:
    assert rdpose.load(made.onnx.path, device="cpu").device == torch.device("cpu")
    with pytest.raises(ValueError, match=r"is an exported network, .* leave out device='cuda'"):
        rdpose.load(made.onnx.path, device="cuda")
