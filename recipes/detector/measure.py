"""Measure a detector's file on COCO pictures: box AP, recall of labelled people, and time.

    python -m recipes.detector.measure src/rdpose/weights/detector.onnx \
        --annotations ../shared/data/coco/annotations/person_keypoints_val2017.json \
        --images ../shared/data/coco/images/val2017

Box AP is COCO's for people, on the pictures whose labels are official (all people and crowd regions are labelled
there); recall at IoU .5 is that of people with joints, on all pictures.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from pathlib import Path

import cv2
import numpy as np
from onnxruntime import InferenceSession
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from recipes.bundled.teachers import suppress
from recipes.detector.export import milliseconds, session
from recipes.detector.nanodet import SIDE_PX

from rdpose import geometry
from rdpose.detection.onnx_detector import area_size
from rdpose.io import files, images

LOWEST_SCORE = 0.02
RECALL_SCORES = (0.1, 0.2, 0.3, 0.4, 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    options = parser.parse_args()
    table = files.read_json(options.annotations)
    found = find_all(options.model, table["images"], options.images)
    official = [row["id"] for row in table["images"] if row.get("labels", "official") == "official"]
    ap, ap50 = box_ap(table, {key: found[key] for key in official})
    print(f"box AP {ap:.3f}, AP50 {ap50:.3f} on {len(official)} pictures with all people labelled")
    for score, (recall, count) in recalls(table, found).items():
        print(f"above {score:.1f}: {recall:.3f} of people with joints found, {count} boxes")
    print(f"{milliseconds(options.model):.1f} ms a picture, onnxruntime, one thread")


def find_all(model: Path, rows: list[dict], folder: Path) -> dict[int, np.ndarray]:
    """Picture id -> (n, 5) x1 y1 x2 y2 in the picture's pixels and score, after suppression."""
    runner = session(model)
    return {row["id"]: find(runner, images.read(folder / row["file_name"])) for row in rows}


def find(runner: InferenceSession, rgb: np.ndarray) -> np.ndarray:
    """(n, 5) x1 y1 x2 y2 in the picture's pixels and score, after suppression, of a picture (height, width, 3)."""
    fitted = fit(rgb)
    boxes, scores = runner.run(None, {"image": fitted})
    return to_picture(boxes[0], scores[0], rgb.shape[1::-1], fitted.shape[:1:-1])


def fit(rgb: np.ndarray) -> np.ndarray:
    """A picture (height, width, 3) as the network's input (1, 3, h, w), in the picture's shape."""
    size_wh = area_size((SIDE_PX, SIDE_PX), rgb.shape[1::-1])
    return np.ascontiguousarray(cv2.resize(rgb, size_wh).transpose(2, 0, 1))[None]


def to_picture(
    boxes: np.ndarray, scores: np.ndarray, size_wh: tuple[int, ...], input_wh: tuple[int, ...]
) -> np.ndarray:
    """(n, 5) x1 y1 x2 y2 in the picture's pixels, cut at its border, and score, of what the network says of its input.

    Args:
        boxes: (cells, 4) pixels of the input.
        scores: (cells,).
        size_wh: the picture's.
        input_wh: the input's.
    """
    found = suppress(boxes, scores, lowest=LOWEST_SCORE)
    return np.column_stack([np.clip(found[:, :4] / np.tile(input_wh, 2), 0, 1) * np.tile(size_wh, 2), found[:, 4]])


def box_ap(table: dict, found: dict[int, np.ndarray]) -> tuple[float, float]:
    """COCO's AP, and AP at IoU .5, for people on the pictures in `found`, of a table in COCO's format."""
    rows = [
        {"image_id": key, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score}
        for key, boxes in found.items()
        for x1, y1, x2, y2, score in boxes.tolist()
    ]
    if not rows:
        return 0.0, 0.0
    truth = COCO()
    truth.dataset = table
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(rows), "bbox")
        evaluation.params.imgIds, evaluation.params.catIds = list(found), [1]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0]), float(evaluation.stats[1])


def recalls(table: dict, found: dict[int, np.ndarray]) -> dict[float, tuple[float, int]]:
    """Score -> share of people with joints that a box above the score covers at IoU .5, and the number of boxes."""
    people = [row for row in table["annotations"] if not row.get("iscrowd") and row.get("num_keypoints", 0)]
    best = dict.fromkeys(RECALL_SCORES, 0)
    for person in people:
        x, y, w, h = person["bbox"]
        boxes = found[person["image_id"]]
        overlap = geometry.iou([[x, y, x + w, y + h]], boxes[:, :4])[0]
        for score in RECALL_SCORES:
            best[score] += bool((overlap[boxes[:, 4] > score] >= 0.5).any())
    return {
        score: (best[score] / len(people), sum(int((boxes[:, 4] > score).sum()) for boxes in found.values()))
        for score in RECALL_SCORES
    }


if __name__ == "__main__":
    main()
