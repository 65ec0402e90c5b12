"""The examples run as they are, with a tiny network that knows nothing."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from rdpose import drawing, skeletons
from rdpose.checkpoints import native
from rdpose.config.schema import ModelSettings, Settings
from rdpose.data.synthetic.walking import walk
from rdpose.models import builders

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
ARGUMENTS = {
    "one_picture.py": "frame0.png found.jpg --box 10 10 60 100 --box 40 10 100 110",
    "follow_people.py": "walk.mp4 --frames 3",
    "own_detector.py": "frame0.png frame1.png frame2.png",
    "own_backbone.py": "--out own_backbone",
}
SAID = {"one_picture.py": "Poses(2 people", "follow_people.py": "people in walk.mp4", "own_detector.py": "frame2.png: "}
SAID["own_backbone.py"] = "PoseEstimator(own_backbone:make rdpose of model.onnx"
WRITTEN = {"one_picture.py": ["found.jpg"], "follow_people.py": ["walk.mp4"], "own_detector.py": []}
WRITTEN["own_backbone.py"] = ["own_backbone/model.onnx"]
TRAINS = ("own_backbone.py",)
"""Those that make weights of their own."""


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


def test_every_example_is_tried() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(ARGUMENTS)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_it_runs(name: str, weights: Path, frames, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    for index, frame in enumerate(frames):
        drawing.save(f"frame{index}.png", frame)
    monkeypatch.syspath_prepend(EXAMPLES)  # as python does, and runpy does not
    given = [] if name in TRAINS else ["--weights", str(weights)]
    monkeypatch.setattr(sys, "argv", [name, *ARGUMENTS[name].split(), *given])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    assert SAID[name] in capsys.readouterr().out
    assert all(Path(file).stat().st_size > 500 for file in WRITTEN[name])
