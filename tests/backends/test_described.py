"""Heatmap networks of others run as their description says; what does not fit is told when they are opened."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor
from torch.nn.functional import conv2d

import rdpose
from rdpose import heatmaps
from rdpose.backends import described, engines
from rdpose.backends.described import DescribedNetwork
from rdpose.config.schema import Settings
from rdpose.engine import tester
from rdpose.inference.pipeline import open_network
from rdpose.skeletons import COCO_17
from their_network import ABOUT, WEIGHT, write

pytest.importorskip("onnx")
ENGINES: tuple[engines.Engine, ...] = ("onnxruntime", "openvino")


def crops(count: int) -> Tensor:
    """(count, 3, 96, 64), not in the order of a tensor's own memory: as crops come."""
    pictures = np.random.default_rng(count).integers(0, 256, (count, 96, 64, 3), np.uint8)
    return torch.from_numpy(pictures).permute(0, 3, 1, 2)


def expected(images: Tensor, mean: Any, std: Any) -> Tensor:
    mean, std = (torch.tensor(values, dtype=torch.float32)[:, None, None] for values in (mean, std))
    return conv2d((images.float() - mean) / std, torch.from_numpy(WEIGHT), stride=4)


def opened(path: Path, engine: engines.Engine) -> tuple[DescribedNetwork, Settings, Any]:
    if engine == "openvino":
        pytest.importorskip("openvino")
    return described.of(engines.open_file(path, engine=engine), path)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch", ["batch", 1, 2, "one"])
def test_heatmaps_of_any_batch(tmp_path: Path, engine: engines.Engine, batch: int | str) -> None:
    network, settings, skeleton = opened(write(tmp_path / "theirs.onnx", batch=batch), engine)
    assert skeleton == COCO_17
    assert (settings.model.image_size, settings.model.backbone) == ((64, 96), "theirs")
    for count in (1, 3):
        found = network(crops(count), torch.zeros(count, 2, 4), torch.ones(count, 4))
        torch.testing.assert_close(found, expected(crops(count), ABOUT["mean"], ABOUT["std"]), rtol=0, atol=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_colours_pixels_and_logits(tmp_path: Path, engine: engines.Engine) -> None:
    bgr = opened(write(tmp_path / "bgr.onnx", color="bgr", sigmoid=True, output="maps"), engine)[0]
    wanted = expected(crops(2).flip(1), ABOUT["mean"], ABOUT["std"]).sigmoid()
    torch.testing.assert_close(bgr(crops(2)), wanted, rtol=0, atol=1e-5)
    pixels = opened(write(tmp_path / "pixels.onnx", pixels=True, mean=None, std=None), engine)[0]
    torch.testing.assert_close(pixels(crops(2)), expected(crops(2), [0] * 3, [1] * 3), rtol=1e-5, atol=1e-2)


def test_joints_of_ones_own_and_how_they_are_read(tmp_path: Path) -> None:
    names = [f"{side}_{part}" for part in range(8) for side in ("left", "right")] + ["nose"]
    (tmp_path / "joints.yaml").write_text(yaml.safe_dump({"joints": names}))
    about = {"decode": "dark", "sigma": 3, "shift": False, "padding": 1.1}
    for keypoints in ("joints.yaml", names):
        _, settings, skeleton = open_network(write(tmp_path / "theirs.onnx", keypoints=keypoints, **about))
        assert skeleton.joints == tuple(names)
        assert skeleton.flip_order[:2].tolist() == [1, 0]
        assert (settings.model.sigma, settings.model.padding) == (3, 1.1)
        assert (settings.test.decode, settings.test.shift_heatmap) == ("dark", False)


@pytest.mark.parametrize("flip", [False, True])
def test_an_estimator_looks_as_described(tmp_path: Path, flip: bool) -> None:
    about = {"padding": 1.1, "shift": False, "decode": "argmax"}
    estimator = rdpose.load(write(tmp_path / "theirs.onnx", **about), detector="whole", flip=flip)
    picture = np.random.default_rng(5).integers(0, 256, (96, 64, 3), np.uint8)
    seen, maps = estimator.heatmaps(picture)
    assert (seen[0, :4] == 0).all()  # 110 % of 96 rows: 4.8 of them above the picture, of 105.6
    assert (seen[0, 5] != 0).any()
    images = torch.from_numpy(seen).permute(0, 3, 1, 2)
    straight, mirrored = (expected(one, ABOUT["mean"], ABOUT["std"]) for one in (images, images.flip(-1)))
    order = torch.from_numpy(COCO_17.flip_order)
    wanted = (straight + heatmaps.unflip(mirrored, order, False)) / 2 if flip else straight
    np.testing.assert_allclose(maps, wanted.numpy(), rtol=0, atol=1e-4)
    assert estimator(picture).joints.shape == (1, 17, 2)


def test_it_is_tested_as_others_are(tmp_path: Path, tiny_crowd: Path, tiny_settings: Callable[..., Settings]) -> None:
    settings = tiny_settings("data.root=" + str(tiny_crowd), "test.boxes=truth")
    scores = tester.test_weights(settings, write(tmp_path / "theirs.onnx"))
    assert scores is not None
    assert 0 <= scores.figures["AP"] < 1
    assert "theirs plain 96x64" in str(scores)


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"keypoints": "mpii"}, r"maps is \(17, 24, 16\) for a crop, and `keypoints:` names 16 \(mpii\)"),
        ({"output": "means"}, r"means is \(17,\) for a crop, and heatmaps are .* `output:` \(maps\)"),
        ({"output": "other"}, r"has no output other; it has maps, means"),
        ({"size": [96, 96]}, r"image is \(.*, 3, 96, 64\), and `size: \[96, 96\]`"),
        ({"stride": 5}, r"maps is \(17, 19, 13\) for a crop, and `size: \[64, 96\]` is not the same whole number"),
        ({"pixels": True}, "takes pixels of 0 to 255; leave out `mean` and `std`"),
        ({"decode": "soft"}, r"theirs\.yaml does not describe a heatmap network: decode: .*quarter"),
        ({"size": None}, r"theirs\.yaml does not describe a heatmap network: size: Field required"),
        ({"keypoints": "hands"}, "unknown skeleton 'hands'"),
    ],
)
def test_what_does_not_fit_is_told_at_once(tmp_path: Path, about: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        open_network(write(tmp_path / "theirs.onnx", **about))
    assert "\n" not in str(caught.value)


def test_what_to_write_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "theirs.onnx")
    path.with_suffix(".yaml").unlink()
    with pytest.raises(FileNotFoundError, match=r"no theirs\.yaml beside it describes it.*size: \[192, 256\]"):
        open_network(path)
    path.with_suffix(".yaml").write_text(described.EXAMPLE.replace("192, 256", "64, 96"))
    assert open_network(path)[1].test.decode == "dark"


def test_crops_of_another_size(tmp_path: Path) -> None:
    network, *_ = open_network(write(tmp_path / "theirs.onnx"))
    with pytest.raises(ValueError, match=r"takes uint8 crops \(batch, 3, 96, 64\)"):
        network(torch.zeros(1, 3, 64, 64, dtype=torch.uint8), torch.zeros(1, 1, 4), torch.zeros(1, 4))


TINYPOSE = {
    "size": [192, 256],
    "keypoints": "coco",
    "mean": [123.675, 116.28, 103.53],
    "std": [58.395, 57.12, 57.375],
    "decode": "dark",
}


@pytest.fixture
def tinypose(shared_data: Path, tmp_path: Path) -> Path:
    """PP-TinyPose with a description beside it."""
    pytest.importorskip("openvino")
    folder = shared_data.parent / "models/tinypose_256x192"
    if not folder.is_dir():
        pytest.skip("needs ../shared/models/tinypose_256x192")
    for file in ("model.xml", "model.bin"):
        (tmp_path / file).symlink_to(folder / file)
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(TINYPOSE))
    return tmp_path / "model.xml"


@pytest.mark.parametrize("flip", [False, True])
def test_tinypose_is_what_the_recipes_own_way_gives(
    tinypose: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch, flip: bool
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2]))
    from recipes.bundled import teachers

    from rdpose.io import images

    content = json.loads((shared_data / "coco/annotations/person_keypoints_val2017.json").read_text())
    people = [row for row in content["annotations"] if row.get("num_keypoints")]
    number = next(row["image_id"] for row in people if sum(one["image_id"] == row["image_id"] for one in people) > 2)
    (image,) = (image for image in content["images"] if image["id"] == number)
    boxes = np.float32([row["bbox"] for row in people if row["image_id"] == number][:4])
    boxes[:, 2:] += boxes[:, :2]
    picture = images.read(shared_data / "coco/images/val2017" / image["file_name"])
    estimator = rdpose.load(tinypose, flip=flip, keep_duplicates=True)
    own, transforms = teachers.crops_of(picture, boxes)
    maps = teachers.heatmaps_of(teachers.load(shared_data.parent / "models").look, own, mirror=flip)
    seen, found = estimator.heatmaps(picture, boxes)
    assert len(found) > 2
    np.testing.assert_array_equal(seen, own)
    np.testing.assert_allclose(found, maps.numpy(), rtol=0, atol=1e-5)
    cells, _ = heatmaps.decode(maps, "dark", sigma=2.0)
    np.testing.assert_allclose(
        estimator(picture, boxes).joints, teachers.to_picture(cells, transforms), rtol=0, atol=1e-2
    )
