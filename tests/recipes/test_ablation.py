"""The ablation's recipe, from weights to tables, on a handful of crops; and that it resumes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from rdpose import robustness, skeletons
from rdpose.checkpoints import load as weight_files
from rdpose.checkpoints import native
from rdpose.config.schema import Settings
from rdpose.data import synthetic
from rdpose.engine import build
from rdpose.models import builders
from rdpose.robustness import measures
from rdpose.robustness.figures import crops_of


@pytest.fixture
def ablation(recipes: Path):
    import ablation

    return ablation


@pytest.fixture
def training(recipes: Path):
    import ablation_training

    return ablation_training


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ablation")
    for name, count in {"train": 8, "heavy": 4}.items():
        synthetic.write_dataset(
            root / "sets/rendered", num_pictures=count, seed=count, name=name, num_people=(2, 3), size_wh=(160, 120)
        )
    torch.manual_seed(0)
    settings = Settings.model_validate(
        {"model": {"backbone": "hrnet_small", "variant": "plain", "image_size": [64, 96]}}
    )
    network = builders.build("hrnet_small", "plain", num_joints=17)
    native.save_weights(root / "start.safetensors", network.state_dict(), settings, skeletons.COCO_17)
    return root


@pytest.mark.slow
def test_from_weights_to_tables(ablation, data: Path, tmp_path: Path) -> None:
    arguments = ["--init", str(data / "start.safetensors"), "--data", str(data), "--out", str(tmp_path)]
    arguments += ["--crops", "8", "--people", "6", "--variants", "plain", "rdpose", "official", "--seeds"]
    ablation.main([*arguments, "0"])
    first = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "figures").iterdir()}
    assert set(first) == {"start-0.json", "plain-0.json", "rdpose-0.json", "official-0.json"}

    ablation.main([*arguments, "0", "1"])
    again = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "figures").iterdir()}
    assert len(again) == 7
    assert {name: again[name] for name in first} == first

    text = (tmp_path / "table.md").read_text()
    for row in (ablation.START, *ablation.ROWS[:2], ablation.ROWS[-1]):
        assert f"| {row.title} |" in text
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert set(figures["rdpose"]) == {"0", "1"}
    assert "rendered heavy/wrong anchor 1.00/AP" in figures["rdpose"]["0"]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_every_row_trained_from_the_beginning(ablation, data: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole.yaml"
    whole.write_text(
        """
        model: {backbone: hrnet_small, image_size: [64, 96]}
        data:
          train:
            - {annotations: sets/rendered/annotations/person_keypoints_heavy.json, images: sets/rendered/images/heavy}
          workers: 0
        train: {epochs: 1, batch_size: 4}
        """
    )
    out = tmp_path / "out"
    arguments = ["--settings", str(whole), "--data", str(data), "--out", str(out), "--people", "6"]
    ablation.main([*arguments, "--variants", "plain", "rdpose-rivals", "--seeds", "3"])
    figures = json.loads((out / "figures.json").read_text())
    assert {name: set(seeds) for name, seeds in figures.items()} == {"plain": {"3"}, "rdpose-rivals": {"3"}}
    assert figures["plain"]["3"]["cost/parameters"] < figures["rdpose-rivals"]["3"]["cost/parameters"]
    runs = {
        name: native.load_weights(path).settings
        for name in ("plain", "rdpose-rivals")
        for path in (out / "runs").rglob(f"{name}-3/final_state.safetensors")
    }
    assert [runs[name].loss.rivals for name in ("plain", "rdpose-rivals")] == [0, 3]
    assert {one.seed for one in runs.values()} == {3}
    whole.write_text(whole.read_text().replace("epochs: 1", "epochs: 2"))
    with pytest.raises(ValueError, match="holds runs with other settings; choose another --out"):
        ablation.refuse_other_runs(ablation.parse(arguments))


@pytest.mark.parametrize("whole", [True, False])
def test_every_row_can_be_trained(ablation, training, data: Path, tmp_path: Path, recipes: Path, whole: bool) -> None:
    begin = ["--settings", recipes / "ablation_whole.yaml"] if whole else ["--init", data / "start.safetensors"]
    options = ablation.parse([*map(str, begin), "--data", str(data), "--out", str(tmp_path), "--crops", "8"])
    for row in ablation.ROWS:
        settings = training.run_settings(row, 1, options)
        network = builders.build("hrnet_small", settings.model.variant, num_joints=17)
        build.wrap(network, settings, skeletons.COCO_17)


def test_other_runs_are_not_averaged_with_these(ablation, data: Path, tmp_path: Path) -> None:
    arguments = ["--init", str(data / "start.safetensors"), "--data", str(data), "--out", str(tmp_path), "--crops"]
    ablation.refuse_other_runs(ablation.parse([*arguments, "8"]))
    ablation.refuse_other_runs(ablation.parse([*arguments, "8", "--seeds", "7"]))
    with pytest.raises(ValueError, match="holds runs with other crops, people; choose another --out"):
        ablation.refuse_other_runs(ablation.parse([*arguments, "16", "--people", "3"]))


@pytest.mark.slow
def test_the_whole_command_in_minutes(ablation, recipes: Path, tmp_path: Path) -> None:
    environment = os.environ | {"QUICK": "1", "PYTHON": sys.executable}
    command = ["bash", str(recipes / "ablation.sh"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert {name: set(seeds) for name, seeds in figures.items() if name != "start"} == {
        row.name: {"0", "1"} for row in ablation.ROWS
    }
    assert (tmp_path / "table.md").read_text() in done.stdout
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_rows_of_a_seed_see_the_same_crops(training, data: Path, tmp_path: Path) -> None:
    (first, epochs), (again, _), (other, _) = (
        training.draw_sources(data, tmp_path / str(number), 8, seed) for number, seed in enumerate((0, 0, 1))
    )
    assert epochs == 1
    files = [json.loads(Path(sources[0]["annotations"]).read_text()) for sources in (first, again, other)]
    assert files[0] == files[1] != files[2]
    assert 8 <= len(files[0]["annotations"]) < 12


def test_a_long_run_takes_all_people_in_several_epochs(training, data: Path, tmp_path: Path) -> None:
    whole = json.loads((data / "sets/rendered/annotations/person_keypoints_train.json").read_text())
    sources, epochs = training.draw_sources(data, tmp_path, 3 * len(whole["annotations"]), 0)
    assert epochs == 3
    assert len(json.loads(Path(sources[0]["annotations"]).read_text())["annotations"]) == len(whole["annotations"])


def test_the_published_network_starts_from_the_same_weights(training, data: Path, tmp_path: Path) -> None:
    start = native.load_weights(data / "start.safetensors")
    network, settings, _ = weight_files.load_network(training.official_start(tmp_path / "start.safetensors", start))
    assert settings.model.variant == "official"
    tensors = network.state_dict()
    torch.testing.assert_close(tensors["final_layer.weight"][:17], start.tensors["head.weight"])
    shared = [key for key in start.tensors if key.startswith("backbone.")]
    assert shared
    assert all(torch.equal(tensors[key], start.tensors[key]) for key in shared)


def test_without_sets_it_says_how_to_make_them(ablation, data: Path, tmp_path: Path) -> None:
    arguments = ["--init", str(data / "start.safetensors"), "--data", str(tmp_path), "--out", str(tmp_path)]
    with pytest.raises(FileNotFoundError, match=r"make_sets\.py"):
        ablation.main(arguments)


def gain_of_the_first(load, weights: Path, benchmark: robustness.Benchmark, noise: float) -> float:
    network, settings = load(weights)
    alike = measures.likeness(benchmark, robustness.look(network, crops_of(benchmark, settings, noise))[0])
    accuracy = (alike.to_own[:, None] >= measures.THRESHOLDS).mean(axis=1)
    return accuracy[~(alike.to_neighbour > alike.to_own)].mean() - accuracy.mean()


def test_two_networks_side_by_side(ablation, data: Path, tmp_path: Path) -> None:
    import compare

    first, second = data / "start.safetensors", tmp_path / "second.safetensors"
    weights = native.load_weights(first)
    moved = {key: tensor.roll(1, 0) if key.startswith("head.") else tensor for key, tensor in weights.tensors.items()}
    native.save_weights(second, moved, weights.settings, weights.skeleton)
    compare.main([str(first), str(second), "--data", str(data), "--out", str(tmp_path / "table.md"), "--people", "6"])
    _, _, head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (tmp_path / "table.md").read_text().splitlines()
    ]
    (benchmark,) = ablation.read_benchmarks(data, 6)
    expected = [robustness.table_figures(one, benchmark, its) for one, its in map(ablation.load, (first, second))]
    assert expected[0] != expected[1]
    for row, noise in zip(rows[:2], ("0.00", "0.12"), strict=True):
        assert len(row) == len(head)
        assert row[:3] == ["rendered heavy", row[1], noise]
        keys = [f"rendered heavy/box noise {noise}/{name}" for name in ("AP", "misassigned")]
        assert row[3:7] == [f"{one[key]:.3f}" for key in keys for one in expected]
        key = f"rendered heavy/box noise {noise}/accuracy"
        assert row[9] == f"{expected[1][key] - expected[0][key]:+.3f}"
        assert row[11] == f"{gain_of_the_first(ablation.load, first, benchmark, float(noise)):+.3f}"
    by_share = {f"{name}/hidden {share}/misassigned": figures for name, share, *figures in rows[7:]}
    keys = [key for key in expected[0] if "/hidden " in key and key.endswith("/misassigned")]
    assert keys
    assert by_share == {key: [f"{one[key]:.3f}" for one in expected] for key in keys}


def test_intervals_come_from_pictures_not_from_people(ablation) -> None:
    """Four people of one picture who are all wrong together are one observation."""
    import compare

    wrong = np.array([[True] * 8, [True] * 4 + [False] * 4])
    ratio, interval = compare.estimate(wrong, np.repeat([3, 7], 4), compare.ratio, ".2f")
    assert (ratio, interval) == ("0.50", "0.00 to 1.00")
    ratio, interval = compare.estimate(np.tile(wrong, 100), np.arange(800), compare.ratio, ".2f")
    low, high = map(float, interval.split(" to "))
    assert ratio == "0.50"
    assert 0.45 <= low <= 0.48
    assert 0.52 <= high <= 0.55
    nobody = np.zeros((2, 8), bool)
    assert compare.estimate(nobody, np.arange(8), compare.ratio, ".2f") == ["1.00", "1.00 to 1.00"]
    accuracy, interval = compare.estimate(1.0 * wrong, np.arange(8), compare.difference, "+.3f")
    assert accuracy == "-0.500"
    assert interval.startswith("-0.8")


def test_what_there_is_to_gain_by_not_misassigning(ablation) -> None:
    import compare

    alike = measures.Likeness(np.array([0.9, 0.1, 0.3, 0.8, 0.5]), np.array([0.2, 0.6, -1.0, 0.9, 0.5]))
    assert compare.to_gain(np.array([0.8, 0.0, 0.4, 0.2, 0.6]), alike) == pytest.approx(0.6 - 0.4)
    nobody_right = measures.Likeness(np.zeros(2), np.ones(2))
    assert np.isnan(compare.to_gain(np.zeros(2), nobody_right))


def test_a_reference_without_errors_makes_the_ratio_infinite(ablation) -> None:
    import compare

    wrong = np.array([[True] + [False] * 9, [False] * 7 + [True] * 3])
    ratio, interval = compare.estimate(wrong, np.arange(10), compare.ratio, ".2f")
    assert ratio == "3.00"
    assert interval.endswith(" to inf")
