"""Backbones of a user's own: trained by name, and never loaded because a weights file says so."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import rdpose
from rdpose import cli, export, skeletons
from rdpose.checkpoints import native
from rdpose.config.schema import ModelSettings, Settings
from rdpose.drawing import save
from rdpose.engine import tester, trainer
from rdpose.models import builders, user_backbone

MODULE = "a_users_module"
CODE = """
import torch
from pathlib import Path
Path(__file__).with_name("was_run").touch()
number = 3

def make():
    module = torch.nn.Conv2d(3, 5, 4, stride=4)
    module.channels, module.stride = 5, 4
    return module

def nothing():
    return None
"""


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with a user's module, and the file that is there once its code has run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / f"{MODULE}.py").write_text(CODE)
    (tmp_path / "broken_module.py").write_text("import a_package_that_is_not_there\n")
    save(tmp_path / "a.png", np.full((60, 40, 3), 90, np.uint8))
    yield tmp_path / "was_run"
    sys.modules.pop(MODULE, None)


@pytest.fixture
def weights(ran: Path) -> Path:
    """A file whose network is built on the module, written without running it."""
    backbone = nn.Conv2d(3, 5, 4, stride=4)
    backbone.channels, backbone.stride = 5, 4  # type: ignore
    torch.manual_seed(0)
    network = builders.build(backbone, "rdpose", num_joints=17)
    settings = Settings(model=ModelSettings(backbone=f"{MODULE}:make", image_size=(32, 64)))
    path = ran.with_name("own.safetensors")
    native.save_weights(path, network.state_dict(), settings, skeletons.COCO_17)
    return path


def test_a_training_by_name_leaves_weights_that_load(
    tiny_settings: Callable[..., Settings], ran: Path, tmp_path: Path
) -> None:
    settings = tiny_settings(f"model.backbone={MODULE}:make")
    path = trainer.train(settings)
    assert path.parent == tmp_path / "crowds" / f"{MODULE}.make" / "tiny"
    name = f"{MODULE}:make"
    assert len(rdpose.load(path, backbone=name)(tmp_path / "a.png", [[2, 2, 30, 50]])) == 1
    scores = tester.test_weights(settings, path)  # the settings name it, too
    assert scores is not None
    assert scores.name.startswith(f"{name} rdpose")


@pytest.mark.parametrize(
    "command",
    [
        ("predict", "a.png", "--weights", "own.safetensors", "--detector", "whole"),
        ("export", "--weights", "own.safetensors"),
        ("test", "CONFIG", "--weights", "own.safetensors"),
    ],
    ids=lambda command: command[0],
)
def test_a_weights_file_runs_no_code_until_a_person_names_it(
    command: tuple[str, ...], weights: Path, ran: Path, tiny_config: Path, tiny_crowd: Path, capsys
) -> None:
    words = [str(tiny_config) if word == "CONFIG" else word for word in command]
    words += [f"data.root={tiny_crowd}", "output_dir=out"] if "CONFIG" in command else []
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("rdpose: own.safetensors is built on a backbone that is not part of rdpose")
    assert f"--backbone {MODULE}:make" in said
    assert not ran.exists()
    with pytest.raises(SystemExit) as end:
        cli.main([*words, "--backbone", f"{MODULE}:make"])
    assert end.value.code == 0, capsys.readouterr().err
    assert ran.exists()


def test_load_takes_the_function_and_refuses_the_name_that_stands_in_the_file_alone(
    weights: Path, ran: Path, tiny_weights: Path
) -> None:
    with pytest.raises(ValueError, match=rf"if you trust its code, name it: .*backbone='{MODULE}:make' in Python"):
        rdpose.load(weights)
    with pytest.raises(ValueError, match="if you trust its code"):
        export.export(weights)
    assert not ran.exists()

    def make() -> nn.Module:
        backbone = nn.Conv2d(3, 5, 4, stride=4)
        backbone.channels, backbone.stride = 5, 4  # type: ignore
        return backbone

    assert len(rdpose.load(weights, backbone=make)(np.zeros((60, 40, 3), np.uint8), [[2, 2, 30, 50]])) == 1
    assert not ran.exists()
    with pytest.raises(ValueError, match=r"tiny\.safetensors is built on hrnet_small, which comes with rdpose"):
        rdpose.load(tiny_weights, backbone=make)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.at_all:make", "there is no module nowhere.at_all; install it, or work in the folder"),
        (f"{MODULE}.py:make", f"there is no module {MODULE}.py"),
        ("a/path.py:make", r"'a/path.py:make' is no package\.module:factory"),
        (f"{MODULE}:", r"is no package\.module:factory"),
        (f"{MODULE}:mkae", f"the module {MODULE} has no function mkae"),
        (f"{MODULE}:number", f"the module {MODULE} has no function number"),
        (f"{MODULE}:nothing", f"the backbone {MODULE}:nothing gives a NoneType"),
    ],
)
def test_what_is_wrong_with_a_name_is_a_sentence(ran: Path, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        user_backbone.load(name)


def test_errors_inside_the_module_are_pythons_own(ran: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_not_there"):
        user_backbone.load("broken_module:make")


def test_building_alone_loads_nothing(ran: Path) -> None:
    with pytest.raises(ValueError, match=r"one of your own package\.module:factory"):
        builders.build(f"{MODULE}:make", "rdpose", num_joints=17)
    assert not ran.exists()
