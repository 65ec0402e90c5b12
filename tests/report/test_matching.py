"""The evaluator gives pycocotools' figures, on made-up crowds and on real ones, and finds people by their rows."""

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from rdpose.data import annotations
from rdpose.report import matching
from rdpose.skeletons import COCO_17


def crowd(folder: Path, seed: int = 0, pictures: int = 12) -> tuple[Path, Path]:
    """Labels with groups and unlabelled people, and results that are near, double, or of nobody."""
    rng = np.random.default_rng(seed)
    people, results = [], []
    for image in range(1, pictures + 1):
        for _ in range(rng.integers(0, 6)):
            corner, size = rng.uniform(0, 300, 2), rng.uniform(40, 160, 2)
            joints = corner + rng.random((17, 2)) * size
            visible = rng.integers(0, 3, 17) * (rng.random() > 0.2)
            labels = np.concatenate([joints * (visible > 0)[:, None], visible[:, None]], axis=1)
            person = {"id": len(people) + 1, "image_id": image, "category_id": 1, "bbox": [*corner, *size]}
            area, group = float(size.prod() * 0.6), int(rng.random() < 0.1)
            number = int((visible > 0).sum())
            people.append(
                person | {"area": area, "iscrowd": group, "num_keypoints": number, "keypoints": labels.ravel().tolist()}
            )
            for _ in range(rng.integers(0, 3)):
                noisy = joints + rng.normal(0, 6, (17, 2)) * rng.choice([0.3, 1, 4])
                results.append(result(image, noisy, rng))
        results.append(result(image, rng.uniform(0, 400, (17, 2)), rng))
    category = {"id": 1, "name": "person", "keypoints": list(COCO_17.joints), "skeleton": []}
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 640, "height": 640} for i in range(1, pictures + 1)]
    (folder / "labels.json").write_text(json.dumps({"images": images, "annotations": people, "categories": [category]}))
    (folder / "results.json").write_text(json.dumps(results))
    return folder / "labels.json", folder / "results.json"


def result(image: int, joints: np.ndarray, rng: np.random.Generator) -> dict:
    keypoints = np.concatenate([joints, np.full((17, 1), 0.9)], axis=1).ravel().tolist()
    return {"image_id": image, "category_id": 1, "keypoints": keypoints, "score": float(rng.random())}


def reference(labels: Path, results: Path) -> np.ndarray:
    """pycocotools' AP, AP .5, AP .75, AP (M), AP (L)."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(labels))
        evaluation = COCOeval(truth, truth.loadRes(str(results)), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return np.asarray(evaluation.stats[:5])


def ours(labels: Path, results: Path) -> list[float]:
    truth = annotations.read(labels, "images")
    evaluator = matching.Evaluator(truth)
    found = evaluator.load(matching.best_of_pictures(matching.read(results, truth)))
    areas = [matching.EVERY_AREA, (32**2, 96**2), (96**2, 1e10)]
    everybody, medium, large = evaluator.curves(found, areas=areas)
    return [everybody.ap, *(everybody.precision_at(level).mean() for level in (0.5, 0.75)), medium.ap, large.ap]


@pytest.mark.parametrize("seed", range(4))
def test_made_up_crowds_as_pycocotools(tmp_path, seed):
    files = crowd(tmp_path, seed)
    assert np.allclose(ours(*files), reference(*files), atol=1e-6)


def test_whom_the_file_does_not_count_counts_nowhere(tmp_path):
    """As in CrowdPose: labelled, and `num_keypoints` 0; who stands for them is no false alarm."""
    labels, results = crowd(tmp_path, seed=1)
    content = json.loads(labels.read_text())
    uncounted = [person for person in content["annotations"] if person["num_keypoints"] > 5][::4]
    before = ours(labels, results)
    for person in uncounted:
        person["num_keypoints"] = 0
    labels.write_text(json.dumps(content))
    assert np.allclose(ours(labels, results), reference(labels, results), atol=1e-6)
    assert not np.allclose(ours(labels, results), before, atol=1e-3)
    truth = annotations.read(labels, "images")
    assert not truth.labelled[np.isin(truth.person_id, [person["id"] for person in uncounted])].any()
    assert len(truth.trainable()) > truth.labelled.sum()


@pytest.mark.parametrize("boxes", ["gtbox", "nanodet"])
def test_real_results_as_pycocotools(shared_data, boxes):
    labels = shared_data / "coco/annotations/person_keypoints_val2017.json"
    results = shared_data / f"peers/movenet_thunder_val2017_{boxes}.json"
    assert np.allclose(ours(labels, results), reference(labels, results), atol=1e-6)


def test_each_result_finds_its_own_person(tmp_path):
    truth = annotations.read(crowd(tmp_path)[0], "images")
    rows = np.flatnonzero(truth.labelled)[::2]  # which leaves pictures without results
    scores = np.linspace(1, 0, len(rows))
    found = matching.Found(truth.image_index[rows], truth.joints[rows], np.ones((len(rows), 17)), scores, rows)
    evaluator = matching.Evaluator(truth)
    assert np.array_equal(evaluator.match(evaluator.load(found), 0.5), rows)
    away = evaluator.load(replace(found, joints=found.joints + 1000))
    assert (evaluator.match(away, 0.5) == matching.NOBODY).all()


def test_no_pictures_are_not_all_pictures(tmp_path):
    labels, results = crowd(tmp_path)
    truth = annotations.read(labels, "images")
    evaluator = matching.Evaluator(truth)
    found = evaluator.load(matching.read(results, truth))
    (everybody,) = evaluator.curves(found)
    (nobody,) = evaluator.curves(found, pictures=np.zeros(truth.num_images, bool))
    assert everybody.num_people == truth.labelled.sum() < len(truth)
    assert nobody.num_people == 0
    assert np.isnan(nobody.precision).all()


def test_at_most_twenty_results_of_a_picture_count(tmp_path):
    labels, results = crowd(tmp_path)
    rng = np.random.default_rng(1)
    rows = [result(3, rng.uniform(0, 400, (17, 2)), rng) for _ in range(50)]
    results.write_text(json.dumps(rows))
    found = matching.best_of_pictures(matching.read(results, annotations.read(labels, "images")))
    assert np.allclose(found.scores, sorted((row["score"] for row in rows), reverse=True)[:20])


def test_foreign_pictures_and_joints_are_named(tmp_path):
    labels, results = crowd(tmp_path)
    truth = annotations.read(labels, "images")
    rng = np.random.default_rng(1)
    results.write_text(json.dumps([result(99, np.zeros((17, 2)), rng)]))
    with pytest.raises(ValueError, match=r"results\.json has results of picture 99"):
        matching.read(results, truth)
    results.write_text(json.dumps([result(1, np.zeros((17, 2)), rng) | {"keypoints": [0, 0, 0]}]))
    with pytest.raises(ValueError, match=r"results\.json.*17 joints"):
        matching.read(results, truth)


def test_no_results_give_zeros(tmp_path):
    labels, results = crowd(tmp_path)
    results.write_text("[]")
    assert ours(labels, results) == [0.0] * 5
