"""Shared fixtures: real data and golden outputs where they are present, small data sets that the tests write."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rdpose.config import loading
from rdpose.config.schema import Settings
from rdpose.data import synthetic
from rdpose.utils.command_line import show_messages

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("RDPOSE_SHARED", REPOSITORY.parent / "shared"))
TINY = """
model: {backbone: hrnet_small, variant: rdpose, image_size: [64, 96]}
data:
  dataset: crowds
  workers: 0
  max_neighbours: 3
  train: [{annotations: annotations/person_keypoints_train2017.json, images: images/train2017}]
  test: {annotations: annotations/person_keypoints_val2017.json, images: images/val2017}
loss: {reduction: map_sum}
train: {epochs: 1, batch_size: 4, optimizer: adamw, validate_every: 0}
test: {boxes: truth, batch_size: 8}
"""
show_messages()  # as commands do: tests of what they call read it from standard error


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real pictures and annotation files; skips where it is not on this machine."""
    if not (SHARED / "data").is_dir():
        pytest.skip("needs ../shared/data (real pictures); set RDPOSE_SHARED to its parent folder")
    return SHARED / "data"


@pytest.fixture
def recipes(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the recipes, whose scripts a test may import."""
    monkeypatch.syspath_prepend(str(REPOSITORY / "recipes"))
    return REPOSITORY / "recipes"


@pytest.fixture(scope="session")
def golden() -> Path:
    """The published implementations' answers, as kept in the tests."""
    return Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def tiny_crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered COCO data set, 8 pictures to train on and 6 to test on: its root. Not to be written into."""
    root = tmp_path_factory.mktemp("crowd")
    for seed, (name, count) in enumerate({"train2017": 8, "val2017": 6}.items()):
        synthetic.write_dataset(root, num_pictures=count, seed=seed, num_people=(2, 3), size_wh=(160, 120), name=name)
    return root


@pytest.fixture(scope="session")
def tiny_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A settings file for `tiny_crowd`: a small network that sees its people once."""
    path = tmp_path_factory.mktemp("config") / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture
def tiny_settings(tiny_config: Path, tiny_crowd: Path, tmp_path: Path) -> Callable[..., Settings]:
    """Settings of `tiny_config` that write into `tmp_path`, with overrides: `tiny_settings("train.epochs=2")`."""

    def settings(*overrides: str) -> Settings:
        return loading.load(tiny_config, [f"data.root={tiny_crowd}", f"output_dir={tmp_path}", *overrides])

    return settings


@pytest.fixture(scope="session")
def tiny_weights(tiny_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of `tiny_config`'s network, which has learnt nothing but differs for every input."""
    import torch

    from rdpose import skeletons
    from rdpose.checkpoints import native
    from rdpose.models import builders

    torch.manual_seed(0)
    settings = loading.load(tiny_config)
    network = builders.build(settings.model.backbone, settings.model.variant, num_joints=17)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    native.save_weights(path, network.state_dict(), settings, skeletons.COCO_17)
    return path
