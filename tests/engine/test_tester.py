"""Testing: batches across pictures, results in COCO's format, given and detected boxes, the figures beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from rdpose import evaluation
from rdpose.checkpoints import load as weight_files
from rdpose.config.schema import Settings
from rdpose.data import sources
from rdpose.data.crops import PictureCrops
from rdpose.data.people import People
from rdpose.engine import tester
from rdpose.engine.tester import Found
from rdpose.inference.pipeline import Inference
from rdpose.skeletons import COCO_17
from rdpose.utils.distributed import process

Maker = Callable[..., Settings]


def test_weights_of_another_network_than_the_settings_are_told(
    tiny_settings: Maker, tiny_weights: Path, capsys: pytest.CaptureFixture
) -> None:
    tester.test_weights(tiny_settings(), tiny_weights)
    assert "as it was made" not in capsys.readouterr().err
    tester.test_weights(tiny_settings("model.image_size=[96,128]", "model.variant=plain"), tiny_weights)
    told = capsys.readouterr().err
    assert f"{tiny_weights} is tested as it was made: " in told
    assert "variant rdpose (settings: plain)" in told
    assert "image_size (64, 96) (settings: (96, 128))" in told


@pytest.fixture
def people(tiny_settings: Maker) -> People:
    settings = tiny_settings()
    return sources.testing_people(settings.data, settings.test, COCO_17).people


@pytest.fixture
def boxes_file(people: People, tmp_path: Path) -> Path:
    """Detected boxes: the annotated ones, each twice (the second a little off and unsure), and one of nobody's."""
    rows = [
        {
            "image_id": int(people.image_id[people.image_index[row]]),
            "category_id": 1,
            "bbox": (people.box_xywh[row] + offset).tolist(),
            "score": score,
        }
        for row in range(len(people))
        for offset, score in ((0, 0.9), (1, 0.4))
    ]
    rows.append({"image_id": 1, "category_id": 1, "bbox": [0, 0, 20, 20], "score": 0.01})
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(rows))
    return path


def truth_of(people: People) -> Found:
    """As if a network were always right."""
    confidence = (people.visible > 0).astype(np.float32) * 0.9
    return Found(np.arange(len(people)), people.joints.copy(), confidence)


def crops_of(counts: list[int]) -> list[PictureCrops]:
    starts = np.cumsum([0, *counts])
    return [
        PictureCrops(*(torch.arange(start, start + count) for _ in PictureCrops._fields))
        for start, count in zip(starts, counts, strict=False)
    ]


@pytest.mark.parametrize(
    ("counts", "size", "expected"),
    [
        ([1, 1, 1], 2, [2, 1]),
        ([5], 2, [2, 2, 1]),
        ([3, 4, 1], 4, [4, 4]),
        ([2, 7, 2], 3, [3, 3, 3, 2]),
        ([], 3, []),
        ([1], 8, [1]),
    ],
)
def test_batches_hold_the_same_crops_in_the_same_order(counts: list[int], size: int, expected: list[int]) -> None:
    found = list(tester.batches(crops_of(counts), size))
    assert [len(crops.index) for crops in found] == expected
    assert [row for crops in found for row in crops.index.tolist()] == list(range(sum(counts)))
    assert all(torch.equal(crops.image, crops.index) for crops in found)


def test_parts_of_processes_are_put_in_order() -> None:
    parts = [
        Found(np.array(rows), np.array(rows, np.float32)[:, None, None].repeat(2, 2), np.array(rows)[:, None])
        for rows in ([4, 1], [0], [3, 2])
    ]
    found = tester.in_order(parts, 1)
    assert found.rows.tolist() == found.joints[:, 0, 1].tolist() == found.confidence[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert [column.shape for column in tester.in_order([], 17)] == [(0,), (0, 17, 2), (0, 17)]


def test_the_truth_has_full_marks(people: People, tiny_settings: Maker, tmp_path: Path) -> None:
    settings = tiny_settings()
    results = tester.to_results(people, truth_of(people), settings)
    assert [row["annotation_id"] for row in results] == people.person_id.tolist()
    assert {len(row["keypoints"]) for row in results} == {51}
    assert {row["category_id"] for row in results} == {1}
    assert [row["score"] for row in results] == pytest.approx([0.9] * len(people))
    assert results[0]["keypoints"][:2] == pytest.approx(people.joints[0, 0].tolist(), abs=1e-3)
    assert settings.data.test is not None
    labels = Path(settings.data.root) / settings.data.test.annotations
    assert evaluation.evaluate(results, labels).figures["AP"] == pytest.approx(1.0)


def test_nobody_found_is_an_empty_list(people: People, tiny_settings: Maker) -> None:
    assert tester.to_results(people, tester.in_order([], 17), tiny_settings()) == []


def test_detected_duplicates_are_one_person_and_given_ones_are_not(
    people: People, boxes_file: Path, tiny_settings: Maker
) -> None:
    settings = tiny_settings(f"data.test.boxes={boxes_file}", "test.boxes=detected")
    detected, labelled = sources.testing_people(settings.data, settings.test, COCO_17)
    assert labelled
    assert len(detected) == 2 * len(people) + 1
    twice = np.repeat(np.arange(len(people)), 2)
    rows = np.flatnonzero(detected.score > 0.3)
    found = Found(rows, people.joints[twice], np.full((len(rows), 17), 0.8, np.float32))
    kept = tester.to_results(detected, found, settings)
    assert len(kept) == len(people)
    assert [row["score"] for row in kept] == pytest.approx([0.9 * 0.8] * len(people))
    assert all("annotation_id" not in row for row in kept)
    settings = tiny_settings(f"data.test.boxes={boxes_file}", "test.boxes=detected", "test.oks_nms=1.0")
    assert len(tester.to_results(detected, found, settings)) == 2 * len(people)
    given = tester.to_results(people, found._replace(rows=twice), tiny_settings())
    assert [row["annotation_id"] for row in given] == people.person_id[twice].tolist()


def test_unsure_boxes_are_left_out(boxes_file: Path, people: People, tiny_settings: Maker) -> None:
    settings = tiny_settings(f"data.test.boxes={boxes_file}", "test.boxes=detected", "test.box_score=0.5")
    assert len(sources.testing_people(settings.data, settings.test, COCO_17).people) == len(people)


def test_given_and_detected_boxes_of_one_place_give_the_same_joints(
    boxes_file: Path, people: People, tiny_weights: Path, tiny_settings: Maker
) -> None:
    found = {}
    for name, overrides in {
        "truth": (),
        "detected": (f"data.test.boxes={boxes_file}", "test.boxes=detected", "test.box_score=0.5"),
    }.items():
        asked = tiny_settings(*overrides)
        seen, _ = sources.testing_people(asked.data, asked.test, COCO_17)
        found[name], settings = tester.find_by(tiny_weights, seen, boxes=name)
        assert settings.test.boxes == name
    with pytest.raises(ValueError, match="decod"):
        tester.find_by(tiny_weights, people, decod="dark")
    assert found["truth"].joints.shape == (len(people), 17, 2)
    # An untrained network's peak may be one among equals: confidences tell whether it saw the same.
    np.testing.assert_allclose(found["detected"].confidence, found["truth"].confidence, atol=1e-4)


def test_a_test_leaves_results_and_figures(tiny_weights: Path, tiny_settings: Maker, people: People) -> None:
    settings = tiny_settings("test.batch_size=3")
    scores = tester.test_weights(settings, tiny_weights)
    assert scores is not None
    assert scores.name == "hrnet_small rdpose 96x64, given boxes, flip test"
    folder = settings.run_dir / "results"
    assert sorted(path.name for path in folder.iterdir()) == ["keypoints_val2017_results.json", "scores.json"]
    assert len(json.loads((folder / "keypoints_val2017_results.json").read_text())) == len(people)
    written = json.loads((folder / "scores.json").read_text())
    assert written == scores.to_dict() | {"test": settings.test.model_dump(mode="json")}
    assert tester.describe(tiny_settings("test.decode=dark")).endswith("flip test, dark")


def test_the_size_of_batches_plays_no_part(tiny_weights: Path, people: People, tiny_settings: Maker) -> None:
    network, _, _ = weight_files.load_network(tiny_weights)
    confidences = []
    for overrides in (["test.batch_size=2"], ["test.batch_size=32", "data.workers=1"]):
        settings = tiny_settings(*overrides)
        with process() as here:
            inference = Inference.of(network, COCO_17, settings.test, settings.model)
            confidences.append(tester.find(inference, people, settings, here).confidence)
    np.testing.assert_allclose(*confidences, atol=1e-4)


def test_places_are_written_to_a_thousandth_and_scores_as_they_are(tiny_settings, people: People) -> None:
    """As docs/why-is-my-ap-different.md says."""
    joints, confidence = people.joints + np.float32(1 / 3), np.full(people.visible.shape, 2 / 3, np.float32)
    results = tester.to_results(people, Found(np.arange(len(people)), joints, confidence), tiny_settings())
    assert results[0]["keypoints"][:3] == pytest.approx([*joints[0, 0].round(3).tolist(), 0.667], abs=1e-5)
    assert results[0]["score"] == pytest.approx(float(np.float32(2 / 3)), rel=1e-12)
