"""Files of weights and states: they come back as they were, damaged ones are refused, interruptions leave the old."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from rdpose.checkpoints import load as weight_files
from rdpose.checkpoints import native
from rdpose.config.schema import ModelSettings, Settings
from rdpose.io import files
from rdpose.models import builders
from rdpose.skeletons import COCO_17, CROWDPOSE_14

SETTINGS = Settings(name="mine", model=ModelSettings(backbone="hrnet_small", variant="rdpose", image_size=(96, 128)))


def weights_file(folder: Path, settings: Settings = SETTINGS) -> tuple[Path, dict[str, torch.Tensor]]:
    state = builders.build("hrnet_small", "rdpose", num_joints=14).state_dict()
    path = folder / "new" / "w.safetensors"
    native.save_weights(path, state, settings, CROWDPOSE_14)
    return path, state


def test_weights_come_back_with_settings_and_joints(tmp_path: Path) -> None:
    path, state = weights_file(tmp_path)
    weights = native.load_weights(path)
    assert (weights.settings, weights.skeleton) == (SETTINGS, CROWDPOSE_14)
    assert weights.tensors.keys() == state.keys()
    assert all(torch.equal(weights.tensors[key], tensor) for key, tensor in state.items())
    assert [file.name for file in path.parent.iterdir()] == ["w.safetensors"]


def test_a_network_comes_back(tmp_path: Path) -> None:
    path, state = weights_file(tmp_path)
    network, settings, skeleton = weight_files.load_network(path)
    assert not network.training
    assert (settings, skeleton) == (SETTINGS, CROWDPOSE_14)
    assert all(torch.equal(network.state_dict()[key], tensor) for key, tensor in state.items())


def test_other_files_are_refused(tmp_path: Path) -> None:
    path, state = weights_file(tmp_path)
    half, bare = tmp_path / "half.safetensors", tmp_path / "bare.safetensors"
    half.write_bytes(path.read_bytes()[:-100])
    save_file(state, bare)
    for file, said in ((half, "is not a safetensors file"), (bare, "carries no rdpose settings")):
        with pytest.raises(ValueError, match=f"{file.name} {said}"):
            native.load_weights(file)
    with pytest.raises(FileNotFoundError, match="none"):
        native.load_weights(tmp_path / "none.safetensors")


def test_loading_is_strict() -> None:
    network = builders.build("hrnet_small", "plain", num_joints=17)
    state = network.state_dict()
    del state["head.bias"]
    state |= {"extra": torch.zeros(1), "head.weight": torch.zeros(1)}
    with pytest.raises(ValueError, match=r"w\.pth does not fit this network") as caught:
        native.load_strictly(network, state, "w.pth")
    for part in ("1 missing (head.bias)", "1 not known here (extra)", "1 of another shape (head.weight)"):
        assert part in str(caught.value)


def test_an_interruption_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail(place: Path) -> None:
        place.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(path, fail)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("file.txt", "old")]
    files.write_atomically(path, lambda place: place.write_text("new"))
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o644


def test_json_holds_no_nan(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    files.write_json(path, {"AP": 0.5})
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(path, {"AP": float("nan")})
    assert json.loads(path.read_text()) == {"AP": 0.5}


def test_a_state_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    native.save_state(path, {"epoch": 3, "settings": {}, "network": {"w": torch.arange(3)}, "average": None})
    state = native.load_state(path)
    assert (state["epoch"], state["average"]) == (3, None)
    assert torch.equal(state["network"]["w"], torch.arange(3))


@pytest.mark.parametrize("content", [b"", b"no state", b"\x80\x02half", {"epoch": 3}])
def test_another_state_is_refused(tmp_path: Path, content: bytes | dict[str, int]) -> None:
    path = tmp_path / "checkpoint.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(ValueError, match=r"checkpoint\.pt is no training state"):
        native.load_state(path)


def test_settings_of_a_newer_version_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    header = {"settings": {"model": {"flux": 1}}, "skeleton": {"joints": list(COCO_17.joints)}}
    save_file({"w": torch.zeros(1)}, path, metadata={native.HEADER: json.dumps(header)})
    with pytest.raises(ValueError, match=r"w\.safetensors: unknown setting model\.flux"):
        native.load_weights(path)
