"""PCKh by hand and against the formula's loops, from gt_valid.mat and from valid.json; PCK of the torso by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import scipy.io

from rdpose.evaluation import evaluate, left_out
from rdpose.skeletons import MPII_16

NAMES = MPII_16.joints
COLUMNS = ["Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Mean", "Mean@0.1"]


def mpii_people(num: int = 30, seed: int = 0) -> list[dict]:
    """People of the family's valid.json (from 1), whose head box is 80 % longer than neck to head top, as in MPII."""
    rng = np.random.default_rng(seed)
    people = []
    for index in range(num):
        joints = rng.uniform(50, 400, (16, 2))
        visible = (rng.uniform(size=16) > 0.2).astype(int)
        visible[[8, 9]] = 1
        row = {"image": f"{index}.jpg", "center": [200, 200], "scale": 2.0}
        people.append(row | {"joints": joints.tolist(), "joints_vis": visible.tolist()})
    return people


def matlab_truth(people: list[dict]) -> dict:
    joints = np.array([p["joints"] for p in people])
    middle, half = (joints[:, 8] + joints[:, 9]) / 2, (joints[:, 9] - joints[:, 8]) / 2 / 0.8
    return {
        "pos_gt_src": joints.transpose(1, 2, 0),
        "jnt_missing": 1 - np.array([p["joints_vis"] for p in people]).T,
        "headboxes_src": np.stack([middle - half, middle + half]).transpose(0, 2, 1),
    }


def results_of(people: list[dict], noise: float, seed: int = 1) -> list[dict]:
    rng = np.random.default_rng(seed)
    rows = []
    for index, person in enumerate(people):
        head = 0.75 * math.dist(person["joints"][8], person["joints"][9])
        joints = np.array(person["joints"]) - 1 + rng.normal(0, noise * head, (16, 2))
        keypoints = np.concatenate([joints, np.ones((16, 1))], axis=1).ravel().tolist()
        row = {"image_id": index, "category_id": 1, "keypoints": keypoints, "score": 1.0, "annotation_id": index}
        rows.append(row)
    return rows[::-1]


def loop_pckh(people: list[dict], rows: list[dict], threshold: float) -> tuple[dict[str, float], float]:
    """The family's formula, one joint at a time: per cent for each joint, and the mean weighted by labelled joints."""
    right, labelled = np.zeros(16), np.zeros(16)
    poses = {row["annotation_id"]: np.array(row["keypoints"]).reshape(16, 3) for row in rows}
    for index, person in enumerate(people):
        head = 0.6 * math.dist(person["joints"][8], person["joints"][9]) / 0.8
        for joint in range(16):
            if person["joints_vis"][joint]:
                x, y = poses[index][joint][:2] + 1
                labelled[joint] += 1
                right[joint] += math.dist((x, y), person["joints"][joint]) / head <= threshold
    counted = [joint for joint in range(16) if NAMES[joint] not in ("pelvis", "thorax")]
    mean = sum(labelled[j] / labelled[counted].sum() * (100 * right[j] / labelled[j]) for j in counted)
    return {name: 100 * right[j] / labelled[j] for j, name in enumerate(NAMES)}, mean


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.3, 1.0])
@pytest.mark.parametrize("source", ["matlab", "json", "json beside matlab"])
def test_pckh_is_the_loop_of_its_formula(noise, source, tmp_path, save) -> None:
    people = mpii_people()
    rows = results_of(people, noise)
    truth = save(tmp_path / "valid.json", people)
    if source != "json":
        scipy.io.savemat(tmp_path / "gt_valid.mat", matlab_truth(people))
    scores = evaluate(rows, tmp_path / "gt_valid.mat" if source == "matlab" else truth, metric="mpii")
    joint, mean = loop_pckh(people, rows, 0.5)
    assert list(scores.figures) == COLUMNS
    assert scores.figures["Head"] == pytest.approx(joint["head_top"])
    assert scores.figures["Ankle"] == pytest.approx((joint["left_ankle"] + joint["right_ankle"]) / 2)
    assert scores.main == scores.figures["Mean"] == pytest.approx(mean)
    assert scores.figures["Mean@0.1"] == pytest.approx(loop_pckh(people, rows, 0.1)[1])
    assert ("no gt_valid.mat" in scores.note) == (source == "json")


def test_pckh_by_hand(tmp_path, save) -> None:
    """Head size 0.75 x 40 = 30 px: 14.9 px off is right, 15.1 px off is wrong; 2.9 px off is right at 0.1."""
    joints = [[10.0 * j, 100.0] for j in range(16)]
    joints[9] = [joints[8][0], 140.0]
    person = {"image": "a.jpg", "center": [80, 80], "scale": 1.0, "joints": joints, "joints_vis": [1] * 16}
    truth = save(tmp_path / "valid.json", [person])
    [row] = results_of([person], 0)
    table = np.array(row["keypoints"]).reshape(16, 3)
    table[:, 1] += 2.9  # within 0.1 of the head
    table[9, 1] += 12  # head top: 14.9 px
    table[0, 1] += 12.2  # right ankle: 15.1 px
    table[[6, 7], 1] += 99  # pelvis and thorax are not asked for
    figures = evaluate([row | {"keypoints": table.ravel().tolist()}], truth, metric="mpii").figures
    assert figures["Head"] == 100
    assert figures["Ankle"] == 50
    assert figures["Mean"] == pytest.approx(100 * 13 / 14)
    assert figures["Mean@0.1"] == pytest.approx(100 * 12 / 14)


def test_head_sizes_from_two_joints_are_those_of_whole_pixel_boxes(shared_data) -> None:
    """On MPII's own people, (neck to head top / 0.8)^2 is a whole number: the diagonal of a box of whole pixels."""
    for person in json.loads((shared_data / "samples/mpii/test_mpii.json").read_text()):
        squared = (math.dist(person["joints"][8], person["joints"][9]) / 0.8) ** 2
        assert squared == pytest.approx(round(squared), abs=0.2), person["image"]


def test_the_familys_own_prediction_file_is_read(tmp_path, save) -> None:
    people = mpii_people()
    rows = results_of(people, 0.3)
    truth = save(tmp_path / "valid.json", people)
    poses = np.array([row["keypoints"] for row in rows[::-1]]).reshape(-1, 16, 3)[..., :2]
    scipy.io.savemat(tmp_path / "pred.mat", {"preds": poses + 1})
    found = evaluate(tmp_path / "pred.mat", truth, metric="mpii").figures
    assert found == pytest.approx(evaluate(rows, truth, metric="mpii").figures)
    assert left_out(tmp_path / "pred.mat", truth) == ""
    scipy.io.savemat(tmp_path / "pred.mat", {"preds": poses[:3]})
    with pytest.raises(ValueError, match=r"pred\.mat holds poses \(3, 16, 2\), .* has 30 people"):
        evaluate(tmp_path / "pred.mat", truth, metric="mpii")


def test_unlabelled_heads_are_left_out_and_named(tmp_path, save) -> None:
    people = mpii_people(3)
    people[1]["joints_vis"][9] = 0
    scores = evaluate(results_of(people, 0), save(tmp_path / "valid.json", people), metric="mpii")
    assert scores.figures["Mean"] == 100
    assert "1 people without them left out" in scores.note


def test_nothing_found_is_zero(tmp_path, save) -> None:
    figures = evaluate([], save(tmp_path / "valid.json", mpii_people(3)), metric="mpii").figures
    assert set(figures.values()) == {0.0}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda rows: [{k: v for k, v in row.items() if k != "annotation_id"} for row in rows],
            "whose result is whose",
        ),
        (lambda rows: [*rows, rows[0]], "more than one result"),
        (lambda rows: [row | {"annotation_id": 999} for row in rows[:1]], "no result for anyone"),
    ],
)
def test_results_that_name_nobody_are_refused(spoil, message, tmp_path, save) -> None:
    people = mpii_people(3)
    with pytest.raises(ValueError, match=message):
        evaluate(spoil(results_of(people, 0)), save(tmp_path / "valid.json", people), metric="mpii")


@pytest.mark.parametrize("content", [{"annotations": []}, [{"image": "a.jpg"}], [3]])
def test_other_files_than_mpiis_are_refused(content, tmp_path, save) -> None:
    with pytest.raises(ValueError, match=r"valid\.json is not one of the family's MPII files"):
        evaluate([], save(tmp_path / "valid.json", content), metric="mpii")


def test_pck_by_hand(tmp_path, own, save) -> None:
    """Torso 50 px (3-4-5), so 10 px off is right. Two people of four joints; the second has no result."""
    names = ["left_hip", "right_shoulder", "left_knee", "right_knee"]
    names += ["right_hip", "left_shoulder"]
    place = [*(60, 20, 2), *(90, 60, 2), *(100, 100, 2), *(200, 100, 2), *(0, 0, 0), *(0, 0, 0)]
    people = [
        {"id": 7 + i, "image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9], "keypoints": place} for i in range(2)
    ]
    category = {"id": 1, "name": "person", "keypoints": names}
    truth = save(tmp_path / "t.json", {"images": [{"id": 1}], "annotations": people, "categories": [category]})
    [row, _] = own(json.loads(truth.read_text()) | {"annotations": [p | {"iscrowd": 0} for p in people]})
    row["keypoints"][6] += 10.0  # left knee, on the edge
    row["keypoints"][9] += 10.5  # right knee, past it
    scores = evaluate([row], truth, metric="pck")
    assert scores.figures == {"Hip": 50, "Shoulder": 50, "Knee": 25, "Mean": pytest.approx(100 * 3 / 8)}


def test_pck_of_people_without_a_torso(tmp_path, coco_content, own, save) -> None:
    labelled = [p for p in coco_content["annotations"] if p["num_keypoints"] and not p["iscrowd"]]
    for person in labelled[:2]:
        for joint in (5, 6):
            person["keypoints"][3 * joint : 3 * joint + 3] = [0, 0, 0]
    flags = np.array([p["keypoints"] for p in labelled]).reshape(-1, 17, 3)[..., 2] > 0
    lost = int((~(flags[:, 11] & flags[:, 6]) & ~(flags[:, 12] & flags[:, 5])).sum())
    scores = evaluate(own(coco_content), save(tmp_path / "truth.json", coco_content), metric="pck")
    assert lost >= 2
    assert f"{lost} people without a labelled torso" in scores.note
    assert scores.figures["Mean"] == 100
    coco_content["categories"][0]["keypoints"] = [f"own_{i}" for i in range(17)]
    with pytest.raises(ValueError, match="PCK needs a torso"):
        evaluate(own(coco_content), save(tmp_path / "own.json", coco_content), metric="pck")
