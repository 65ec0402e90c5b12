"""The examples run as they are, with a tiny network that knows nothing."""

from __future__ import annotations

import json
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from rdpose import drawing, skeletons
from rdpose.checkpoints import native
from rdpose.config import loading
from rdpose.config.schema import ModelSettings, Settings
from rdpose.data.synthetic.walking import walk
from rdpose.engine import trainer
from rdpose.models import builders

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
ARGUMENTS = {
    "one_picture.py": "frame0.png found.jpg --box 10 10 60 100 --box 40 10 100 110",
    "follow_people.py": "walk.mp4 --frames 3",
    "own_detector.py": "frame0.png frame1.png frame2.png",
    "own_backbone.py": "--out own_backbone",
    "own_set.py": "--out data/own --num 10",
}
SAID = {"one_picture.py": "Poses(2 people", "follow_people.py": "people in walk.mp4", "own_detector.py": "frame2.png: "}
SAID["own_backbone.py"] = "PoseEstimator(own_backbone:make rdpose of model.onnx"
WRITTEN = {"one_picture.py": ["found.jpg"], "follow_people.py": ["walk.mp4"], "own_detector.py": []}
WRITTEN["own_backbone.py"] = ["own_backbone/model.onnx"]
SAID["own_set.py"], WRITTEN["own_set.py"] = "people in 2 pictures", ["data/own/train.json", "data/own/val.json"]
WITHOUT_WEIGHTS = ("own_backbone.py", "own_set.py")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = builders.build("hrnet_small", "rdpose", num_joints=17)
    settings = Settings(model=ModelSettings(backbone="hrnet_small", variant="rdpose", image_size=(32, 64)))
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    native.save_weights(path, network.state_dict(), settings, skeletons.COCO_17)
    return path


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    seen = walk(np.random.default_rng(0), num_people=2, num_frames=21, fps=10, size_wh=(160, 120))
    return [walked.scene.picture for index, walked in enumerate(seen) if index % 10 == 0]


def test_the_walk_through_of_own_data_trains_on_what_its_example_renders(tmp_path: Path, monkeypatch, capsys) -> None:
    """In a folder that holds nothing else; the settings block of the page is the file's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["own_set.py"])
    runpy.run_path(str(EXAMPLES / "own_set.py"), run_name="__main__")
    file = EXAMPLES.parent / "experiments/own/rendered.yaml"
    settings = loading.load(file, ["train.epochs=1", "test.flip=false"])
    weights = trainer.train(settings)
    assert weights == Path("output/own/mobilenet_fpn/rendered/model_best.safetensors")
    assert "boxes" not in capsys.readouterr().err
    page = (EXAMPLES.parent / "docs/own-data.md").read_text()
    (block,) = (text for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "dataset: own" in text)
    written = yaml.safe_load(file.read_text())
    del written["data"]["workers"]
    assert yaml.safe_load(block) == written


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # a page may open files in one line
def test_boxes_of_labelled_joints_end_where_their_picture_does(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    person = {"image_id": 7, "keypoints": [1, 2, 2, 99, 58, 2, 0, 0, 0]}
    Path("labels.json").write_text(
        json.dumps({"images": [{"id": 7, "width": 100, "height": 60}], "annotations": [person]})
    )
    page = (EXAMPLES.parent / "docs/own-data.md").read_text()
    (snippet,) = (text for text in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "margin" in text)
    exec(snippet, {})
    assert json.loads(Path("labels.json").read_text())["annotations"][0]["bbox"] == [0, 0, 100, 60]


def test_every_example_is_tried() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(ARGUMENTS)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_it_runs(name: str, weights: Path, frames, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    for index, frame in enumerate(frames):
        drawing.save(f"frame{index}.png", frame)
    monkeypatch.syspath_prepend(EXAMPLES)  # as python does, and runpy does not
    given = [] if name in WITHOUT_WEIGHTS else ["--weights", str(weights)]
    monkeypatch.setattr(sys, "argv", [name, *ARGUMENTS[name].split(), *given])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    assert SAID[name] in capsys.readouterr().out
    assert all(Path(file).stat().st_size > 500 for file in WRITTEN[name])
