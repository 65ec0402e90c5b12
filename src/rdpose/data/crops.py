"""The crop of a person: pixels, and the boxes and joints of everybody in it. Pure numpy, but for what leaves it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from rdpose import geometry
from rdpose.geometry import Convention

SAME_PERSON_IOU = 0.9
"""A box that covers another one this well is taken for the same person's, not for a neighbour."""


class PictureCrops(NamedTuple):
    """The crops of all people of one picture, or of several pictures together."""

    image: Tensor
    """(people, 3, height, width) uint8."""
    box: Tensor
    """(people, 4) in the crop."""
    neighbours: Tensor
    """(people, others, 4) in the crop."""
    transform: Tensor
    """(people, 2, 3) from picture to crop."""
    index: Tensor
    """(people,) rows of the people."""

    @classmethod
    def together(cls, parts: Iterable[PictureCrops]) -> PictureCrops:
        """The people of several, one after the other."""
        return cls(*(torch.cat(columns) for columns in zip(*parts, strict=True)))

    def rows(self, rows: slice) -> PictureCrops:
        """Some of the people."""
        return PictureCrops(*(column[rows] for column in self))

    def batches(self, size: int) -> Iterator[PictureCrops]:
        """The people, so many at a time; the last may be fewer."""
        return (self.rows(slice(start, start + size)) for start in range(0, len(self.index), size))

    @property
    def inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """What a network is given: image, neighbours, box."""
        return self.image, self.neighbours, self.box


def crop_people(
    picture: np.ndarray,
    boxes_xyxy: np.ndarray,
    image_size: tuple[int, int],
    *,
    max_neighbours: int,
    convention: Convention = "hrnet",
    padding: float = geometry.CROP_PADDING,
    known: np.ndarray | None = None,
    wanted: np.ndarray | None = None,
) -> PictureCrops:
    """Crops of people of one picture, each with the others as its neighbours.

    Args:
        picture: (height, width, 3) RGB uint8.
        boxes_xyxy: (people, 4) pixels, of positive area.
        convention: how the crops lie in the picture.
        padding: of the boxes, as `geometry.crop_region` takes it.
        known: (people,) bool, who counts as a neighbour; everybody by default.
        wanted: rows of those to crop; all by default.
    """
    wanted = np.arange(len(boxes_xyxy)) if wanted is None else wanted
    boxes_xywh, aspect = geometry.xyxy_to_xywh(boxes_xyxy[wanted]), image_size[0] / image_size[1]
    center, size = geometry.crop_region(boxes_xywh, aspect, padding)
    transforms = geometry.crop_transform(center, size, image_size, convention=convention)
    in_crops = geometry.transform_boxes(transforms, np.broadcast_to(boxes_xyxy, (len(wanted), *boxes_xyxy.shape)))
    is_other = geometry.iou(boxes_xyxy[wanted], boxes_xyxy) < SAME_PERSON_IOU
    if known is not None:
        is_other &= known[None, :]
    neighbours = [
        neighbours_in_crop(boxes[other], image_size, max_neighbours)
        for boxes, other in zip(in_crops, is_other, strict=True)
    ]
    crops = [warp(picture, transform, image_size) for transform in transforms]
    return PictureCrops(
        image=torch.from_numpy(np.reshape(crops, (-1, *image_size[::-1], 3)).astype(np.uint8)).permute(0, 3, 1, 2),
        box=torch.from_numpy(in_crops[np.arange(len(wanted)), wanted]),
        neighbours=torch.from_numpy(np.reshape(neighbours, (-1, max_neighbours, 4)).astype(np.float32)),
        transform=torch.from_numpy(transforms),
        index=torch.from_numpy(wanted),
    )


def neighbours_in_crop(boxes_xyxy: np.ndarray, image_size: tuple[int, int], most: int) -> np.ndarray:
    """(most, 4): the boxes (n, 4) that reach into the crop, those nearest to its middle first, padded with zeros."""
    width, height = image_size
    low, high = boxes_xyxy[:, :2], boxes_xyxy[:, 2:]
    boxes = boxes_xyxy[((high > low) & (high > 0) & (low < (width, height))).all(axis=1)]
    distance = ((boxes[:, :2] + boxes[:, 2:]) / 2 - (width / 2, height / 2)) / (width, height)
    nearest = boxes[np.argsort((distance**2).sum(axis=1), kind="stable")[:most]]
    return np.concatenate([nearest, np.zeros((most - len(nearest), 4))]).astype(np.float32)


def inside(joints: np.ndarray, frame_xyxy: ArrayLike) -> np.ndarray:
    """(...,) bool: which of the points (..., 2) lie in a frame (4,)."""
    low, high = np.split(np.asarray(frame_xyxy), 2)
    return np.all((joints >= low) & (joints < high), axis=-1)


def boxes_inside(boxes_xyxy: np.ndarray, frame_xyxy: np.ndarray) -> np.ndarray:
    """(m, 4): the parts of boxes (n, 4) that lie in a frame (4,); those that lie outside are left out."""
    parts = np.clip(boxes_xyxy.reshape(-1, 2, 2), *np.split(frame_xyxy, 2))
    return parts[(parts[:, 1] > parts[:, 0]).all(axis=1)].reshape(-1, 4)


def rivals_in_crop(joints: np.ndarray, visible: np.ndarray, image_size: tuple[int, int], most: int) -> np.ndarray:
    """(most, joints, 3): x, y in the crop, and 1 where labelled and inside it; those with most such joints first.

    Args:
        joints, visible: (n, joints, 2) in the crop and (n, joints), of the other people.
    """
    counted = (visible > 0) & inside(joints, (0, 0, *image_size))
    chosen = np.argsort(-counted.sum(axis=1), kind="stable")[:most]
    found = np.zeros((most, joints.shape[1], 3), np.float32)
    found[: len(chosen), :, :2] = np.where(counted[chosen, :, None], joints[chosen], 0)
    found[: len(chosen), :, 2] = counted[chosen]
    return found


def warp(picture: np.ndarray, transform: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """(height, width, 3) uint8: the crop that `transform` (2, 3) takes from the picture; black outside."""
    return cv2.warpAffine(picture, transform.astype(np.float64), size_wh, flags=cv2.INTER_LINEAR)


def cut(picture: np.ndarray, transform: np.ndarray, frame_xyxy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of a picture in a frame (4,), at least one pixel, and the transform (2, 3) as that part needs it."""
    size = np.array(picture.shape[1::-1])
    low = np.clip(np.floor(frame_xyxy[:2]), 0, size - 1).astype(int)
    high = np.clip(np.ceil(frame_xyxy[2:]), low + 1, size).astype(int)
    moved = transform[:, 2] + transform[:, :2] @ low
    return picture[low[1] : high[1], low[0] : high[0]], np.column_stack([transform[:, :2], moved])


def to_tensor(crop: np.ndarray) -> Tensor:
    """(3, height, width) of a (height, width, 3) picture, of the same memory."""
    return torch.from_numpy(crop).permute(2, 0, 1)
