"""The teachers: PicoDet finds people, PP-TinyPose looks at each of them.

Both are Apache-2.0 (PaddleDetection) and run in OpenVINO. ../shared/models/README.md
tells where they are from. They label pictures; no file of theirs is part of what ships.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from rdpose import geometry, heatmaps
from rdpose.models.rdpose import IMAGENET_MEAN, IMAGENET_STD
from rdpose.skeletons import COCO_17

CROP_WH, STRIDE, SIGMA = (192, 256), 4, 2.0
DETECTOR_SIDE, SURE, SAME_BOX = 320, 0.35, 0.6
"""The detector's picture, the score from which on a box counts, and the IoU from which on two are one."""
BATCHES = (8, 4, 2, 1)
"""Batch sizes that the pose network is compiled for."""

See = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""A picture (height, width, 3) RGB uint8 -> every box (n, 4) xyxy in it, doubles too, and its score (n,)."""
Look = Callable[[np.ndarray], Tensor]
"""Crops (n, 256, 192, 3) RGB uint8 -> heatmaps (n, 17, 64, 48) float32."""


class Teachers(NamedTuple):
    find: Callable[[np.ndarray], np.ndarray]
    """A picture (height, width, 3) RGB uint8 -> boxes (n, 4) xyxy."""
    look: Look


def load(models: Path, *, threads: int = 1) -> Teachers:
    """The two networks in a folder, for so many threads."""
    import openvino

    core, options = openvino.Core(), runtime_options(threads)
    see = picodet(models / "picodet_s_320_pedestrian", threads=threads)
    network, compiled = core.read_model(models / "tinypose_256x192/model.xml"), {}
    for size in BATCHES:
        network.reshape({network.inputs[0]: [size, 3, *CROP_WH[::-1]]})
        compiled[size] = core.compile_model(network, "CPU", options)

    def find(picture: np.ndarray) -> np.ndarray:
        return boxes_of(*see(picture), picture.shape[1::-1])

    def look(crops: np.ndarray) -> Tensor:
        parts, start = [], 0
        while start < len(crops):
            size = next(size for size in BATCHES if size <= len(crops) - start)
            parts.append(compiled[size](normalised(crops[start : start + size]))[0].copy())
            start += size
        return torch.from_numpy(np.concatenate(parts))

    return Teachers(find, look)


def picodet(folder: Path, *, threads: int = 1) -> See:
    """PicoDet-S for pedestrians, which sees the picture stretched to a square."""
    import openvino

    core = openvino.Core()
    network = core.compile_model(core.read_model(next(folder.glob("*.xml"))), "CPU", runtime_options(threads))

    def see(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = network(normalised(cv2.resize(picture, (DETECTOR_SIDE, DETECTOR_SIDE))[None]))
        return found[0][0] * np.tile(picture.shape[1::-1], 2) / DETECTOR_SIDE, found[1][0, 0]

    return see


def runtime_options(threads: int) -> dict[str, Any]:
    """What OpenVINO is told about a network that labels: the same answers on every machine."""
    return {
        "ENABLE_CPU_PINNING": False,  # two processes would else share one core
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }


def normalised(pictures: np.ndarray) -> np.ndarray:
    """(n, 3, height, width) float32 of pictures (n, height, width, 3) RGB uint8, as both networks take them."""
    mean, deviation = (np.array(values, np.float32) * 255 for values in (IMAGENET_MEAN, IMAGENET_STD))
    return np.ascontiguousarray(((pictures.astype(np.float32) - mean) / deviation).transpose(0, 3, 1, 2))


def boxes_of(boxes: np.ndarray, scores: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """(n, 4) xyxy in the picture: the detector's boxes (m, 4) that are sure and no double of a surer one."""
    inside = np.clip(boxes, 0, np.tile(size_wh, 2))
    return suppress(inside, scores, lowest=SURE)[:, :4].astype(np.float32)


def suppress(boxes: np.ndarray, scores: np.ndarray, *, lowest: float) -> np.ndarray:
    """(n, 5) xyxy and score, surest first: the boxes (m, 4) above a score that are no double of a surer one."""
    likely = scores > lowest
    boxes, scores = boxes[likely], scores[likely]
    xywh = np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    kept = np.array(cv2.dnn.NMSBoxes(xywh.tolist(), scores.tolist(), 0.0, SAME_BOX), dtype=int).reshape(-1)
    return np.column_stack([boxes[kept], scores[kept]]).astype(np.float64)


def crops_of(picture: np.ndarray, boxes_xyxy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Crops (n, 256, 192, 3) of boxes (n, 4), and the transforms (n, 2, 3) from picture to crop."""
    center, size = geometry.crop_region(geometry.xyxy_to_xywh(boxes_xyxy), CROP_WH[0] / CROP_WH[1])
    transforms = geometry.crop_transform(center, size, CROP_WH)
    crops = [cv2.warpAffine(picture, one.astype(np.float64), CROP_WH, flags=cv2.INTER_LINEAR) for one in transforms]
    return np.stack(crops), transforms


def heatmaps_of(look: Look, crops: np.ndarray, *, mirror: bool) -> Tensor:
    """(n, 17, 64, 48): the mean of a look at crops and, with `mirror`, of one at their mirror images."""
    if not mirror:
        return look(crops)
    straight, mirrored = look(np.concatenate([crops, crops[:, :, ::-1]])).chunk(2)
    return (straight + heatmaps.unflip(mirrored, torch.as_tensor(COCO_17.flip_order), True)) / 2


def to_picture(cells: Tensor, transforms: np.ndarray) -> np.ndarray:
    """(n, ..., 2) in picture pixels, of places in heatmap cells (n, ..., 2)."""
    places = cells.numpy() * STRIDE
    inverse = geometry.invert(transforms)
    return np.stack(
        [
            geometry.apply(one, place.reshape(-1, 2)).reshape(place.shape)
            for one, place in zip(inverse, places, strict=True)
        ]
    )
