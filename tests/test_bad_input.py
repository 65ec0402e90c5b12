"""Bad input through the command line: a defined result, or one sentence with the file and the remedy and status 1."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from rdpose import cli, skeletons
from rdpose.checkpoints import native
from rdpose.config import loading
from rdpose.io import images
from rdpose.models import builders

Labels = dict[str, Any]
TRAIN_LABELS = "annotations/person_keypoints_train2017.json"
TEST_LABELS = "annotations/person_keypoints_val2017.json"
PICTURE = "images/train2017/000000000001.jpg"


@pytest.fixture
def crowd(tiny_crowd: Path, tmp_path: Path) -> Path:
    """A copy of the data set that a test may spoil."""
    return shutil.copytree(tiny_crowd, tmp_path / "crowd")


@pytest.fixture
def command(tiny_config: Path, crowd: Path, tmp_path: Path, capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs a command on the copy: status, output, and what was said on standard error."""

    def run(name: str, *arguments: str | Path) -> tuple[int, str, str]:
        places = (f"data.root={crowd}", f"output_dir={tmp_path / 'out'}")
        with pytest.raises(SystemExit) as end:
            cli.main([name, str(tiny_config), *places, *map(str, arguments)])
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return run


def assert_refused(done: tuple[int, str, str], *words: str | Path) -> None:
    status, _, said = done
    assert status == 1, said
    start, found, said = said.rpartition("rdpose: ")  # a training has told its start before
    assert found, start
    assert start[-1:] in ("", "\n"), start
    assert said.count("\n") == 1, said
    assert "Traceback" not in start + said
    for word in words:
        assert str(word) in said


def results_in(folder: Path) -> list[Labels]:
    return json.loads((folder / "out/crowds/hrnet_small/tiny/results/keypoints_val2017_results.json").read_text())


def change(path: Path, edit: Callable[[Labels], None]) -> None:
    labels = json.loads(path.read_text())
    edit(labels)
    path.write_text(json.dumps(labels))


def annotations_of_first(labels: Labels) -> list[Labels]:
    return [row for row in labels["annotations"] if row["image_id"] == labels["images"][0]["id"]]


# Pictures.


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (Path.unlink, "does not exist; check the folder of pictures"),
        (lambda path: path.write_bytes(b""), "is empty; fetch the file again"),
        (lambda path: path.write_bytes(b"\x00\x01 no picture"), "damaged or of an unknown kind"),
        (lambda path: path.write_bytes(path.read_bytes()[:2000]), "is cut off: its JPEG data do not end"),
    ],
    ids=["missing", "empty", "corrupt", "truncated"],
)
def test_faulty_pictures_are_named(
    command, crowd: Path, spoil: Callable[[Path], Any], words: str, workers: int
) -> None:
    spoil(crowd / PICTURE)
    assert_refused(command("train", f"data.workers={workers}"), crowd / PICTURE, words)


@pytest.mark.parametrize("split", ["train", "val"])
def test_missing_pictures_are_counted_before_training(command, crowd: Path, split: str) -> None:
    """One at a time, each after some steps, would be a restart for each."""
    for path in (crowd / PICTURE.replace("train", split)).parent.iterdir():
        path.unlink()
    done = command("train", "train.validate_every=1")
    assert_refused(done, "pictures are not there, the first: picture", "check the folder of pictures")


def test_a_faulty_test_picture_is_named(command, crowd: Path, tiny_weights: Path) -> None:
    path = crowd / PICTURE.replace("train", "val")
    path.write_bytes(path.read_bytes()[:2000])
    assert_refused(command("test", "--weights", tiny_weights), path, "is cut off")


def turned_by_exif(jpeg: bytes) -> bytes:
    """The same pixels, with a note that says: turn me by 90 degrees."""
    tiff = b"II*\0\x08\0\0\0\x01\0" + b"\x12\x01\x03\0\x01\0\0\0" + bytes([6, 0, 0, 0]) + b"\0\0\0\0"
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]


def as_png(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


@pytest.mark.parametrize(
    "convert",
    [
        lambda data: as_png(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)),
        lambda data: as_png(cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), 1), cv2.COLOR_BGR2BGRA)),
        lambda data: as_png(cv2.imdecode(np.frombuffer(data, np.uint8), 1).astype(np.uint16) * 257),
        turned_by_exif,
    ],
    ids=["grey", "RGBA", "16-bit", "EXIF"],
)
def test_unusual_pictures_are_pictures(command, crowd: Path, tmp_path: Path, tiny_weights: Path, convert) -> None:
    """Joints are found where they are in the plain JPEG, up to what grey takes away."""
    found = []
    for spoil in (False, True):
        for path in (crowd / "images/val2017").iterdir():
            path.write_bytes(convert(path.read_bytes()) if spoil else path.read_bytes())
        status, _, said = command("test", "--weights", tiny_weights)
        assert status == 0, said
        rows = results_in(tmp_path)
        found.append(np.array([row["keypoints"] for row in rows]).reshape(len(rows), 17, 3))
    assert np.isfinite(found[1]).all()
    if convert is turned_by_exif:  # annotations count stored pixels
        np.testing.assert_array_equal(found[0], found[1])


def test_labels_of_upright_pictures_fit_pictures_that_are_stored_sideways(
    command, crowd: Path, tmp_path: Path, tiny_weights: Path
) -> None:
    """As telephones store them and labelling tools show them."""
    found = []
    for sideways in (False, True):
        for path in (crowd / "images/val2017").iterdir():
            picture = images.read(path)
            stored = np.rot90(picture) if sideways else picture
            jpeg = cv2.imencode(".jpg", stored[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
            path.write_bytes(turned_by_exif(jpeg) if sideways else jpeg)
        status, _, said = command("test", "--weights", tiny_weights)
        assert status == 0, said
        found.append(np.array([row["keypoints"] for row in results_in(tmp_path)]))
    assert np.median(np.abs(found[0] - found[1])) < 0.5


def test_a_cmyk_picture_is_a_picture(command, crowd: Path, tiny_weights: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for path in (crowd / "images/val2017").iterdir():
        image.open(path).convert("CMYK").save(path)
    status, _, said = command("test", "--weights", tiny_weights)
    assert status == 0, said


# Annotation files.


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "does not exist"),
        ("", "is empty"),
        ('{"images": [', "is not a whole JSON file"),
        ("[1, 2]", "is not in COCO format"),
        ('{"a": 1}', "lists no pictures"),
    ],
    ids=["missing", "empty", "cut off", "a list", "other keys"],
)
@pytest.mark.parametrize("name", [TRAIN_LABELS, TEST_LABELS])
def test_annotation_files_that_are_none(
    command, crowd: Path, tiny_weights: Path, name: str, content: str | None, words: str
) -> None:
    path = crowd / name
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    done = command("train") if name == TRAIN_LABELS else command("test", "--weights", tiny_weights)
    assert_refused(done, path, words)


def test_no_people_to_train_on(command, crowd: Path) -> None:
    change(crowd / TRAIN_LABELS, lambda labels: labels["annotations"].clear())
    assert_refused(command("train"), crowd / TRAIN_LABELS, "nobody has a box and a labelled joint")


def test_no_labelled_joint_to_train_on(command, crowd: Path) -> None:
    def unlabel(labels: Labels) -> None:
        for row in labels["annotations"]:
            row["keypoints"] = [0] * 51

    change(crowd / TRAIN_LABELS, unlabel)
    assert_refused(command("train"), crowd / TRAIN_LABELS, "nobody has a box and a labelled joint")


def test_no_people_to_test_on_is_an_empty_result(command, crowd: Path, tmp_path: Path, tiny_weights: Path) -> None:
    change(crowd / TEST_LABELS, lambda labels: labels["annotations"].clear())
    status, out, _ = command("test", "--weights", tiny_weights)
    assert status == 0
    assert "has no labels; results are in" in out
    assert (
        json.loads((tmp_path / "out/crowds/hrnet_small/tiny/results/keypoints_val2017_results.json").read_text()) == []
    )


def test_no_detected_boxes_are_zeros(command, tmp_path: Path, tiny_weights: Path) -> None:
    (tmp_path / "boxes.json").write_text("[]")
    status, out, _ = command("test", "--weights", tiny_weights, "--boxes", tmp_path / "boxes.json")
    assert status == 0
    assert "| 0.000 |" in out
    assert "nan" not in out


def test_boxes_of_another_set_are_refused(command, tmp_path: Path, tiny_weights: Path) -> None:
    box = {"image_id": 999, "category_id": 1, "bbox": [0, 0, 9, 9], "score": 1}
    (tmp_path / "boxes.json").write_text(json.dumps([box]))
    done = command("test", "--weights", tiny_weights, "--boxes", tmp_path / "boxes.json")
    assert_refused(done, tmp_path / "boxes.json", "has no box of use for ", "1 of a picture that is not asked for")


BAD_BOXES = {
    "zero": [10, 10, 0, 50],
    "negative": [10, 10, -20, 50],
    "outside": [500, 500, 50, 50],
    "left of it": [-90, 10, 50, 50],
    "none": None,
    "not a number": [float("nan"), 0, 5, 5],
}


def test_people_without_a_box_in_the_picture_are_left_out(
    command, crowd: Path, tmp_path: Path, tiny_weights: Path
) -> None:
    boxes = dict(BAD_BOXES)

    def spoil(labels: Labels) -> None:
        for row, box in zip(labels["annotations"], boxes.values(), strict=False):
            row["bbox"] = box

    change(crowd / TRAIN_LABELS, spoil)
    for name in ("none", "not a number"):  # the evaluator wants numbers in the file that it measures against
        del boxes[name]
    change(crowd / TEST_LABELS, spoil)
    status, _, said = command("train", "train.batch_size=1")
    assert status == 0, said
    assert "14/14 crops" in said  # of 20
    status, _, said = command("test", "--weights", tiny_weights)
    assert status == 0, said
    labels = json.loads((crowd / TEST_LABELS).read_text())
    kept = [row["id"] for row in labels["annotations"]][len(boxes) :]
    assert [row["annotation_id"] for row in results_in(tmp_path)] == kept


def test_a_wrong_number_of_joints_is_named(command, crowd: Path) -> None:
    def spoil(labels: Labels) -> None:
        annotations_of_first(labels)[0]["keypoints"] = [1, 2, 2] * 14

    change(crowd / TRAIN_LABELS, spoil)
    assert_refused(command("train"), crowd / TRAIN_LABELS, "annotation 1 has 14 joints", "coco has 17")


# Settings and weights.


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.epoch=3", "unknown setting train.epoch; did you mean train.epochs?"),
        ("model.image_size=[100, 64]", "not divisible by 32"),
        ("train.lr_steps=[1", "the value is not YAML"),
        ("model.backbone=vgg", "unknown backbone 'vgg'; there are hrnet_w32"),
        ("model.variant=best", "unknown variant 'best'; there are rdpose"),
        ("data.skeleton=horse", "horse"),
        ("data.train=[]", "data.train names no annotation files"),
        ("model.init=nowhere.safetensors", "nowhere.safetensors"),
    ],
)
def test_settings_that_do_not_fit(command, override: str, words: str) -> None:
    assert_refused(command("train", override), words)


def test_a_run_folder_that_cannot_be_made_is_named(command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert_refused(command("train", f"output_dir={tmp_path / 'file'}"), tmp_path / "file")


def test_a_missing_settings_file_is_named(capsys) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["train", "nowhere.yaml"])
    assert_refused((int(end.value.code or 0), *capsys.readouterr()), "there is no settings file nowhere.yaml")


def save(path: Path, tiny_config: Path, *overrides: str, num_joints: int = 17, skeleton: str = "coco") -> Path:
    """Weights whose settings and tensors need not agree."""
    settings = loading.load(tiny_config, overrides)
    network = builders.build("hrnet_small", "rdpose", num_joints=num_joints)
    native.save_weights(path, network.state_dict(), settings, skeletons.get(skeleton))
    return path


def test_weights_of_another_network_are_named(command, tiny_config: Path, tmp_path: Path) -> None:
    plain = save(tmp_path / "plain.safetensors", tiny_config, "model.variant=plain")
    assert_refused(command("test", "--weights", plain), plain, "does not fit this network", "not known here")
    fewer = save(tmp_path / "fewer.safetensors", tiny_config, num_joints=11)
    assert_refused(command("test", "--weights", fewer), fewer, "of another shape (head.weight, head.bias)")


def test_weights_of_other_joints_are_named(command, tiny_config: Path, tmp_path: Path) -> None:
    crowdpose = save(tmp_path / "crowdpose.safetensors", tiny_config, num_joints=14, skeleton="crowdpose")
    assert_refused(command("test", "--weights", crowdpose), crowdpose, "14 joints of crowdpose", "17 of coco")


def test_weights_that_are_none(command, tiny_weights: Path, tmp_path: Path) -> None:
    assert_refused(command("test"), "model_best.safetensors")
    cut, pickled = tmp_path / "cut.safetensors", tmp_path / "pickled.pth"
    cut.write_bytes(tiny_weights.read_bytes()[:5000])
    torch.save({"a": torch.zeros(1)}, pickled)
    assert_refused(command("test", "--weights", cut), cut, "safetensors file")
    assert_refused(command("test", "--weights", pickled), pickled)


def test_a_loss_that_is_no_number(command, tmp_path: Path) -> None:
    done = command("train", "train.lr=1e30", "train.epochs=3", "train.optimizer=sgd")
    assert_refused(done, "the loss is no longer a number in epoch 1", "lower train.lr", "and start again")
