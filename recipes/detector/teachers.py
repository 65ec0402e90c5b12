"""Two public person detectors as teachers, NanoDet-Plus and PicoDet, and the fusion of their boxes.

    teachers = load(Path("../shared/models"))             # needs PyPI ncnn
    boxes = fuse([find(rgb) for find in teachers])

The teachers label pictures; nothing of their weights enters the detector that is trained on the labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from recipes.bundled import teachers as bundled
from recipes.bundled.teachers import suppress

from rdpose import geometry

Teacher = Callable[[np.ndarray], np.ndarray]
"""RGB picture -> (n, 5) x1 y1 x2 y2 in its pixels and score, after suppression."""
MEAN_BGR = np.array([103.53, 116.28, 123.675], np.float32)
DEVIATION_BGR = np.array([57.375, 57.12, 58.395], np.float32)
LOWEST_SCORE = 0.05
FUSE_IOU = 0.65
"""From which on two views mean the same person; best of .55, .65 and .75 on COCO train."""


def load(models: Path) -> list[Teacher]:
    """The teachers of a folder, each as it is and mirrored, one thread each."""
    teachers = [nanodet_plus(models / "nanodet_plus_m_416"), picodet(models / "picodet_s_320_pedestrian")]
    return teachers + [mirrored(teacher) for teacher in teachers]


def nanodet_plus(folder: Path, side: int = 416) -> Teacher:
    """NanoDet-Plus-m: stretched to the square, four strides, distances as distributions over 8 bins."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = 1
    net.load_param(str(folder / "nanodet-plus-m_416.param"))
    net.load_model(str(folder / "nanodet-plus-m_416.bin"))

    def find(rgb: np.ndarray) -> np.ndarray:
        bgr = (cv2.resize(rgb, (side, side))[..., ::-1].astype(np.float32) - MEAN_BGR) / DEVIATION_BGR
        planes = np.ascontiguousarray(bgr.transpose(2, 0, 1), dtype=np.float32)  # ncnn reads it without copying
        runner = net.create_extractor()
        runner.input("data", ncnn.Mat(planes))
        boxes, scores = [], []
        for stride in (8, 16, 32, 64):
            cells = -(-side // stride)
            score = np.array(runner.extract(f"cls{stride}")[1])[0].ravel()
            bins = np.array(runner.extract(f"dis{stride}")[1]).reshape(-1, 4, 8)
            likely = score > LOWEST_SCORE
            weight = np.exp(bins[likely] - bins[likely].max(axis=-1, keepdims=True))
            distance = (weight @ np.arange(8)) / weight.sum(axis=-1) * stride
            boxes.append(around(distance, points(cells, cells, stride)[likely]))
            scores.append(score[likely])
        return suppress(
            np.concatenate(boxes) * np.tile(rgb.shape[1::-1], 2) / side, np.concatenate(scores), lowest=LOWEST_SCORE
        )

    return find


def picodet(folder: Path) -> Teacher:
    """PicoDet-S for pedestrians, with its less sure boxes too."""
    see = bundled.picodet(folder)
    return lambda rgb: suppress(*see(rgb), lowest=LOWEST_SCORE)


def mirrored(find: Teacher) -> Teacher:
    """The same teacher looking at the mirrored picture."""

    def look(rgb: np.ndarray) -> np.ndarray:
        found = find(np.ascontiguousarray(rgb[:, ::-1]))
        found[:, [0, 2]] = rgb.shape[1] - found[:, [2, 0]]
        return found

    return look


def fuse(views: Sequence[np.ndarray]) -> np.ndarray:
    """(n, 5): weighted boxes fusion (Solovyev et al. 2021) of several (k, 5), best first.

    Boxes that overlap become one, their mean weighted by the square of the score; its score is their sum over the
    number of views, so a box that only one view sees loses most of its score.
    """
    rows = np.concatenate(views)
    clusters: list[list[np.ndarray]] = []
    means = np.zeros((0, 4))
    for row in rows[np.argsort(-rows[:, 4], kind="stable")]:
        overlap = geometry.iou(row[None, :4], means)[0] if len(means) else np.zeros(1)
        best = int(overlap.argmax())
        if overlap[best] > FUSE_IOU:
            clusters[best].append(row)
            means[best] = _mean(clusters[best])
        else:
            clusters.append([row])
            means = np.concatenate((means, row[None, :4]))
    scores = np.array([min(1.0, sum(row[4] for row in cluster) / len(views)) for cluster in clusters])
    order = np.argsort(-scores, kind="stable")
    return np.concatenate((means, scores[:, None]), axis=1)[order]


def points(rows: int, columns: int, stride: int) -> np.ndarray:
    """(cells, 2) x and y of the cells' corners, row by row."""
    y, x = np.mgrid[:rows, :columns]
    return np.stack((x.ravel(), y.ravel()), axis=1) * stride


def around(distance: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """(n, 4) boxes of distances left, top, right, bottom from middles (n, 2)."""
    return np.concatenate((middle - distance[:, :2], middle + distance[:, 2:]), axis=1)


def _mean(rows: list[np.ndarray]) -> np.ndarray:
    stacked = np.array(rows)
    weight = stacked[:, 4] ** 2
    return stacked[:, :4].T @ weight / weight.sum()
