"""Every kind of data set through the whole way: read, trained on, tested, measured. Real samples and written files."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from rdpose import evaluation, skeletons
from rdpose.checkpoints import load as weight_files
from rdpose.checkpoints import native
from rdpose.config.schema import Settings
from rdpose.engine import preview, tester, trainer
from rdpose.models import builders
from rdpose.skeletons import COCO_17, CROWDPOSE_14, MPII_16, Skeleton

Maker = Callable[..., Settings]
Rows = list[dict[str, Any]]
TRAIN, TEST = (f"annotations/person_keypoints_{split}2017.json" for split in ("train", "val"))
SERVER_KEYS = ["category_id", "image_id", "keypoints", "score"]
SHORT = ("test.flip=false", "train.validate_every=1", "train.batch_size=4")


def source(annotations: str | Path, images: str | Path, **more: str) -> str:
    return json.dumps({"annotations": str(annotations), "images": str(images), **more})


def results_of(settings: Settings) -> tuple[str, Rows]:
    """The name of the one results file of a run, and its rows."""
    (path,) = (settings.run_dir / "results").glob("keypoints_*.json")
    return path.name, json.loads(path.read_text())


def scores_of(settings: Settings) -> dict[str, float]:
    return json.loads((settings.run_dir / "results" / "scores.json").read_text())["figures"]


def untrained(path: Path, settings: Settings, skeleton: Skeleton) -> Path:
    torch.manual_seed(0)
    network = builders.build(settings.model.backbone, settings.model.variant, num_joints=skeleton.num_joints)
    native.save_weights(path, network.state_dict(), settings, skeleton)
    return path


def labels_in(root: Path, file: str) -> dict[str, Any]:
    return json.loads((root / file).read_text())


def renamed(row: dict[str, Any], skeleton: Skeleton) -> np.ndarray:
    """(joints, 3): a COCO person's joints in another set; those of head and trunk are made up of COCO's."""
    table = np.array(row["keypoints"], np.float64).reshape(17, 3)
    place = {name: table[index] for index, name in enumerate(COCO_17.joints)}
    place["thorax"] = place["neck"] = (place["left_shoulder"] + place["right_shoulder"]) / 2
    place["pelvis"] = (place["left_hip"] + place["right_hip"]) / 2
    place["upper_neck"] = place["thorax"] - [0, 2, 0]
    place["head"] = place["head_top"] = place["nose"] - [0, 8, 0]
    found = np.array([place[name] for name in skeleton.joints])
    found[:, 2] = np.where(found[:, 2] > 0, 2, 0)
    return found


def write_mpii(path: Path, labels: dict[str, Any], *, labelled: bool = True) -> Path:
    """The same people in the family's MPII format, which counts from 1."""
    files = {image["id"]: image["file_name"] for image in labels["images"]}
    rows = []
    for person in labels["annotations"]:
        left, top, width, height = person["bbox"]
        table = renamed(person, MPII_16)
        row = {
            "image": files[person["image_id"]],
            "center": [left + width / 2, top + height / 2],
            "scale": height / 200,
        }
        joints = {"joints": (table[:, :2] + 1).tolist(), "joints_vis": (table[:, 2] > 0).astype(int).tolist()}
        rows.append(row | (joints if labelled else {}))
    path.write_text(json.dumps(rows))
    return path


def write_crowdpose(path: Path, labels: dict[str, Any]) -> Path:
    """The same people as CrowdPose has them: 14 joints, no areas, a crowd index for each picture."""
    for number, image in enumerate(labels["images"]):
        image["crowdIndex"] = (0.05, 0.5, 0.9)[number % 3]
    for row in labels["annotations"]:
        row.pop("area")
        row["keypoints"] = renamed(row, CROWDPOSE_14).ravel().tolist()
    labels["categories"] = [{"id": 1, "name": "person", "keypoints": CROWDPOSE_14.joints, "skeleton": [[16, 14]]}]
    path.write_text(json.dumps(labels))
    return path


def write_boxes(path: Path, labels: dict[str, Any]) -> Path:
    """Each person detected once, and a dog."""
    keys = ("image_id", "category_id", "bbox")
    rows = [{key: row[key] for key in keys} | {"score": 0.9} for row in labels["annotations"]]
    path.write_text(json.dumps([*rows, rows[0] | {"category_id": 18}]))
    return path


def test_mpii(tiny_settings: Maker, tiny_crowd: Path, tmp_path: Path) -> None:
    files = [write_mpii(tmp_path / "train.json", labels_in(tiny_crowd, TRAIN))]
    files += [write_mpii(tmp_path / "valid.json", labels_in(tiny_crowd, TEST))]
    folders = ("images/train2017", "images/val2017")
    sets = [source(file, folder, format="mpii") for file, folder in zip(files, folders, strict=True)]
    mpii = ("data.dataset=mpii", "data.skeleton=mpii", "data.metric=mpii", "model.image_size=[64, 64]")
    settings = tiny_settings(*mpii, *SHORT, f"data.train=[{sets[0]}]", f"data.test={sets[1]}")
    best = trainer.train(settings)
    name, rows = results_of(settings)
    people = json.loads(files[1].read_text())
    assert name == "keypoints_valid_results.json"
    assert [row["annotation_id"] for row in rows] == list(range(len(people)))
    assert list(scores_of(settings)) == [*evaluation.mpii.COLUMNS, "Mean", "Mean@0.1"]
    assert scores_of(settings) == evaluation.evaluate(rows, files[1], metric="mpii").figures
    assert best.name == "model_best.safetensors"

    unlabelled = write_mpii(tmp_path / "test.json", labels_in(tiny_crowd, TEST), labelled=False)
    settings = tiny_settings(
        *mpii, "name=unlabelled", f"data.test={source(unlabelled, 'images/val2017', format='mpii')}"
    )
    assert tester.test_weights(settings, best) is None
    name, found = results_of(settings)
    assert name == "keypoints_test_results.json"
    assert [row["annotation_id"] for row in found] == list(range(len(people)))


@pytest.mark.parametrize("boxes", ["truth", "detected"])
def test_crowdpose(tiny_settings: Maker, tiny_crowd: Path, tmp_path: Path, boxes: str) -> None:
    labels = labels_in(tiny_crowd, TEST)
    detected = write_boxes(tmp_path / "boxes.json", labels)
    path = write_crowdpose(tmp_path / "crowdpose_test.json", labels)
    test = source(path, "images/val2017", boxes=str(detected))
    crowdpose = ("data.skeleton=crowdpose", "data.metric=crowdpose", f"test.boxes={boxes}", "test.flip=false")
    settings = tiny_settings(*crowdpose, f"data.test={test}")
    scores = tester.test_weights(settings, untrained(tmp_path / "w.safetensors", settings, CROWDPOSE_14))
    assert scores is not None
    assert {"AP", "AP (E)", "AP (M)", "AP (H)"} <= scores.figures.keys()
    assert all(0 <= figure <= 1 for figure in scores.figures.values())
    assert ("given boxes" in scores.name) == (boxes == "truth")
    name, rows = results_of(settings)
    assert name == "keypoints_crowdpose_test_results.json"
    assert ("annotation_id" in rows[0]) == (boxes == "truth")


def test_coco_test_dev_is_ready_for_the_server(
    tiny_settings: Maker, tiny_crowd: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    labels = labels_in(tiny_crowd, TEST)
    boxes = write_boxes(tmp_path / "boxes.json", labels)
    categories = [{"id": number, "name": name} for number, name in ((1, "person"), (18, "dog"))]
    path = tmp_path / "image_info_test-dev2017.json"
    path.write_text(json.dumps({"images": labels["images"], "categories": categories}))
    test = source(path, "images/val2017", boxes=str(boxes))
    settings = tiny_settings(f"data.test={test}", "test.boxes=detected", "test.flip=false", "test.oks_nms=1")
    assert tester.test_weights(settings, tiny_weights) is None
    name, rows = results_of(settings)
    assert name == "keypoints_test-dev2017_results.json"
    assert len(rows) == len(labels["annotations"])
    for row in rows:
        assert sorted(row) == SERVER_KEYS
        assert row["category_id"] == 1
        assert len(row["keypoints"]) == 51
        assert all(isinstance(number, float) for number in row["keypoints"])
    assert not (settings.run_dir / "results" / "scores.json").exists()


def test_pictures_in_zips(tiny_settings: Maker, tiny_crowd: Path, tmp_path: Path) -> None:
    """DATA_FORMAT: zip: the same training and the same figures as from folders."""
    for split in ("train2017", "val2017"):
        with zipfile.ZipFile(tmp_path / f"{split}.zip", "w") as archive:
            for picture in sorted((tiny_crowd / "images" / split).iterdir()):
                archive.write(picture, picture.name)
    sets = (
        f"data.train=[{source(TRAIN, tmp_path / 'train2017.zip')}]",
        f"data.test={source(TEST, tmp_path / 'val2017.zip')}",
    )
    zipped = tiny_settings(*SHORT, *sets, "name=zipped", "data.workers=1")
    folders = tiny_settings(*SHORT, "name=folders")
    for settings in (zipped, folders):
        trainer.train(settings)
    assert results_of(zipped) == results_of(folders)
    assert scores_of(zipped) == scores_of(folders)


def hand(labels: dict[str, Any]) -> dict[str, Any]:
    """A set of one's own: five joints without names, in pictures of anything."""
    for row in labels["annotations"]:
        row["keypoints"] = row["keypoints"][:15]
    return labels | {"categories": [{"id": 1, "name": "hand"}]}


HAND = ["palm", "left_thumb", "right_thumb", "left_tip", "right_tip"]


@pytest.mark.parametrize("named_by", ["category", "yaml"])
def test_own_joints(
    tiny_settings: Maker, tiny_crowd: Path, tiny_weights: Path, tmp_path: Path, capsys, named_by: str
) -> None:
    """Trained from weights of other joints, tested, and measured with the skeleton's own sigmas."""
    for file in (TRAIN, TEST):
        labels = hand(labels_in(tiny_crowd, file))
        if named_by == "category":
            labels["categories"][0] |= {"keypoints": HAND, "skeleton": [[1, 2], [1, 3]]}
        (tmp_path / Path(file).name).write_text(json.dumps(labels))
    (tmp_path / "hand.yaml").write_text(yaml.safe_dump({"joints": HAND, "sigmas": {"palm": 0.2}}))
    images = tiny_crowd / "images"
    settings = tiny_settings(
        *(*SHORT, f"data.root={tmp_path}", f"data.skeleton={'file' if named_by == 'category' else 'hand.yaml'}"),
        f"data.train=[{source('person_keypoints_train2017.json', images / 'train2017')}]",
        f"data.test={source('person_keypoints_val2017.json', images / 'val2017')}",
        f"model.init={tiny_weights}",
    )
    best = trainer.train(settings)
    out = capsys.readouterr().err
    assert f"joints fresh: {', '.join(HAND)}" in out
    assert "joints taken: none" in out
    _, _, skeleton = weight_files.load_network(best)
    assert skeleton.joints == tuple(HAND)
    assert skeleton.flip_pairs == ((1, 2), (3, 4))
    assert skeleton.sigmas[0] == (0.2 if named_by == "yaml" else skeletons.DEFAULT_SIGMA)
    _, rows = results_of(settings)
    truth = tmp_path / "person_keypoints_val2017.json"
    assert scores_of(settings) == evaluation.evaluate(rows, truth, skeleton=skeleton).figures


def test_a_skeleton_in_another_order_is_not_measured(tiny_settings: Maker, tiny_crowd: Path, tmp_path: Path) -> None:
    (tmp_path / "turned.yaml").write_text(yaml.safe_dump({"joints": list(COCO_17.joints[::-1])}))
    turned = skeletons.get(str(tmp_path / "turned.yaml"))
    settings = tiny_settings(f"data.skeleton={tmp_path / 'turned.yaml'}", "test.flip=false")
    weights = untrained(tmp_path / "w.safetensors", settings, turned)
    with pytest.raises(ValueError, match=r"val2017\.json lists the joints nose.*, the skeleton turned right_ankle"):
        tester.test_weights(settings, weights)


def test_a_skeleton_in_another_order_is_told_before_training(tiny_settings: Maker, tmp_path: Path) -> None:
    """By `show` as by `train`; joints of training files are found by their names."""
    (tmp_path / "turned.yaml").write_text(yaml.safe_dump({"joints": list(COCO_17.joints[::-1])}))
    settings = tiny_settings(f"data.skeleton={tmp_path / 'turned.yaml'}", *SHORT)
    said = []
    for command in (trainer.train, lambda settings: preview.show(settings, tmp_path / "show.png")):
        with pytest.raises(ValueError, match=r"val2017\.json lists the joints nose.*, the skeleton turned") as error:
            command(settings)
        said.append(str(error.value))
    assert said[0] == said[1]
    untested = settings.model_copy(update={"data": settings.data.model_copy(update={"test": None})})
    assert preview.show(untested, tmp_path / "show.png", num=1).is_file()


NATIVE = {
    "mpii": ("mpii", "mpii", source("test_mpii.json", ".", format="mpii"), "Mean"),
    "crowdpose": (
        *("crowdpose", "crowdpose"),
        source("test_crowdpose.json", ".", boxes="test_crowdpose_det_AP_40.json"),
        "AP (M)",
    ),
    "ochuman": ("coco", "ochuman", source("test_ochuman.json", "."), "AP"),
    "posetrack18": ("file", "coco", source("annotations/test_posetrack18_val.json", "."), "AP"),
    "aic": ("file", "coco", source("test_aic.json", "."), "AP"),
}


@pytest.mark.parametrize("name", NATIVE)
def test_native_files(tiny_settings: Maker, shared_data: Path, name: str) -> None:
    """The sets' own files: trained on for an epoch, tested on given boxes and, where there are any, detected ones."""
    skeleton, metric, files, figure = NATIVE[name]
    options = (f"data.root={shared_data / 'samples' / name}", f"data.skeleton={skeleton}", f"data.metric={metric}")
    sets = (f"data.dataset={name}", f"data.train=[{files}]", f"data.test={files}")
    settings = tiny_settings(*SHORT, *options, *sets)
    best = trainer.train(settings)
    assert 0 <= scores_of(settings)[figure] <= 100
    _, rows = results_of(settings)
    assert len({row["annotation_id"] for row in rows}) == len(rows) > 3
    if settings.data.test is not None and settings.data.test.boxes:
        detected = tiny_settings(*SHORT, *options, *sets, "name=detected", "test.boxes=detected")
        scores = tester.test_weights(detected, best)
        assert scores is not None
        assert "detected boxes" in scores.name
        assert sorted(results_of(detected)[1][0]) == SERVER_KEYS
