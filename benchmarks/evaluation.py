"""COCO's keypoint evaluation from files, ours beside pycocotools, in one run.

    python benchmarks/evaluation.py                     # the size of COCO val2017: pycocotools takes 20 s and more
    python benchmarks/evaluation.py --pictures 500

Writes 20 results for each picture, reads both files on both sides, prints seconds of processor time (what else the
machine does hardly counts, and ours gets no credit for using two cores), and checks that the ten figures are equal to
the last digit.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from rdpose import evaluation, skeletons

JOINTS = skeletons.get("coco").joints
RESULTS = 20


def annotations(pictures: int, people: int, rng: np.random.Generator) -> dict:
    """People of many sizes, a third of their joints unlabelled."""
    corner = rng.uniform(0, 400, (people, 1, 2))
    size = rng.choice([25, 60, 150, 400], (people, 1, 1)) * rng.uniform(0.6, 1.4, (people, 1, 2))
    visible = rng.choice([0, 1, 2], (people, len(JOINTS), 1), p=[0.3, 0.1, 0.6])
    joints = (corner + size * rng.uniform(0, 1, (people, len(JOINTS), 2))).round() * (visible > 0)
    table = np.concatenate([joints, visible], axis=2).reshape(people, -1)
    rows = [
        {
            "id": index + 1,
            "image_id": int(rng.integers(pictures)) + 1,
            "category_id": 1,
            "iscrowd": int(rng.uniform() < 0.02),
            "num_keypoints": int((visible[index] > 0).sum()),
            "area": float(size[index].prod() * 0.5),
            "bbox": [*corner[index, 0].tolist(), *size[index, 0].tolist()],
            "keypoints": table[index].tolist(),
        }
        for index in range(people)
    ]
    images = [{"id": image + 1, "width": 640, "height": 640, "file_name": f"{image}.jpg"} for image in range(pictures)]
    category = {"id": 1, "name": "person", "keypoints": list(JOINTS), "skeleton": []}
    return {"images": images, "annotations": rows, "categories": [category]}


def results(truth: dict, rng: np.random.Generator) -> list[dict]:
    """The people of each picture, found again and again with noise; a picture of nobody has poses anywhere."""
    people: dict[int, list[dict]] = {image["id"]: [] for image in truth["images"]}
    for person in truth["annotations"]:
        people[person["image_id"]].append(person)
    rows = []
    for image, here in people.items():
        for index in range(RESULTS):
            table = rng.uniform(0, 640, (len(JOINTS), 3))
            if here:
                person = here[index % len(here)]
                noise = rng.choice([0.02, 0.05, 0.1, 0.4]) * np.sqrt(person["area"])
                table = np.reshape(person["keypoints"], (-1, 3)) + rng.normal(0, noise, (len(JOINTS), 3))
            table[:, 2] = rng.uniform(size=len(JOINTS))
            row = {"image_id": image, "category_id": 1, "keypoints": table.round(3).ravel().tolist()}
            rows.append(row | {"score": float(rng.uniform())})
    return rows


def reference(found: Path, truth: Path) -> list[float]:
    """pycocotools, from the same files."""
    with contextlib.redirect_stdout(io.StringIO()):
        people = COCO(str(truth))
        evaluator = COCOeval(people, people.loadRes(str(found)), "keypoints")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return evaluator.stats.tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--people", type=float, default=2.2, help="for each picture")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        found, truth = Path(folder) / "results.json", Path(folder) / "annotations.json"
        content = annotations(options.pictures, int(options.pictures * options.people), rng)
        truth.write_text(json.dumps(content))
        found.write_text(json.dumps(results(content, rng)))

        ours = []
        for _ in range(3):
            start = time.process_time()
            scores = evaluation.evaluate(found, truth)
            ours.append(time.process_time() - start)
        start = time.process_time()
        expected = reference(found, truth)
        theirs = time.process_time() - start

    assert list(scores.figures.values()) == expected, "the two sides differ"
    print(f"{options.pictures} pictures, {len(content['annotations'])} people, {options.pictures * RESULTS} results")
    print(scores)
    print(f"pycocotools {theirs:.2f} s, rdpose {min(ours):.2f} s: {theirs / min(ours):.0f} times faster, equal figures")


if __name__ == "__main__":
    main()
