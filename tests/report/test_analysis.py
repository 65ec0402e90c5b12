"""The parts of an analysis: crowd index, neighbours, single joints, what errors cost."""

import json

import numpy as np
import pytest

from rdpose.data import annotations
from rdpose.report import analysis
from rdpose.report.matching import NOBODY

ROWS = np.linspace(0, 1, 17)


def body(left: float, top: float = 100.0) -> np.ndarray:
    """(17, 2): joints down a zigzag of 60 x 160 pixels."""
    return np.stack([left + 60 * (np.arange(17) % 2), top + 160 * ROWS], axis=-1)


def labelled(identity: int, image: int, left: float) -> dict:
    labels = np.concatenate([body(left), np.full((17, 1), 2)], axis=1)
    person = {"id": identity, "image_id": image, "category_id": 1, "bbox": [left, 100, 60, 160]}
    return person | {"area": 5000.0, "iscrowd": 0, "num_keypoints": 17, "keypoints": labels.ravel().tolist()}


@pytest.fixture
def files(tmp_path):
    """Three pictures: two people who overlap, two apart, one alone; everybody found where they are."""
    places = {1: [100, 130], 2: [50, 400], 3: [200]}
    people, results = [], []
    for image, lefts in places.items():
        for left in lefts:
            people.append(labelled(len(people) + 11, image, left))
            results.append(answer(image, people[-1]["id"], body(left), 0.5 + 0.05 * len(people)))
    names = [f"joint_{i}" for i in range(17)]
    category = {"id": 1, "name": "person", "keypoints": names, "skeleton": []}
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 640, "height": 480} for i in places]
    content = {"images": images, "annotations": people, "categories": [category]}
    (tmp_path / "labels.json").write_text(json.dumps(content))
    return tmp_path, results


def answer(image: int, person: int, joints: np.ndarray, score: float) -> dict:
    keypoints = np.concatenate([joints, np.full((17, 1), 0.9)], axis=1).ravel().tolist()
    row = {"image_id": image, "category_id": 1, "keypoints": keypoints, "score": score}
    return row | {"annotation_id": person}


def analyse(folder, results) -> analysis.Analysis:
    (folder / "results.json").write_text(json.dumps(results))
    return analysis.analyse(folder / "results.json", annotations.read(folder / "labels.json", "images"))


def test_a_perfect_result(files):
    folder, results = files
    done = analyse(folder, results)
    assert done.all.ap == 1.0
    assert (done.by_joint == 1).all()
    assert (done.kinds == 0).all()
    assert (done.gains == 0).all()
    assert done.misassigned == (0, 4)
    assert np.allclose(done.likeness, 1)
    assert dict(done.by_size)["64 to 96 px"].num_people == 5
    assert np.isnan(dict(done.by_size)["over 160 px"].ap)


def test_crowd_index_by_hand(files):
    folder, _ = files
    index = analysis.crowd_index(annotations.read(folder / "labels.json", "images"))
    # In picture 1 the right column of the left person (8 joints) lies in the right box, the left column of the right
    # person (9 joints) in the left box.
    assert np.allclose(index, [(9 / 17 + 8 / 17) / 2, 0, 0])


def test_crowds_and_people_without_joints_do_not_count_in_the_crowd_index(files):
    folder, _ = files
    content = json.loads((folder / "labels.json").read_text())
    content["annotations"][1]["iscrowd"] = 1
    (folder / "labels.json").write_text(json.dumps(content))
    assert (analysis.crowd_index(annotations.read(folder / "labels.json", "images")) == 0).all()


def test_the_levels_of_a_file_that_names_them_are_crowdposes(files):
    from rdpose import evaluation

    folder, results = files
    content = json.loads((folder / "labels.json").read_text())
    for image, index in zip(content["images"], (0.05, 0.1, 0.9), strict=True):
        image["crowdIndex"] = index
    content["annotations"][0]["num_keypoints"] = 0
    del content["annotations"][1]["area"]
    (folder / "labels.json").write_text(json.dumps(content))
    results[1] = answer(1, 12, body(132), 0.6)
    results[2] = answer(2, 13, body(58), 0.7)
    done = analyse(folder, results)
    figures = evaluation.evaluate(folder / "results.json", folder / "labels.json", metric="coco").figures
    assert done.all.ap == figures["AP"]
    truth = annotations.read(folder / "labels.json", "images")
    assert analysis.crowd_index(truth).tolist() == [0.05, 0.1, 0.9]
    assert [curves.num_people for _, curves in done.by_crowd] == [1, 2, 1]


def test_a_pose_on_the_neighbour_is_misassigned(files):
    folder, results = files
    results[2] = answer(2, 13, body(402), 0.7)
    done = analyse(folder, results)
    assert done.misassigned == (1, 4)
    assert done.all.ap < 1
    assert done.likeness[2] < 0.1
    assert done.finder[2] == 2


def test_all_results_of_a_crowded_picture_are_judged(files):
    """Figures end at 20 results of a picture, misassignment does not."""
    from rdpose import evaluation

    folder, _ = files
    labels = json.loads((folder / "labels.json").read_text())
    labels["annotations"] = [labelled(number, 1, 20 * number) for number in range(1, 26)]
    (folder / "labels.json").write_text(json.dumps(labels))
    right = [answer(1, number, body(20 * number), 0.9 - number / 100) for number in range(1, 26)]
    results = [*right[:20], *(answer(1, number, body(20), 0.01) for number in range(21, 26))]
    assert analyse(folder, results).misassigned == (5, 25)
    told = evaluation.misassignment(results, folder / "labels.json")
    assert (told.num_misassigned, told.num_with_neighbours) == (5, 25)


def test_nobody_knows_whom_results_looked_for_without_their_ids(files):
    folder, results = files
    for result in results:
        del result["annotation_id"]
    done = analyse(folder, results)
    assert done.misassigned is None
    assert (done.finder != NOBODY).all()


def test_a_missed_joint_costs_its_own_ap_and_what_putting_it_right_gives_back(files):
    folder, results = files
    for result in results:
        result["keypoints"][0] += 200
    done = analyse(folder, results)
    assert done.by_joint[0] == 0
    assert (done.by_joint[1:] == 1).all()
    assert done.gains[4] == pytest.approx(1 - done.all.ap)
    assert done.all.ap < 1


def test_no_results_at_all(files):
    folder, _ = files
    done = analyse(folder, [])
    assert done.all.ap == 0
    assert (done.by_joint == 0).all()
    assert (done.finder == NOBODY).all()
    assert done.kinds.shape == (0, 17)
