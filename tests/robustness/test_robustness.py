"""Robustness: what is counted as misassigned, accurate and well anchored, and what disturbed boxes and anchors do."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from rdpose import geometry, robustness
from rdpose.config.schema import Settings
from rdpose.models import builders
from rdpose.robustness import Benchmark, Seen
from rdpose.robustness.benchmarks import noisy
from rdpose.skeletons import COCO_17


@pytest.fixture(scope="module")
def benchmark(tiny_crowd: Path) -> Benchmark:
    annotations = tiny_crowd / "annotations/person_keypoints_val2017.json"
    return robustness.read("tiny", annotations, tiny_crowd / "images/val2017", skeleton=COCO_17)


@pytest.fixture
def settings(tiny_settings: Callable[..., Settings]) -> Settings:
    return tiny_settings()


def network(variant: str, *, lively: bool = False) -> builders.RDPose:
    """A small network; a lively one's zero-initialised convolutions do something."""
    torch.manual_seed(0)
    made = builders.build("hrnet_small", variant, num_joints=17).eval()
    for part in made.modules() if lively else ():
        if isinstance(part, nn.Conv2d):
            nn.init.normal_(part.weight, std=0.1)
    return made


def perfect(benchmark: Benchmark) -> Seen:
    """Everybody's own joints, and the anchor at the own centre."""
    rows = np.flatnonzero(benchmark.people.visible.any(axis=1))
    joints = benchmark.people.joints[rows]
    return Seen(rows, joints, np.ones(joints.shape[:2], np.float32), benchmark.centers[rows])


def mistaken(benchmark: Benchmark) -> Seen:
    """Everybody's pose and anchor are those of the next person of the picture."""
    people, seen = benchmark.people, perfect(benchmark)
    other = np.array([people.others_in_picture(row)[0] for row in seen.rows])
    return seen._replace(joints=people.joints[other], anchor=benchmark.centers[other])


def test_measures_of_the_truth_and_of_the_neighbours(benchmark: Benchmark, settings: Settings) -> None:
    found = robustness.measure(benchmark, perfect(benchmark), settings)
    assert found == pytest.approx({"AP": 1, "accuracy": 1, "misassigned": 0, "anchor": 1})
    found = robustness.measure(benchmark, mistaken(benchmark), settings)
    assert (found["misassigned"], found["anchor"]) == (1, 0)
    assert found["accuracy"] < 0.1
    assert found["AP"] > 0.8, "COCO's AP does not ask whose box a pose was found in"


def test_half_misassigned(benchmark: Benchmark, settings: Settings) -> None:
    right, wrong = perfect(benchmark), mistaken(benchmark)
    half = np.arange(len(right.rows)) % 2 == 0
    mixed = Seen(
        right.rows,
        np.where(half[:, None, None], right.joints, wrong.joints),
        right.confidence,
        np.where(half[:, None], right.anchor, wrong.anchor),
    )
    found = robustness.measure(benchmark, mixed, settings)
    assert found["misassigned"] == pytest.approx(1 - half.mean())
    assert found["anchor"] == pytest.approx(half.mean())


def test_without_an_anchor_there_is_no_anchor_rate(benchmark: Benchmark, settings: Settings) -> None:
    assert "anchor" not in robustness.measure(benchmark, perfect(benchmark)._replace(anchor=None), settings)


def test_hidden_share_sorts_people(benchmark: Benchmark) -> None:
    visible = np.full_like(benchmark.people.visible, 2)
    visible[0, :8] = 1  # 8 of 17 are hidden: the bin of .3 to .5
    benchmark = replace(benchmark, people=replace(benchmark.people, visible=visible))
    seen = perfect(benchmark)
    seen.joints[0] += 1000
    found = robustness.measure_by_hidden_share(benchmark, seen)
    assert {name: figures["accuracy"] for name, figures in found.items()} == {"hidden 0.05": 1, "hidden 0.40": 0}


def test_centers_and_nearest_centers(benchmark: Benchmark) -> None:
    people = benchmark.people
    labelled = people.visible[0] > 0
    np.testing.assert_allclose(benchmark.centers[0], people.joints[0][labelled].mean(axis=0), rtol=1e-5)
    others = benchmark.centers[people.others_in_picture(0)]
    nearest = others[np.linalg.norm(others - benchmark.centers[0], axis=1).argmin()]
    np.testing.assert_array_equal(benchmark.nearest_centers[0], nearest)


def test_noise_is_the_same_every_time_and_of_the_size_asked(benchmark: Benchmark) -> None:
    once, again = (noisy(benchmark.people, 0.1).box_xywh for _ in range(2))
    np.testing.assert_array_equal(once, again)
    true = benchmark.people.box_xywh
    moved = (once[:, :2] + once[:, 2:] / 2 - true[:, :2] - true[:, 2:] / 2) / true[:, 2:]
    assert 0.04 < moved.std() < 0.16
    assert np.abs(moved).max() <= 0.2 + 1e-4


def test_crops_are_made_once_and_noise_moves_them(benchmark: Benchmark) -> None:
    crops = benchmark.crops((64, 96), 3, box_noise=0.1)
    assert benchmark.crops((64, 96), 3, box_noise=0.1) is crops
    assert not torch.equal(crops.image, benchmark.crops((64, 96), 3).image)


def test_noisy_neighbours_leave_the_crop_alone(benchmark: Benchmark) -> None:
    true = benchmark.crops((64, 96), 3)
    same, disturbed = (benchmark.with_noisy_neighbours(true, noise) for noise in (0.0, 0.2))
    torch.testing.assert_close(same.neighbours, true.neighbours)
    assert not torch.allclose(disturbed.neighbours, true.neighbours)
    assert disturbed.image is true.image
    assert disturbed.box is true.box


def test_a_part_of_the_people(tiny_crowd: Path, tmp_path: Path) -> None:
    source = tiny_crowd / "annotations/person_keypoints_val2017.json"
    content = json.loads(source.read_text())
    for number, image in enumerate(content["images"]):
        image["crowdIndex"] = number / 10
    path, unknown = tmp_path / "crowds.json", tmp_path / "unknown.json"
    path.write_text(json.dumps(content))
    images = [{key: value for key, value in image.items() if key != "crowdIndex"} for image in content["images"]]
    unknown.write_text(json.dumps(content | {"images": images}))
    arguments = {"images": tiny_crowd / "images/val2017", "skeleton": COCO_17}
    crowded = robustness.read("crowded", path, **arguments, min_crowd_index=0.35)
    assert crowded.image_ids == sorted(image["id"] for image in content["images"][4:])
    assert len(robustness.read("few", path, **arguments, max_people=1).image_ids) == 1
    with pytest.raises(ValueError, match="nobody"):
        robustness.read("none", path, **arguments, min_crowd_index=9)
    with pytest.raises(ValueError, match="crowdIndex"):
        robustness.read("none", unknown, **arguments, min_crowd_index=0.1)


def test_look_sees_what_the_network_says(benchmark: Benchmark) -> None:
    crops, made = benchmark.crops((64, 96), 3), network("rdpose", lively=True)
    seen = robustness.look(made, crops)[0]
    with torch.inference_mode():
        maps = made(crops.image, crops.neighbours, crops.box)
    np.testing.assert_allclose(seen.confidence, maps.amax(dim=(2, 3)), rtol=1e-3, atol=1e-4)
    assert seen.anchor is not None
    assert seen.anchor.shape == (len(crops.index), 2)


def test_a_forced_anchor_lies_where_it_is_put(benchmark: Benchmark) -> None:
    crops, made = benchmark.crops((64, 96), 3), network("rdpose-paper", lively=True)
    goal = benchmark.nearest_centers[crops.index.numpy()]
    own, half, whole = robustness.look(made, crops, goal=goal, shares=(0.0, 0.5, 1.0))
    assert own.anchor is not None
    assert whole.anchor is None
    cells = torch.from_numpy(geometry.apply(crops.transform.numpy(), goal[:, None].astype(np.float32))[:, 0]) / 4
    with torch.inference_mode():
        features, maps = made.features(crops.image, crops.neighbours, crops.box)
        expected = made.decouple(features, cells, maps)[:, :-1].amax(dim=(2, 3))
    np.testing.assert_allclose(whole.confidence, expected, rtol=1e-3, atol=1e-3)
    assert not np.allclose(half.confidence, whole.confidence, rtol=1e-3)


@pytest.mark.parametrize("variant", ["plain", "official", "rdpose"])
def test_figures_of_each_kind_of_network(benchmark: Benchmark, settings: Settings, variant: str) -> None:
    made = network(variant, lively=True)
    figures = robustness.table_figures(made, benchmark, settings) | robustness.curve_figures(made, benchmark, settings)
    assert {key.split("/")[0] for key in figures} == {"tiny"}
    assert np.isfinite(list(figures.values())).all()
    conditions = {key.split("/")[1] for key in figures}
    assert {"box noise 0.00", "box noise 0.24", "neighbours withheld", "own box withheld"} <= conditions
    assert ("wrong anchor 1.00" in conditions) == (variant == "rdpose")
    if variant != "rdpose":
        assert figures["tiny/neighbours withheld/accuracy"] == figures["tiny/box noise 0.00/accuracy"]


def test_cost_counts_parameters_and_multiply_adds() -> None:
    plain, decoupled = (robustness.cost(network(variant), (64, 96)) for variant in ("plain", "rdpose-paper"))
    channels, cells = network("plain").backbone.channels, 16 * 24
    more = decoupled["cost/multiply-adds"] - plain["cost/multiply-adds"]
    linear, mask, fuse = 2 * channels**2, 75 * cells, 2 * channels**2 * cells
    head = (channels * (17 + 1) + channels - channels * 17) * cells  # all maps once, and the centre's before them
    assert more == linear + mask + fuse + head


@pytest.mark.parametrize(
    ("own", "reference", "expected"),
    [
        ({0: 1.0}, {}, (1.0, None, None, None)),
        ({0: 1.0, 1: 3.0}, {}, (2.0, 2**0.5, None, None)),
        ({0: 1.0}, {0: 0.5}, (1.0, None, 0.5, None)),
        # Differences .5 and .7: standard error .1, t of one degree of freedom 12.706.
        ({0: 1.0, 1: 3.0}, {0: 0.5, 1: 2.3, 2: 9.0}, (2.0, 2**0.5, 0.6, 1.2706)),
    ],
)
def test_compare(own: dict, reference: dict, expected: tuple) -> None:
    found = robustness.compare(own, reference)
    for value, wanted in zip((found.mean, found.spread, found.difference, found.half_width), expected, strict=True):
        assert value == (wanted if wanted is None else pytest.approx(wanted, rel=1e-4))
    assert not found.is_sure


def test_a_sure_difference() -> None:
    assert robustness.compare({0: 1.0, 1: 1.01, 2: 0.99}, {0: 0.5, 1: 0.5, 2: 0.5}).is_sure
