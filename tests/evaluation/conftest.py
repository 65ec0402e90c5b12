"""Small COCO files, noisy results, and pycocotools as the judge."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rdpose.skeletons import COCO_17, CROWDPOSE_14, Skeleton

Json = dict[str, Any]


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def crowd_file(skeleton: Skeleton, seed: int = 0, pictures: int = 12) -> Json:
    """People of many sizes, with unlabelled joints, unlabelled people and crowd regions, in COCO's format."""
    rng = np.random.default_rng(seed)
    people = []
    for image in range(1, pictures + 1):
        for _ in range(rng.integers(0, 6)):
            side = rng.choice([20, 50, 90, 200])
            corner, size = rng.uniform(0, 300, 2), side * rng.uniform(0.6, 1.4, 2)
            joints = corner + size * rng.uniform(0, 1, (skeleton.num_joints, 2))
            visible = rng.choice([0, 1, 2], (skeleton.num_joints, 1), p=[0.3, 0.2, 0.5]) * (rng.uniform() > 0.15)
            table = np.concatenate([joints.round(2) * (visible > 0), visible], axis=1)
            person = {
                "id": 100 + len(people),
                "image_id": image,
                "category_id": 1,
                "bbox": [*corner.tolist(), *size.tolist()],
                "area": float(size.prod() * rng.uniform(0.4, 0.7)),
                "iscrowd": int(rng.uniform() < 0.1),
                "num_keypoints": int((visible > 0).sum()),
                "keypoints": table.ravel().tolist(),
            }
            people.append(person)
    images = [
        {"id": i, "width": 500, "height": 500, "file_name": f"{i}.jpg", "crowdIndex": round(i / pictures, 2)}
        for i in range(1, pictures + 1)
    ]
    category = {"id": 1, "name": "person", "keypoints": list(skeleton.joints), "skeleton": []}
    return {"images": images, "annotations": people, "categories": [category]}


def noisy_results(content: Json, noise: float, seed: int = 0) -> list[Json]:
    """Two poses for each person, off by a Gaussian of `noise` times the person's size; scores of few values (ties)."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in content["annotations"]:
        table = np.array(person["keypoints"], float).reshape(-1, 3)
        size = np.sqrt(person["bbox"][2] * person["bbox"][3])
        for _ in range(2):
            shifted = table + np.array([1, 1, 0]) * rng.normal(0, noise * size, table.shape)
            row = {"image_id": person["image_id"], "category_id": 1, "keypoints": shifted.ravel().tolist()}
            rows.append(row | {"score": float(rng.integers(1, 50)) / 50})
    return rows


def own_results(content: Json, noise: float = 0.0, seed: int = 0) -> list[Json]:
    """One pose for each labelled person, who is named by `annotation_id`."""
    people = [person for person in content["annotations"] if any(person["keypoints"][2::3]) and not person["iscrowd"]]
    rows = noisy_results({"annotations": people}, noise, seed)[::2]
    return [row | {"annotation_id": person["id"]} for row, person in zip(rows, people, strict=True)]


def pycocotools_figures(annotations: Json, rows: list[Json], sigmas=None, images=None) -> list[float]:
    """The reference: pycocotools' ten figures."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = annotations
        truth.createIndex()
        evaluator = COCOeval(truth, truth.loadRes(json.loads(json.dumps(rows))), "keypoints")
        if sigmas is not None:
            evaluator.params.kpt_oks_sigmas = np.array(sigmas)
        if images is not None:
            evaluator.params.imgIds = images
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return evaluator.stats.tolist()


@pytest.fixture
def coco_content() -> Json:
    return crowd_file(COCO_17)


@pytest.fixture
def crowdpose_content() -> Json:
    return crowd_file(CROWDPOSE_14)


@pytest.fixture
def some_pictures() -> Callable[[Path, int], Json]:
    """The first pictures of a real file, with their people."""

    def read(path: Path, pictures: int) -> Json:
        content = json.loads(path.read_text())
        content["images"] = content["images"][:pictures]
        ids = {image["id"] for image in content["images"]}
        content["annotations"] = [person for person in content["annotations"] if person["image_id"] in ids]
        return content

    return read


@pytest.fixture
def noisy() -> Callable[..., list[Json]]:
    return noisy_results


@pytest.fixture
def own() -> Callable[..., list[Json]]:
    return own_results


@pytest.fixture
def save() -> Callable[[Path, Any], Path]:
    return write


@pytest.fixture
def reference() -> Callable[..., list[float]]:
    return pycocotools_figures
