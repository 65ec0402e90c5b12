"""The command from sources to files: names, boxes, duplicates, faults, videos, interruptions."""

from __future__ import annotations

import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

import rdpose
from rdpose import cli, skeletons, structures
from rdpose.checkpoints import native
from rdpose.config.schema import ModelSettings, Settings
from rdpose.data.synthetic.walking import walk
from rdpose.evaluation import evaluate, misassignment
from rdpose.inference.tracking import Tracker
from rdpose.io import heif, images
from rdpose.io.video import Video, VideoWriter
from rdpose.models import builders
from rdpose.predict.job import Look
from rdpose.predict.run import predict
from rdpose.predict.writers import ResultsFile, check_free
from rdpose.report import write

SKELETON = skeletons.COCO_17
BOXES = [[5, 5, 30, 50], [30, 10, 25, 45]]
# EXIF with orientation 6: turn right by 90 degrees
EXIF = (
    b"\xff\xe1\x00\x22Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
    + bytes(4)
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = builders.build("hrnet_small", "rdpose", num_joints=SKELETON.num_joints)
    settings = Settings(model=ModelSettings(backbone="hrnet_small", variant="rdpose", image_size=(32, 64)))
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    native.save_weights(path, network.state_dict(), settings, SKELETON)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, one of them turned by EXIF."""
    rng, path = np.random.default_rng(0), tmp_path / "pictures"
    path.mkdir()
    for name in ("000000000007.jpg", "000000000008.jpg", "other.png"):
        cv2.imwrite(str(path / name), rng.integers(0, 256, (60, 80, 3), np.uint8))
    turned = path / "000000000008.jpg"
    data = turned.read_bytes()
    turned.write_bytes(data[:2] + EXIF + data[2:])
    return path


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "street.mp4"
    with VideoWriter(path, fps=10) as writer:
        for index, frame in enumerate(walk(np.random.default_rng(0), num_people=2, num_frames=12, size_wh=(96, 72))):
            writer.write(frame.scene.picture, index / 10)
    return path


def write_boxes(path: Path, rows: list[dict]) -> Path:
    path.write_text(json.dumps([{"bbox": box, "score": 0.9} | row for row in rows for box in BOXES]))
    return path


def read(path: Path) -> list[dict]:
    return json.loads(path.read_text())


def test_a_folder_of_pictures(weights: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary = predict([str(folder)], weights=weights, out=out, heatmaps=True, detector="whole")
    assert summary.files == (out / "results.json",)
    assert (summary.num_people, summary.num_unreadable, summary.interrupted) == (3, 0, False)
    assert summary.lines == ("3 people in 3 pictures",)
    names = ["000000000007.jpg", "000000000008.jpg", "other.png"]
    rows = read(out / "results.json")
    assert [row["file_name"] for row in rows] == [row["image_id"] for row in rows] == names
    found = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert found == {"results.json", *names, *(f"heatmaps/{name}" for name in names)}
    assert images.read(out / names[0]).shape == (60, 80, 3)
    assert images.read(out / names[1]).shape == (80, 60, 3)  # upright
    assert list(structures.read_results(out / "results.json")) == names


def test_a_zip_of_pictures(weights: Path, folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pics.zip", "w") as file:
        for path in folder.iterdir():
            file.write(path, path.name)
    boxes = write_boxes(tmp_path / "boxes.json", [{"image_id": 7}, {"file_name": "other.png"}])
    summary = predict([str(tmp_path / "pics.zip")], weights=weights, out=tmp_path / "out", boxes=boxes)
    assert (len(summary.files), summary.num_unreadable) == (1, 0)
    rows = read(tmp_path / "out/results.json")
    assert {row["file_name"] for row in rows} == {"pics.zip@000000000007.jpg", "pics.zip@other.png"}
    assert (tmp_path / "out/pics.zip@other.png").is_file()


def test_results_have_the_category_of_the_boxes_file(weights: Path, folder: Path, tmp_path: Path) -> None:
    """So that they can be measured beside it: Label Studio counts categories from 0, CVAT's third label is 3."""
    category = {"id": 3, "name": "tool", "keypoints": list(SKELETON.joints)}
    person = {"id": 0, "image_id": 0, "category_id": 3, "bbox": BOXES[0], "keypoints": [9, 9, 2] * 17, "area": 900}
    truth = {"images": [{"id": 0, "file_name": "other.png"}], "categories": [category], "annotations": [person]}
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    predict([str(folder)], weights=weights, out=tmp_path / "out", boxes=tmp_path / "truth.json")
    assert [(row["image_id"], row["category_id"]) for row in read(tmp_path / "out/results.json")] == [(0, 3)]
    evaluate(tmp_path / "out/results.json", tmp_path / "truth.json")


def test_results_of_annotations_say_whose_they_are(weights: Path, folder: Path, tmp_path: Path) -> None:
    """So that `eval` and `report` of them count who is misassigned; nobody labelled is left out as a duplicate."""
    category = {"id": 1, "name": "person", "keypoints": list(SKELETON.joints)}
    boxes = [BOXES[0], BOXES[0], [BOXES[0][0] + 1, *BOXES[0][1:]]]
    people = [
        {"id": 40 + number, "image_id": 0, "category_id": 1, "bbox": box, "keypoints": [9, 9, 2] * 17, "area": 900}
        for number, box in enumerate(boxes)
    ]
    truth = {"images": [{"id": 0, "file_name": "other.png"}], "categories": [category], "annotations": people}
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    predict([str(folder)], weights=weights, out=tmp_path / "out", boxes=tmp_path / "truth.json", draw=False)
    rows = read(tmp_path / "out/results.json")
    assert sorted((row["annotation_id"], row["box"]) for row in rows) == list(zip((40, 41, 42), boxes, strict=True))
    counted = misassignment(tmp_path / "out/results.json", tmp_path / "truth.json")
    assert counted.num_with_neighbours == 3
    write(([tmp_path / "out/results.json"]), tmp_path / "truth.json", None, tmp_path / "report.html")
    assert f"results: {counted.num_misassigned} of 3 poses." in (tmp_path / "report.html").read_text()
    own = write_boxes(tmp_path / "boxes.json", [{"file_name": "other.png", "id": 7}])
    predict([str(folder)], weights=weights, out=tmp_path / "own", boxes=own, draw=False)
    assert all("annotation_id" not in row for row in read(tmp_path / "own/results.json"))


def test_boxes_by_number_and_by_name(weights: Path, folder: Path, tmp_path: Path, capsys) -> None:
    boxes = write_boxes(tmp_path / "boxes.json", [{"image_id": 7}, {"file_name": "other.png"}])
    predict([str(folder)], weights=weights, out=tmp_path / "out", boxes=boxes, keep_duplicates=True, draw=False)
    rows = read(tmp_path / "out/results.json")
    assert [row["image_id"] for row in rows] == [7, 7, "other.png", "other.png"]
    assert "1 of 3 pictures have no boxes in the file: 000000000008.jpg" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["results.json"]


@pytest.mark.parametrize(
    ("boxes", "score", "people", "told"),
    [
        ([[5, 5, 30, 50], [30, 10, 70, 45], [500, 5, 30, 40]], 0.9, 2, "2 of 3 boxes end beyond their picture"),
        ([[0.1, 0.1, 0.5, 0.8]], 0.9, 1, "1 of 1 boxes are smaller than 2 pixels"),
        ([[5, 5, 30, 50], [1, 2, 1e30, 1e30]], 0.1, 0, "2 boxes lie below --min-score 0.45 (the best 0.10) and were"),
        ([[1, 2, 1e30, 1e30]], 0.9, 1, "1 of 1 boxes end beyond their picture"),
    ],
)
def test_boxes_that_cannot_be_meant_are_told(
    weights: Path, folder: Path, tmp_path: Path, boxes: list[list[float]], score: float, people: int, told: str
) -> None:
    (tmp_path / "boxes.json").write_text(json.dumps([{"image_id": 7, "bbox": box, "score": score} for box in boxes]))
    options = {"boxes": tmp_path / "boxes.json", "keep_duplicates": True, "draw": False}
    summary = predict([str(folder / "000000000007.jpg")], weights=weights, out=tmp_path / "out", **options)
    assert (summary.num_people, summary.num_unreadable) == (people, 0)
    assert f"{tmp_path / 'boxes.json'}: {told}" in "\n".join(summary.lines)


def test_duplicates_go_unless_kept(weights: Path, folder: Path, tmp_path: Path) -> None:
    picture = str(folder / "000000000007.jpg")
    rows = [{"image_id": 7, "bbox": [5, 5, 40, 50], "score": score} for score in (0.9, 0.8)]
    (tmp_path / "boxes.json").write_text(json.dumps(rows))
    options = {"weights": weights, "boxes": tmp_path / "boxes.json", "draw": False, "overwrite": True}
    counts = [predict([picture], out=tmp_path, keep_duplicates=kept, **options).num_people for kept in (False, True)]
    assert counts == [1, 2]


def test_unreadable_pictures_are_named_and_the_others_go_on(
    weights: Path, folder: Path, tmp_path: Path, capsys
) -> None:
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    (folder / "folder.jpg").mkdir()
    with pytest.raises(SystemExit) as end:
        cli.main(f"predict {folder} --weights {weights} --detector whole --out {tmp_path / 'out'}".split())
    assert end.value.code == 1
    told = capsys.readouterr().err
    assert "left out: " + str(folder / "broken.jpg") in told
    assert str(folder / "folder.jpg") in told
    assert told.endswith("3 people in 3 pictures\n2 sources could not be read and were left out\n")
    assert len(read(tmp_path / "out/results.json")) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"boxes": "boxes.json"},
            "boxes.json has no boxes of 000000000007.jpg and 2 more.*: its first are of 99; rows",
        ),
        ({"boxes": "cars.json"}, "cars.json has no boxes of .*: all 2 rows are of category 3, people are 1"),
        ({"boxes": "empty.json"}, r"empty.json has no boxes of .*: it is empty"),
        ({"boxes": "boxes.json", "detector": "dfine"}, "not by both"),
        ({"weights": "nothing.safetensors"}, r"nothing\.safetensors"),
    ],
)
def test_what_cannot_be_done_is_told_first(weights: Path, folder: Path, tmp_path: Path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    write_boxes(Path("boxes.json"), [{"image_id": 99}])
    write_boxes(Path("cars.json"), [{"image_id": 7, "category_id": 3}])
    write_boxes(Path("empty.json"), [])
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        predict([str(folder)], out=tmp_path / "out", **({"weights": weights} | options))


def test_a_video(weights: Path, street: Path, tmp_path: Path) -> None:
    boxes = write_boxes(tmp_path / "boxes.json", [{"image_id": index} for index in range(12)])
    summary = predict([str(street)], weights=weights, out=tmp_path, boxes=boxes, keep_duplicates=True)
    rows = read(tmp_path / "street.json")
    assert len(rows) == 24
    assert (summary.num_people, summary.lines) == (2, ("2 people in 12 frames of street.mp4",))
    assert [row["image_id"] for row in rows[::2]] == list(range(12))
    assert np.allclose([row["seconds"] for row in rows[::2]], np.arange(12) / 10, atol=1e-3)
    assert {row["track_id"] for row in rows} == {1, 2}
    with Video.open(tmp_path / "street.mp4") as video:
        assert [frame.picture.shape for frame in video] == [(72, 96, 3)] * 12
    with pytest.raises(ValueError, match="heatmaps are drawn of pictures"):
        predict([str(street)], weights=weights, out=tmp_path, heatmaps=True)


def test_a_video_that_cannot_be_read_is_left_out(weights: Path, street: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.mp4").write_bytes(b"no video")
    (tmp_path / "in/b.mp4").write_bytes(street.read_bytes())
    summary = predict([str(tmp_path / "in")], weights=weights, out=tmp_path / "out", detector="whole", draw=False)
    assert (summary.num_unreadable, summary.files) == (1, (tmp_path / "out/b.json",))
    assert "a.mp4 cannot be read as a video" in capsys.readouterr().err
    assert len(read(tmp_path / "out/b.json")) == 12


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_video_without_a_frame_counts_as_unreadable_a_shorter_one_does_not(
    weights: Path, street: Path, tmp_path: Path, capsys, share: float
) -> None:
    """The index stands at the front, so that a file without its end opens and says how long it was."""
    content = street.read_bytes()
    start = content.find(b"mdat") + 4
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(content[: start + round(share * (len(content) - start))])
    summary = predict([str(cut)], weights=weights, out=tmp_path / "out", draw=False)
    told = capsys.readouterr().err
    if share:
        assert (summary.num_unreadable, summary.files) == (0, (tmp_path / "out/cut.json",))
        assert "frames could be read; is it cut off?" in told
    else:
        assert (summary.num_unreadable, summary.files) == (1, ())
        assert f"left out: {cut}: not one frame can be read" in told
        assert not (tmp_path / "out").exists()


class Camera:
    """A camera of a few pictures, for OpenCV's; `happened` tells when each was taken."""

    def __init__(self, happened: list[str], count: int = 3) -> None:
        self.happened, self.left = happened, count

    def isOpened(self) -> bool:
        return True

    def get(self, _key: int) -> float:
        return 0.0

    def read(self) -> tuple[bool, np.ndarray]:
        self.left -= 1
        self.happened.append("taken" if self.left >= 0 else "end")
        return self.left >= 0, np.zeros((72, 96, 3), np.uint8)

    def release(self) -> None:
        self.happened.append("released")


def test_a_cameras_picture_is_answered_before_the_next_is_taken(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    update = Tracker.update
    answered = lambda self, poses, seconds: happened.append("answered") or update(self, poses, seconds)  # noqa: E731
    monkeypatch.setattr(Tracker, "update", answered)
    monkeypatch.setattr(cv2, "VideoCapture", lambda _source: Camera(happened))
    summary = predict(["0"], weights=weights, out=tmp_path / "out", detector="whole", draw=False)
    assert happened == [*["taken", "answered"] * 3, "end", "released"]
    assert len(read(tmp_path / "out/camera0.json")) == 3
    assert summary.lines == ("1 person in 3 frames of camera0",)
    assert "camera0: Ctrl-C ends it" in capsys.readouterr().err


@pytest.mark.parametrize(("conf", "style"), [("0.0", "person"), ("0.0", "chunhua"), ("1.1", "person")])
def test_poses_are_drawn_as_asked_for(weights: Path, folder: Path, tmp_path: Path, conf: str, style: str) -> None:
    options = ["--weights", weights, "--detector", "whole", "--batch-size", "1", "--out", tmp_path / "out"]
    source = folder / "other.png"
    with pytest.raises(SystemExit):
        cli.main(list(map(str, ["predict", source, *options, "--conf", conf, "--style", style])))
    picture = images.read(source)
    (poses,) = structures.read_results(tmp_path / "out/results.json").values()
    drawn = images.read(tmp_path / "out/other.png")
    assert np.array_equal(drawn, structures.draw(picture, poses, min_confidence=float(conf), style=style))
    assert np.array_equal(drawn, picture) == (conf == "1.1")


def test_drawing_that_cannot_be_is_told(weights: Path, folder: Path, street: Path, tmp_path: Path, capsys) -> None:
    def told(*arguments: str | Path) -> str:
        with pytest.raises(SystemExit) as end:
            cli.main(["predict", *map(str, arguments), "--weights", str(weights), "--out", str(tmp_path / "out")])
        assert end.value.code == 1
        return capsys.readouterr().err

    assert "there is no style 'nice' of drawing; there are person, side" in told(folder, "--style", "nice")
    assert "--show is for videos and cameras, and " in told(folder, "--show")
    assert "batch_size is 0: give 1 or more" in told(folder, "--batch-size", "0")
    if re.search(r"GUI:\s+NONE", cv2.getBuildInformation()):
        assert "opencv-python-headless does not have: pip uninstall opencv-python-headless" in told(street, "--show")
    assert not (tmp_path / "out").exists()


def test_a_video_is_shown_until_q(weights: Path, street: Path, tmp_path: Path, monkeypatch) -> None:
    shown: list[np.ndarray] = []
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "GUI: QT5")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "imshow", lambda _title, picture: shown.append(picture))
    monkeypatch.setattr(cv2, "waitKey", lambda _milliseconds: ord("q") if len(shown) == 2 else -1)
    monkeypatch.setattr(cv2, "destroyAllWindows", lambda: shown.append(np.zeros(0)))
    summary = predict([str(street)], weights=weights, out=tmp_path, detector="whole", draw=False, look=Look(show=True))
    assert summary.interrupted
    assert shown[0].shape == (72, 96, 3)
    assert shown[-1].size == 0
    assert len(shown) < 12


def test_each_video_has_its_own_boxes(weights: Path, street: Path, tmp_path: Path, capsys) -> None:
    videos = [tmp_path / name for name in ("a.mp4", "b.mp4", "c.mp4")]
    for video in videos:
        video.write_bytes(street.read_bytes())
    rows = [{"file_name": "a.mp4", "image_id": index} for index in range(12)] + [{"file_name": "c.mp4"}]
    boxes = write_boxes(tmp_path / "boxes.json", rows)
    predict(list(map(str, videos)), weights=weights, out=tmp_path / "out", boxes=boxes, draw=False)
    counts = [len({row["image_id"] for row in read(tmp_path / f"out/{video.stem}.json")}) for video in videos]
    assert counts == [12, 0, 12]
    told = capsys.readouterr().err
    assert "b.mp4: " + str(boxes) + " has no boxes of its frames: its first are of a.mp4/0; rows name" in told
    assert "a.mp4: " not in "".join(line for line in told.splitlines() if "frames/s" not in line)


def test_a_local_server(weights: Path, folder: Path, street: Path, tmp_path: Path) -> None:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            if self.path != "/cut.png":
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"\x89PNG")
            return None

    (folder / "street.mp4").write_bytes(street.read_bytes())
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        sources = [f"{address}/other.png", f"{address}/nothing.png", f"{address}/cut.png", f"{address}/street.mp4"]
        summary = predict(sources, weights=weights, out=tmp_path / "out", detector="whole", draw=False)
        server.shutdown()
    assert summary.num_unreadable == 2
    assert [row["image_id"] for row in read(tmp_path / "out/results.json")] == ["other.png"]
    assert len(read(tmp_path / "out/street.json")) == 12


@pytest.mark.parametrize("source", ["7", "http://127.0.0.1:9/live/"])
def test_a_failed_camera_or_address_ends_with_its_own_error(weights: Path, tmp_path: Path, source: str, capfd) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["predict", source, "--weights", str(weights), "--out", str(tmp_path / "out")])
    assert end.value.code == 1
    (told,) = capfd.readouterr().err.splitlines()
    assert told.startswith(f"left out: {'camera 7' if source == '7' else source} cannot be read as a video; check")


def test_nothing_is_overwritten_unless_asked(weights: Path, folder: Path, street: Path, tmp_path: Path) -> None:
    out, options = tmp_path / "out", {"weights": weights, "detector": "whole"}
    for source in (folder / "other.png", street):
        predict([str(source)], out=out, **options)
    before = {path: path.read_bytes() for path in out.iterdir()}
    remedy = "is there already: add --overwrite, or name another folder by --out"
    for source, place in ((folder, "results.json"), (street, "street.json")):
        with pytest.raises(ValueError, match=rf"out/{re.escape(place)} {remedy}"):
            predict([str(source)], out=out, **options)
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    (out / "results.json").rename(out / "results.jsonl")
    with pytest.raises(ValueError, match=r"results\.jsonl has the results of a run that was cut short: add"):
        predict([str(folder / "000000000007.jpg")], out=out, **options)
    (out / "results.jsonl").unlink()
    with pytest.raises(ValueError, match=rf"out/other\.png {remedy}"):
        predict([str(folder)], out=out, **options)
    predict([str(folder)], out=out, overwrite=True, **options)
    assert len(read(out / "results.json")) == 3


def test_a_kill_leaves_what_is_not_overwritten(tmp_path: Path) -> None:
    results = ResultsFile(tmp_path / "results.json")
    results.add([{"a": 1}])
    with pytest.raises(ValueError, match="cut short"):
        check_free(tmp_path, "1.jpg", is_picture=True, draw=False)
    check_free(tmp_path, "street.mp4", is_picture=False, draw=True)
    results.close()


def test_pictures_without_anybody_are_told(weights: Path, folder: Path, tmp_path: Path) -> None:
    """The bundled detector finds nobody in noise."""
    summary = predict([str(folder)], weights=weights, out=tmp_path / "out")
    assert (summary.num_people, summary.num_unreadable) == (0, 0)
    told = ("0 people in 3 pictures", "nobody in 000000000007.jpg, 000000000008.jpg, other.png")
    assert summary.lines[:2] == told
    assert read(tmp_path / "out/results.json") == []
    assert images.read(tmp_path / "out/other.png").shape == (60, 80, 3)


def test_people_are_found_where_nothing_else_is_said(shared_data: Path, tmp_path: Path) -> None:
    """With the bundled detector and network, by the command and in Python alike."""
    picture = min(shared_data.glob("samples/coco/*.jpg"))
    with pytest.raises(SystemExit) as end:
        cli.main(["predict", str(picture), "--out", str(tmp_path), "--device", "cpu"])
    assert end.value.code == 0
    rows = read(tmp_path / "results.json")
    assert rows
    poses = rdpose.load(device="cpu")(picture)
    assert [row["box"] for row in rows] == [row["box"] for row in poses.to_coco(1)]


@pytest.mark.parametrize("installed", [True, False])
def test_files_that_look_like_pictures_are_told(
    weights: Path, folder: Path, golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    if installed:
        pytest.importorskip("pi_heif")
    else:
        monkeypatch.setattr(heif, "reads_heic", lambda: False)
    for name in ("a.HEIC", "b.heic"):
        (folder / name).write_bytes((golden / "turned.heic").read_bytes())
    options = {"weights": weights, "detector": "whole", "draw": False, "overwrite": True, "out": tmp_path / "out"}
    summary = predict([str(folder)], **options)
    told = f"{folder}: 2 files look like pictures and cannot be read (2 .heic): pip install 'rdpose[heic]'"
    assert summary.lines == (("5 people in 5 pictures",) if installed else ("3 people in 3 pictures", told))
    (folder / "c.CR2").write_bytes(b"raw")
    number, kinds = (1, "1 .cr2") if installed else (3, "2 .heic, 1 .cr2")
    files = "file looks like a picture" if installed else "files look like pictures"
    told = f"{folder}: {number} {files} and cannot be read ({kinds}): convert {'it' if installed else 'them'} to JPEG"
    assert predict([str(folder)], **options).lines[-1] == told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interruption_loses_no_more_than_a_moment(weights: Path, tmp_path: Path, number: int) -> None:
    """Ctrl-C finishes both files; a kill leaves lines, and a video of all but the last half second."""
    with VideoWriter(tmp_path / "long.mp4", fps=10) as writer:
        for index in range(400):
            writer.write(np.full((48, 64, 3), index % 256, np.uint8), index / 10)
    out, command = tmp_path / "out", [sys.executable, "-m", "rdpose", "predict", str(tmp_path / "long.mp4")]
    running = subprocess.Popen(
        [*command, "--weights", str(weights), "--out", str(out), "--no-flip", "--no-zoom", "--detector", "whole"]
    )
    lines, deadline = out / "long.jsonl", time.monotonic() + 120
    while (not lines.exists() or lines.read_bytes().count(b"\n") < 20) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(running.pid, number)
    status = running.wait(180)
    if number == signal.SIGINT:
        assert status == 130
        assert not lines.exists()
        rows = read(out / "long.json")
    else:
        rows = [json.loads(line) for line in lines.read_text().splitlines()]
    assert 20 <= len(rows) < 400
    with av.open(str(out / "long.mp4")) as container:
        drawn = sum(1 for _ in container.decode(video=0))
    lost = 0 if number == signal.SIGINT else 6  # half a second, and one frame on its way
    assert len(rows) - lost <= drawn <= len(rows) + 1


def test_results_are_on_the_way_before_the_end(tmp_path: Path) -> None:
    with ResultsFile(tmp_path / "sub/results.json") as results:
        results.add([{"a": 1}, {"a": 2}])
        assert (tmp_path / "sub/results.jsonl").read_text() == '{"a": 1}\n{"a": 2}\n'
    assert read(tmp_path / "sub/results.json") == [{"a": 1}, {"a": 2}]
    with ResultsFile(tmp_path / "none.json"):
        pass
    assert read(tmp_path / "none.json") == []
    assert {path.name for path in tmp_path.rglob("*.json*")} == {"results.json", "none.json"}
