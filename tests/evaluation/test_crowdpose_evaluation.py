"""CrowdPose's nine figures against pycocotools with CrowdPose's areas and sigmas, level by level."""

from __future__ import annotations

import json

import pytest

from rdpose.evaluation import evaluate
from rdpose.skeletons import CROWDPOSE_14

NOISE = [0.0, 0.03, 0.2]
LEVELS = ["AP (E)", "AP (M)", "AP (H)"]


def expected_figures(content, rows, reference, medium_from: float) -> dict[str, float]:
    truth = json.loads(json.dumps(content))
    for person in truth["annotations"]:
        person["area"] = person["bbox"][3] * person["bbox"][2] * 0.53
    ten = reference(truth, rows, sigmas=CROWDPOSE_14.sigmas)
    figures = dict(zip(["AP", "AP .5", "AP .75", "AR", "AR .5", "AR .75"], [*ten[:3], *ten[5:8]], strict=True))
    for level, low, high in zip(LEVELS, (-1, medium_from, 0.8), (medium_from, 0.8, 99), strict=True):
        images = [image["id"] for image in truth["images"] if low <= image["crowdIndex"] < high]
        figures[level] = reference(truth, rows, sigmas=CROWDPOSE_14.sigmas, images=images)[0]
    return figures


@pytest.mark.parametrize(("metric", "medium_from"), [("crowdpose", 0.1), ("crowdpose-published", 0.2)])
@pytest.mark.parametrize("noise", NOISE)
def test_figures_equal_the_reference(
    noise, metric, medium_from, tmp_path, crowdpose_content, noisy, save, reference
) -> None:
    for person in crowdpose_content["annotations"]:
        del person["area"]
    rows = noisy(crowdpose_content, noise)
    scores = evaluate(rows, save(tmp_path / "truth.json", crowdpose_content), metric=metric)
    assert scores.figures == expected_figures(crowdpose_content, rows, reference, medium_from)
    assert list(scores.figures) == ["AP", "AP .5", "AP .75", "AR", "AR .5", "AR .75", *LEVELS]


@pytest.mark.parametrize("pictures", [60, pytest.param(9999, marks=pytest.mark.slow)])
def test_figures_equal_the_reference_on_real_people(
    pictures, tmp_path, shared_data, some_pictures, noisy, save, reference
) -> None:
    content = some_pictures(shared_data / "labels_only/crowdpose_val.json", pictures)
    rows = noisy(content, 0.05)
    scores = evaluate(save(tmp_path / "results.json", rows), save(tmp_path / "truth.json", content), metric="crowdpose")
    assert scores.figures == expected_figures(content, rows, reference, 0.1)


def test_people_whom_the_set_does_not_count_cost_nothing(tmp_path, crowdpose_content, save) -> None:
    """One person found, one with two labelled joints and `num_keypoints` 0 not found: AP is 1."""
    people = [p for p in crowdpose_content["annotations"] if p["num_keypoints"] > 2 and not p["iscrowd"]][:2]
    people[1]["num_keypoints"] = 0
    row = {key: people[0][key] for key in ("image_id", "category_id", "keypoints")} | {"score": 1.0}
    truth = save(tmp_path / "truth.json", crowdpose_content | {"annotations": people})
    assert evaluate([row], truth, metric="crowdpose").figures["AP"] == pytest.approx(1)


def test_levels_without_pictures_are_minus_one_and_nothing_found_is_zero(tmp_path, crowdpose_content, save) -> None:
    for image in crowdpose_content["images"]:
        image["crowdIndex"] = 0.1
    figures = evaluate([], save(tmp_path / "truth.json", crowdpose_content), metric="crowdpose").figures
    assert [figures[level] for level in LEVELS] == [-1, 0, -1]
    assert figures["AP"] == 0


def test_a_file_without_crowd_index_is_refused(tmp_path, coco_content, save) -> None:
    for image in coco_content["images"]:
        del image["crowdIndex"]
    with pytest.raises(ValueError, match=r"truth\.json names no crowdIndex"):
        evaluate([], save(tmp_path / "truth.json", coco_content), metric="crowdpose")
