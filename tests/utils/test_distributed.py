"""Several processes under torchrun: the same people, joints and figures as of one; a lost worker costs an epoch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from many import assert_no_thread_of_the_group, torchrun, torchrun_and_told
from near import label_near
from rdpose.config.schema import Settings
from rdpose.engine import tester

Maker = Callable[..., Settings]
LABELS = "annotations/person_keypoints_val2017.json"
NUM_PICTURES = 5
"""Divided by neither two nor three."""


def results_in(folder: Path) -> Path:
    return folder / "results" / "keypoints_five_results.json"


@pytest.fixture
def five_pictures(tiny_crowd: Path, tiny_settings: Maker, tiny_weights: Path, tmp_path: Path) -> Path:
    """Labels of five pictures: near what the network finds, so that the AP is neither 0 nor 1."""
    labels = json.loads((tiny_crowd / LABELS).read_text())
    labels["images"] = labels["images"][:NUM_PICTURES]
    kept = {image["id"] for image in labels["images"]}
    labels["annotations"] = [row for row in labels["annotations"] if row["image_id"] in kept]
    path = tmp_path / "five.json"
    path.write_text(json.dumps(labels))
    settings = tiny_settings(f"data.test.annotations={path}", "name=alone")
    tester.test_weights(settings, tiny_weights)
    label_near(path, results_in(settings.run_dir))
    return path


@pytest.mark.slow
def test_many_processes_find_what_one_finds(
    five_pictures: Path, tiny_config: Path, tiny_crowd: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    places = (f"data.root={tiny_crowd}", f"output_dir={tmp_path}", f"data.test.annotations={five_pictures}")
    rows, scores = {}, {}
    for world in (1, 2, 3):
        run = ("test", tiny_config, *places, f"name=by_{world}", "--weights", tiny_weights)
        out = torchrun(world, "-m", "rdpose", *run)
        assert out.count("| AP |") == 1
        folder = tmp_path / "crowds" / "hrnet_small" / f"by_{world}"
        rows[world] = json.loads(results_in(folder).read_text())
        scores[world] = json.loads((folder / "results" / "scores.json").read_text())["figures"]
    people = [row["id"] for row in json.loads(five_pictures.read_text())["annotations"]]
    assert len(people) % 2 or len(people) % 3
    assert 0.05 < scores[1]["AP"] < 0.95
    for world in (1, 2, 3):
        assert [row["annotation_id"] for row in rows[world]] == people
        found, alone = (np.array([row["keypoints"] for row in rows[number]]) for number in (world, 1))
        np.testing.assert_allclose(found, alone, atol=1e-3, rtol=0)
        assert scores[world] == scores[1]


@pytest.mark.slow
def test_a_killed_worker_costs_an_epoch_and_no_more(tiny_config: Path, tiny_crowd: Path, tmp_path: Path) -> None:
    """The same command, restarted by torchrun, goes on from the last checkpoint to the end."""
    folder = tmp_path / "crowds" / "hrnet_small" / "tiny"
    script = (Path(__file__).parents[1] / "dies_once.py", folder / "checkpoint.pt")
    command = ("train", tiny_config, f"data.root={tiny_crowd}", f"output_dir={tmp_path}", "train.epochs=4", "--resume")
    out, said = torchrun_and_told(2, *script, *command, options=("--max-restarts", "1"))
    assert said.count(f"of 4, from {folder / 'checkpoint.pt'}") == 1
    assert "going on after epoch 1 " in said or "going on after epoch 2 " in said
    assert out.count("weights: ") == 1
    assert_no_thread_of_the_group(out)
    epochs = [json.loads(line)["epoch"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert epochs == [1, 2, 3, 4]
    assert (folder / "final_state.safetensors").exists()
