"""The command line: each command does its one thing; the family's scripts are the same commands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

import rdpose
from rdpose import cli
from rdpose.engine import trainer
from rdpose.predict import run as prediction

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture
def places(tiny_crowd: Path, tmp_path: Path) -> list[str]:
    return [f"data.root={tiny_crowd}", f"output_dir={tmp_path}"]


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path, status: int = 0) -> tuple[str, str]:
    """What a command line prints and says on standard error."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert end.value.code == status, captured.err
    return captured.out, captured.err


def test_train_test_and_eval(tiny_config: Path, places: list[str], tiny_crowd: Path, tmp_path: Path, capsys) -> None:
    folder = tmp_path / "crowds" / "hrnet_small" / "tiny"
    out, said = run(capsys, "train", tiny_config, *places)
    assert out == f"weights: {folder / 'final_state.safetensors'}\n"
    assert "training: 20/20 crops" in said
    weights = folder / "final_state.safetensors"
    table, said = run(capsys, "test", tiny_config, *places, "test.flip=no", "test.zoom=[nose]", "--weights", weights)
    assert "testing: " in said
    assert all(line.startswith(("|", "(")) for line in table.splitlines())  # `> table.md` gives a table
    assert "| hrnet_small rdpose 96x64, given boxes, no flip test, second look |" in table
    results = folder / "results" / "keypoints_val2017_results.json"
    labels = tiny_crowd / "annotations" / "person_keypoints_val2017.json"
    again, _ = run(capsys, "eval", results, "--annotations", labels)
    figures = [[row.split("|")[2:] for row in text.splitlines() if row.startswith("| ")][-1] for text in (table, again)]
    assert figures[0] == figures[1]


def test_a_training_tells_its_start_and_each_epoch(tiny_config: Path, places: list[str], capsys) -> None:
    options = ["train.epochs=2", "train.validate_every=2", "test.flip=no"]
    _, said = run(capsys, "train", tiny_config, *places, *options)
    begin = r"hrnet_small rdpose, [\d,]+ parameters, crops of 64x96, on \w+; 2 epochs of 5 steps of 4 crops"
    assert re.search(rf"^{begin}\ntraining on \d+ people in 8 pictures", said, re.MULTILINE)
    first, second = re.findall(r"^epoch \d/2: .*", said, re.MULTILINE)
    losses = r"loss [\d.]+, direct [\d.]+, decoupled [\d.]+, perturbed [\d.]+"
    assert re.fullmatch(rf"epoch 1/2: {losses}, lr 0.001, 0:\d\d", first)
    assert re.fullmatch(rf"epoch 2/2: {losses}, AP 0\.\d{{3}} \(best 0\.\d{{3}}\), lr 0.001, 0:\d\d", second)


def test_resume_goes_on(tiny_config: Path, places: list[str], tmp_path: Path, capsys) -> None:
    run(capsys, "train", tiny_config, *places)
    run(capsys, "train", tiny_config, *places, "--resume", "train.epochs=2")
    lines = (tmp_path / "crowds" / "hrnet_small" / "tiny" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]


def test_eval_tells_of_pictures_without_a_result(tiny_crowd: Path, tmp_path: Path, capsys) -> None:
    labels = tiny_crowd / "annotations" / "person_keypoints_val2017.json"
    people = json.loads(labels.read_text())["annotations"]
    rows = [{key: p[key] for key in ("image_id", "category_id", "keypoints")} | {"score": 1.0} for p in people]
    first = rows[0]["image_id"]
    results = {"few.json": [row for row in rows if row["image_id"] == first], "all.json": rows}
    for name, content in results.items():
        (tmp_path / name).write_text(json.dumps(content))
    num_pictures = len({person["image_id"] for person in people})
    table, said = run(capsys, "eval", tmp_path / "few.json", "--annotations", labels)
    assert f"few.json has no result for {num_pictures - 1} of the {num_pictures} pictures with labelled people" in said
    assert "few.json" not in table
    _, said = run(capsys, "eval", tmp_path / "all.json", "--annotations", labels)
    assert not said


def test_a_test_of_other_weights_leaves_the_runs_results(
    tiny_config: Path, places: list[str], tiny_weights: Path, tmp_path: Path, capsys
) -> None:
    folder = tmp_path / "crowds" / "hrnet_small" / "tiny"
    run(capsys, "train", tiny_config, *places)
    final = folder / "final_state.safetensors"
    _, said = run(capsys, "test", tiny_config, *places, "test.flip=no", "--weights", final)
    assert "whose results stay" not in said
    own = {path.name: path.read_bytes() for path in (folder / "results").iterdir()}
    other = folder / f"results_{tiny_weights.parent.name}_{tiny_weights.stem}"
    _, said = run(capsys, "test", tiny_config, *places, "test.flip=no", "--weights", tiny_weights)
    assert f"is not of the run {folder}, whose results stay: these go into {other}" in said
    assert {path.name: path.read_bytes() for path in (folder / "results").iterdir()} == own
    assert {path.name for path in other.iterdir()} == own.keys()


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("hrnet_w32_coco_256x192", "`rdpose weights hrnet_w32_coco_256x192` does it"),
        ("pose_resnet50_coco_256x192", "fetch pose_resnet_50_256x192.pth from https://"),
    ],
)
def test_public_weights_that_were_not_fetched_are_told(
    tiny_config: Path, places: list[str], tiny_crowd: Path, tmp_path: Path, monkeypatch, capsys, name: str, remedy: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORLD_SIZE", "2")  # a single process fetches those that have an address
    shutil.copy(next((tiny_crowd / "images/val2017").glob("*.jpg")), "a.jpg")
    for command in (["predict", "a.jpg", "--detector", "whole"], ["test", tiny_config, *places], ["export"]):
        _, said = run(capsys, *command, "--weights", name, status=1)
        assert f"rdpose: {name} is the name of public weights, which are not in models/pytorch/pose_coco/" in said
        assert remedy in said


def test_missing_boxes_say_where_they_come_from(
    tiny_config: Path, places: list[str], tiny_weights: Path, capsys
) -> None:
    given = ("test.boxes=detected", "data.test.boxes=person_detection_results/AP_56.json")
    _, said = run(capsys, "test", tiny_config, *places, *given, "--weights", tiny_weights, status=1)
    assert "person_detection_results/AP_56.json does not exist: fetch the file of detected boxes" in said
    assert "https://github.com/leoxiaobin/deep-high-resolution-net.pytorch" in said
    assert "test.boxes=truth" in said


def test_a_random_start_is_told_where_the_original_starts_from_imagenet(
    tiny_config: Path, places: list[str], capsys
) -> None:
    _, said = run(capsys, "train", tiny_config, *places, "model.backbone=resnet50", "model.image_size=[32,32]")
    assert "starting from random weights; published trainings start from ImageNet: `rdpose weights resnet50_im" in said
    _, said = run(capsys, "train", tiny_config, *places)
    assert "ImageNet" not in said


def test_boxes_are_detected_ones(
    tiny_config: Path, places: list[str], tiny_weights: Path, tmp_path: Path, capsys
) -> None:
    boxes = tmp_path / "my boxes #2" / "b.json"
    boxes.parent.mkdir()
    boxes.write_text(json.dumps([{"image_id": 2, "category_id": 1, "bbox": [10, 10, 50, 90], "score": 0.7}]))
    out, _ = run(capsys, "test", tiny_config, *places, "--weights", tiny_weights, "--boxes", boxes)
    assert "detected boxes" in out
    (row,) = json.loads((tmp_path / "crowds/hrnet_small/tiny/results/keypoints_val2017_results.json").read_text())
    assert row["image_id"] == 2


def test_show_draws_a_row_for_each_sample(tiny_config: Path, places: list[str], tmp_path: Path, capsys) -> None:
    heights = []
    for num in (1, 3):
        path = tmp_path / f"{num}.png"
        out, _ = run(capsys, "show", tiny_config, *places, "--out", path, "--num", num)
        assert out.strip() == str(path)
        heights.append(cv2.imread(str(path)).shape[0])
    assert 2 * heights[0] < heights[1] < 4 * heights[0]


def test_the_demo_goes_the_whole_way(tmp_path: Path) -> None:
    from rdpose import demo

    sizes, overrides = {"train2017": 6, "val2017": 6}, ["train.epochs=1", "model.image_size=[64, 96]"]
    tmp_path = tmp_path / "my demo #1"
    printed = "\n".join(demo.run(tmp_path, overrides=overrides, num_pictures=sizes))
    assert "| hrnet_small rdpose 96x64, given boxes, flip test |" in printed
    for name in ("photograph.jpg", "found.png", "decoupling.png"):
        assert str(tmp_path / name) in printed
        assert cv2.imread(str(tmp_path / name)).std() > 10
    assert cv2.imread(str(tmp_path / "photograph.jpg")).shape == (512, 1024, 3)
    assert (tmp_path / "output/crowds/hrnet_small/demo/final_state.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("predict", "a.jpg", "--device", "cuda:77"), "device cuda:77 cannot be used here"),
        (("predict", "a.jpg", "--device", "hpu"), "device hpu cannot be used here"),
        (("predict", "a.jpg", "--device", "foo"), "device foo cannot be used here"),
        (("show", "CONFIG", "--num", "0"), "num = 0: at least one person"),
    ],
)
def test_ordinary_mistakes_are_sentences(
    tiny_config: Path, places: list[str], tiny_crowd: Path, tmp_path: Path, monkeypatch, capsys, arguments, message
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(next((tiny_crowd / "images/val2017").glob("*.jpg")), "a.jpg")
    own = [tiny_config if argument == "CONFIG" else argument for argument in arguments]
    _, said = run(capsys, *own, *(places if tiny_config in own else ()), status=1)
    assert f"rdpose: {message}" in said


def test_a_training_tells_whom_it_trains_on(
    tiny_config: Path, places: list[str], tiny_crowd: Path, tmp_path: Path, capsys
) -> None:
    labels = json.loads((tiny_crowd / "annotations/person_keypoints_train2017.json").read_text())
    labels["annotations"][0]["bbox"] = [5, 5, 0, 9]
    labels["annotations"][1]["keypoints"] = [0] * 51
    (tmp_path / "spoilt.json").write_text(json.dumps(labels))
    pictures = tiny_crowd / "images/train2017"
    source = f"data.train=[{{annotations: {tmp_path / 'spoilt.json'}, images: {pictures}}}]"
    _, out = run(capsys, "train", tiny_config, *places, source, "train.epochs=1")
    count = len(labels["annotations"]) - 2
    (told,) = [line for line in out.splitlines() if line.startswith("training on")]
    assert told.startswith(f"training on {count} people in ")
    assert told.endswith(
        "(left out: 1 without a box, or one that is empty or outside its picture; 1 without labelled joints, or groups)"
    )


def test_joints_that_nobody_has_and_sides_are_told(
    tiny_config: Path, places: list[str], tiny_crowd: Path, tmp_path: Path, capsys
) -> None:
    """A joint that the training file calls otherwise would stay unlearnt in silence."""
    labels = json.loads((tiny_crowd / "annotations/person_keypoints_train2017.json").read_text())
    labels["categories"][0]["keypoints"][0] = "beak"
    (tmp_path / "other.json").write_text(json.dumps(labels))
    source = f"data.train=[{{annotations: {tmp_path / 'other.json'}, images: {tiny_crowd / 'images/train2017'}}}]"
    _, out = run(capsys, "train", tiny_config, *places, source, "train.epochs=1")
    (told,) = [line for line in out.splitlines() if line.startswith("training on")]
    assert told.endswith("; nobody has a label of nose")
    _, said = run(capsys, "show", tiny_config, *places, source, "--out", tmp_path / "show.png")
    assert "; nobody has a label of nose\nchange places in a mirrored crop: left_eye and right_eye, " in said


def test_who_is_left_out_of_a_test_is_told(
    tiny_config: Path, places: list[str], tiny_crowd: Path, tiny_weights: Path, tmp_path: Path, capsys
) -> None:
    labels = json.loads((tiny_crowd / "annotations/person_keypoints_val2017.json").read_text())
    labels["annotations"][0]["bbox"] = [5, 5, 0, 9]
    (tmp_path / "spoilt.json").write_text(json.dumps(labels))
    source = f"data.test={{annotations: {tmp_path / 'spoilt.json'}, images: {tiny_crowd / 'images/val2017'}}}"
    _, said = run(capsys, "test", tiny_config, *places, source, "--weights", tiny_weights)
    reason = "1 without a box, or one that is empty or outside its picture"
    assert f"left out of the test: {reason}; those with labels count as missed" in said


def test_an_interruption_says_how_to_go_on(tiny_config: Path, places: list[str], capsys, monkeypatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer.Run, "train_epoch", interrupted)
    _, said = run(capsys, "train", tiny_config, *places, status=130)
    assert said.splitlines()[-1] == "rdpose: interrupted; `rdpose train` goes on with --resume"
    monkeypatch.setattr(prediction, "predict", interrupted)
    _, said = run(capsys, "predict", "train", status=130)
    assert said.strip() == "rdpose: interrupted"


@pytest.mark.parametrize(("arguments", "said"), [(["trian"], "trian"), (["train"], "config")])
def test_wrong_usage_is_status_2(arguments: list[str], said: str, capsys) -> None:
    _, error = run(capsys, *arguments, status=2)
    assert said in error


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("predict", "a.jpg", "--boxs", "b.json"), 2, "--boxes"),
        (("--versoin",), 2, "--version"),
        (("train", "a.yaml", "--resum"), 1, "rdpose train has no option --resum; did you mean --resume?"),
        (("test", "a.yaml", "--weigths=b.pth"), 1, "rdpose test has no option --weigths; did you mean --weights?"),
        (("show", "a.yaml", "-q"), 1, "rdpose show has no option -q; `rdpose show --help` lists those"),
    ],
)
def test_unknown_options_are_told_with_the_nearest(arguments: tuple[str, ...], status: int, said: str, capsys) -> None:
    _, error = run(capsys, *arguments, status=status)
    assert said in error


def test_the_version_and_completion(capsys) -> None:
    out, _ = run(capsys, "--version")
    assert out.strip() == f"rdpose {rdpose.__version__}"
    out, _ = run(capsys, "--help")
    assert "--install-completion" in out
    assert "Top-down human pose estimation" in out


def test_short_names_of_out_and_weights(
    tiny_config: Path, places: list[str], tiny_weights: Path, tmp_path: Path, capsys
) -> None:
    out, _ = run(capsys, "show", tiny_config, *places, "-o", tmp_path / "a.png", "--num", "1")
    assert out.strip() == str(tmp_path / "a.png")
    run(capsys, "test", tiny_config, *places, "-w", tiny_weights)


IN_A_WORKER = "Caught ValueError in worker 0.\nOriginal Traceback (most recent call last):\n  x\nValueError: a.jpg\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("a.jpg is empty"), "a.jpg is empty"),
        (NotADirectoryError(20, "Not a directory", "file"), "[Errno 20] Not a directory: 'file'"),
        (ValueError(IN_A_WORKER), "a.jpg"),
    ],
)
def test_errors_are_told_in_their_own_words(error: Exception, said: str) -> None:
    assert cli.sentence(error) == said


def script(*arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, cwd=REPOSITORY, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_familys_scripts(tiny_config: Path, places: list[str], tiny_crowd: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    common = ["--cfg", tiny_config, "--modelDir", folder, *places[:1]]
    weights = (
        script("tools/train.py", *common, "TRAIN.BATCH_SIZE_PER_GPU", "8").splitlines()[-1].removeprefix("weights: ")
    )
    assert Path(weights).is_file()
    assert Path(weights).is_relative_to(folder)
    table = script("tools/test.py", *common, "TEST.MODEL_FILE", weights, "TEST.USE_GT_BBOX", "True")
    assert "given boxes" in table
    results = next(folder.rglob("keypoints_val2017_results.json"))
    images, labels = tiny_crowd / "images/val2017", tiny_crowd / "annotations/person_keypoints_val2017.json"
    options = ("--image-path", images, "--gt-anno", labels, "--num", "2", "--min-score", "0")
    script("visualization/plot_coco.py", "--prediction", results, "--save-path", tmp_path / "drawn", *options)
    assert len(list((tmp_path / "drawn").glob("*.png"))) == 2
