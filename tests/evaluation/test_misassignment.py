"""Misassignment by hand and against the loop of its definition."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rdpose import oks
from rdpose.config.schema import Settings
from rdpose.data import annotations as annotation_files
from rdpose.evaluation import coco, misassignment
from rdpose.report import analyse
from rdpose.robustness import measures
from rdpose.robustness.benchmarks import Benchmark
from rdpose.robustness.looking import Seen
from rdpose.skeletons import COCO_17


def loop_rate(content: dict, rows: list[dict]) -> tuple[int, int]:
    """(misassigned, with neighbours), one pair of people at a time."""
    people = [p for p in content["annotations"] if any(p["keypoints"][2::3]) and not p["iscrowd"]]
    by_id = {person["id"]: person for person in people}

    def alike(row: dict, person: dict) -> float:
        found, truth = (np.array(x["keypoints"]).reshape(1, 17, 3) for x in (row, person))
        return oks.oks_to_truth(found[..., :2], truth[..., :2], truth[..., 2], [person["area"]], COCO_17.sigmas).item()

    wrong = crowded = 0
    for row in rows:
        own = by_id[row["annotation_id"]]
        others = [p for p in people if p["image_id"] == own["image_id"] and p["id"] != own["id"]]
        crowded += bool(others)
        wrong += any(alike(row, other) > alike(row, own) for other in others)
    return wrong, crowded


@pytest.mark.parametrize("noise", [0.0, 0.5, 2.0])
def test_the_rate_is_the_loop_of_its_definition(noise, tmp_path, coco_content, own, save) -> None:
    rows = own(coco_content, noise)
    measured = misassignment(save(tmp_path / "results.json", rows), save(tmp_path / "truth.json", coco_content))
    assert (measured.num_misassigned, measured.num_with_neighbours) == loop_rate(coco_content, rows)
    assert measured.num_results == len(rows)


def test_the_command_the_report_and_the_robustness_figures_count_the_same_people(tmp_path, crowdpose_content, save):
    """People whom the file does not count (`num_keypoints` 0) are nobody's neighbours, and nobody is asked for them."""
    people = crowdpose_content["annotations"]
    for person in people[::3]:
        person["num_keypoints"] = 0
    path = save(tmp_path / "truth.json", crowdpose_content)
    truth = annotation_files.read(path, "")
    assert truth.visible.any(axis=1).sum() > truth.labelled.sum() > 10
    poses = truth.joints + np.random.default_rng(0).normal(0, 40, truth.joints.shape).astype(np.float32)
    keypoints = np.dstack([poses, np.ones(poses.shape[:2])]).reshape(len(truth), -1).tolist()
    rows = [
        {"image_id": image, "category_id": 1, "keypoints": points, "score": 1.0, "annotation_id": person}
        for image, points, person in zip(
            truth.image_id[truth.image_index].tolist(), keypoints, truth.person_id.tolist(), strict=True
        )
    ]
    told = misassignment(rows, path)
    assert 0 < told.num_misassigned < told.num_with_neighbours < len(rows)
    assert analyse(save(tmp_path / "results.json", rows), truth).misassigned == (
        told.num_misassigned,
        told.num_with_neighbours,
    )
    benchmark = Benchmark("crowds", truth, coco.read_truth(path))
    seen = Seen(np.arange(len(truth)), poses, np.ones(poses.shape[:2]), None)
    assert measures.measure(benchmark, seen, Settings())["misassigned"] == told.rate
    assert misassignment(rows, truth).num_misassigned == told.num_misassigned


def test_a_swapped_pair_is_misassigned(tmp_path, coco_content, own, save) -> None:
    rows = own(coco_content)
    image = next(r["image_id"] for r in rows if sum(r["image_id"] == other["image_id"] for other in rows) >= 2)
    first, second = [row for row in rows if row["image_id"] == image][:2]
    first["keypoints"], second["keypoints"] = second["keypoints"], first["keypoints"]
    measured = misassignment(rows, save(tmp_path / "truth.json", coco_content))
    assert sorted(measured.person_id.tolist()) == sorted([first["annotation_id"], second["annotation_id"]])
    assert measured.rate == pytest.approx(2 / measured.num_with_neighbours)
    assert f"2 of {measured.num_with_neighbours} results with neighbours" in str(measured)


def test_a_person_alone_cannot_be_mistaken(tmp_path, coco_content, own, save) -> None:
    alone = coco_content | {
        "annotations": [p | {"iscrowd": 0} for p in coco_content["annotations"] if p["num_keypoints"]][:1]
    }
    measured = misassignment(own(alone), save(tmp_path / "truth.json", alone))
    assert (measured.rate, measured.num_with_neighbours, measured.num_results) == (-1, 0, 1)
    assert misassignment([], save(tmp_path / "truth.json", alone)).num_results == 0


def test_results_of_detected_boxes_are_refused(tmp_path, coco_content, noisy, save) -> None:
    with pytest.raises(ValueError, match="whose result is whose"):
        misassignment(noisy(coco_content, 0.1), save(tmp_path / "truth.json", coco_content))
    with pytest.raises(ValueError, match=r"truth\.json lists no pictures"):
        misassignment([], save(tmp_path / "truth.json", json.loads('{"images": []}')))
