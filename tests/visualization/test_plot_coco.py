"""The family's drawing command: a results file becomes pictures, with the truth beside where it is known."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from rdpose.data import annotations
from rdpose.drawing import person_colors, save
from rdpose.skeletons import COCO_17
from rdpose.structures import Poses
from rdpose.visualization import results as plotting

SCRIPT = Path(__file__).resolve().parents[2] / "visualization" / "plot_coco.py"


def pose(image_id, shift: float = 0.0, score: float = 0.9) -> dict:
    points = np.random.default_rng(5).uniform(20, 100, (17, 2)) + shift
    keypoints = np.concatenate([points, np.full((17, 1), 0.8)], axis=1).ravel().round(1).tolist()
    return {"image_id": image_id, "category_id": 1, "keypoints": keypoints, "score": score}


@pytest.fixture
def data(tmp_path):
    """A results file, two pictures named by their ids, and labels of the first."""
    for image_id in (4, 9):
        save(tmp_path / "images" / f"{image_id:012d}.jpg", np.full((120, 160, 3), 90, np.uint8))
    label = pose(4) | {"id": 1, "bbox": [10, 10, 100, 100], "area": 5000, "iscrowd": 0, "num_keypoints": 17}
    label["keypoints"][2::3] = [1, *[2] * 16]
    content = {
        "images": [{"id": i, "file_name": f"{i:012d}.jpg", "width": 160, "height": 120} for i in (4, 9)],
        "annotations": [label],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_17.joints), "skeleton": []}],
    }
    (tmp_path / "labels.json").write_text(json.dumps(content))
    (tmp_path / "results.json").write_text(json.dumps([pose(4), pose(9, 10), pose(9, 15, score=0.1)]))
    return tmp_path


def test_pictures_are_drawn_alone_or_beside_the_truth(data):
    alone = list(plotting.plot_results(data / "results.json", data / "a", images=data / "images"))
    beside = list(
        plotting.plot_results(
            data / "results.json", data / "b", images=data / "images", annotations=data / "labels.json", num=1
        )
    )
    assert [path.name for path in alone] == ["000000000004.png", "000000000009.png"]
    assert [path.name for path in beside] == ["000000000004.png"]
    first = cv2.imread(str(alone[0]))
    assert first.shape == (120, 160, 3)
    assert (abs(first.astype(int) - 90) > 40).any()
    assert cv2.imread(str(beside[0])).shape[1] > 320


def test_people_below_the_score_are_left_out(data):
    results, images = data / "results.json", data / "images"
    few = list(plotting.plot_results(results, data / "a", images=images))
    all_of_them = list(plotting.plot_results(results, data / "b", images=images, min_score=0.0))
    assert (cv2.imread(str(few[1])) != cv2.imread(str(all_of_them[1]))).any()


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([], "no people"),
        ([pose(4), pose(77)], r"labels\.json lists no picture 77"),
        ([pose("x.jpg")], "lists no picture 'x.jpg'"),
    ],
)
def test_what_does_not_fit_is_named(data, results, message):
    (data / "results.json").write_text(json.dumps(results))
    with pytest.raises(ValueError, match=message):
        list(
            plotting.plot_results(
                data / "results.json", data / "a", images=data / "images", annotations=data / "labels.json"
            )
        )


def test_poses_take_the_colour_of_the_person_they_stand_for(data):
    truth = annotations.read(data / "labels.json", data / "images")
    rows = [pose(4, 300), pose(4, 1)]
    found = plotting.colors_of_truth(Poses.from_coco(rows, COCO_17), truth, 0)
    assert np.array_equal(found, person_colors([1, 0]))
    assert plotting.colors_of_truth(Poses.empty(COCO_17), truth, 1).shape == (0, 3)


def run(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, SCRIPT, *map(str, words)], cwd=cwd, capture_output=True, text=True)


def test_the_command_finds_the_family_folders_and_speaks_in_sentences(data):
    (data / "data/coco/annotations").mkdir(parents=True)
    (data / "data/coco/images").mkdir()
    (data / "images").rename(data / "data/coco/images/val2017")
    (data / "labels.json").rename(data / "data/coco/annotations/person_keypoints_val2017.json")
    words = ("--prediction", "results.json", "--save-path", "out", "--style", "chunhua")
    done = run(*words, cwd=data)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 pictures in out, with people of a score from 0.3 (--min-score)\n"
    assert cv2.imread(str(data / "out" / "000000000009.png")).shape[1] > 320
    wrong = run("--prediction", "nowhere.json", cwd=data)
    assert wrong.returncode == 1
    assert wrong.stderr.startswith(
        "error: nowhere.json does not exist; `rdpose test` writes results to output/<dataset>/"
    )
    written = data / "output/coco/hrnet_w32/run/results/keypoints_val2017_results.json"
    written.parent.mkdir(parents=True)
    written.touch()
    wrong = run("--prediction", "nowhere.json", cwd=data)
    assert wrong.stderr.endswith(f": the newest is {written.relative_to(data)}\n")
