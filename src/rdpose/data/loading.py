"""People to crops: one random crop each in training, all crops of a picture at once in testing.

A training sample depends on (seed, epoch, index) alone, whichever worker or process makes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from rdpose import geometry
from rdpose.data import augment, pictures
from rdpose.data.people import People
from rdpose.models.perturbation import NUM_DRAWS
from rdpose.settings import AugmentSettings, NeighbourSettings

SAME_PERSON_IOU = 0.9
"""A box that covers another one this well is taken for the same person's, not for a neighbour."""


class CropDataset(Dataset):
    """Training crops. Asked by (epoch, index), it gives one sample: a dictionary of tensors.

    image (3, height, width) uint8 RGB; joints (joints, 2) and visible (joints,) in the crop; box (4,) and neighbours
    (max_neighbours, 4), x1, y1, x2, y2 in the crop, disturbed, rows without area are padding; rivals (max_neighbours,
    joints, 3), what `rivals_in_crop` gives; draws (NUM_DRAWS,) uniform numbers for PDM; index.

    Args:
        people: whose trainable people are drawn.
        image_size: (width, height) of the crop.
        repeats: how often each person counts in an epoch, (people,); None is once.
    """

    def __init__(
        self,
        people: People,
        image_size: tuple[int, int],
        *,
        augment: AugmentSettings,
        neighbours: NeighbourSettings,
        max_neighbours: int,
        seed: int,
        repeats: np.ndarray | None = None,
    ) -> None:
        trainable = people.trainable()
        self.rows = trainable if repeats is None else np.repeat(trainable, repeats[trainable])
        self.people, self.image_size, self.seed = people, image_size, seed
        self.augment, self.neighbours, self.max_neighbours = augment, neighbours, max_neighbours

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: tuple[int, int]) -> dict[str, Tensor]:
        epoch, number = index
        rng = np.random.default_rng((self.seed, epoch, number))
        row, people = self.rows[number], self.people
        rows = np.append(row, people.others_in_picture(row))
        boxes = geometry.xywh_to_xyxy(people.box_xywh[rows])
        view = augment.draw_view(
            rng,
            people.box_xywh[row],
            people.joints[row],
            people.visible[row],
            upper_body=people.skeleton.upper_body,
            aspect=self.image_size[0] / self.image_size[1],
            settings=self.augment,
        )
        transform = geometry.crop_transform(view.center, view.size, self.image_size, view.rotation_deg, view.flip)
        picture = pictures.read(people.image_path(people.image_index[row]))
        crop = warp(*cut(picture, transform, view.frame_xyxy), self.image_size)
        joints, visible = geometry.apply(transform, people.joints[rows]), people.visible[rows]
        visible = np.where(inside(people.joints[rows], view.frame_xyxy), visible, 0)
        if view.flip:
            joints, visible = joints[:, people.skeleton.flip_order], visible[:, people.skeleton.flip_order]
        if view.part:  # as in a picture that ends there
            visible = np.where(inside(joints, (0, 0, *self.image_size)), visible, 0)
        others = augment.disturb_neighbours(rng, boxes_inside(boxes[1:], view.frame_xyxy), self.neighbours)
        return {
            "image": to_tensor(augment.change_pixels(rng, crop, self.augment)),
            "joints": torch.from_numpy(joints[0]),
            "visible": torch.from_numpy(visible[0].copy()),
            "rivals": torch.from_numpy(rivals_in_crop(joints[1:], visible[1:], self.image_size, self.max_neighbours)),
            "box": torch.from_numpy(geometry.transform_boxes(transform, geometry.xywh_to_xyxy(view.box_xywh[None]))[0]),
            "neighbours": torch.from_numpy(
                neighbours_in_crop(geometry.transform_boxes(transform, others), self.image_size, self.max_neighbours)
            ),
            "draws": torch.from_numpy(rng.random(NUM_DRAWS, dtype=np.float32)),
            "index": torch.tensor(row),
        }


class PictureCrops(NamedTuple):
    """The crops of all people of one picture."""

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


class PictureDataset(Dataset):
    """Testing crops: one item per picture that has people, decoded once.

    Args:
        people: boxes to look at, and the neighbours of each other.
        wanted: (people,) bool, whose crops are made; the others are neighbours only.
        neighbour_score: people below it are looked at, but are nobody's neighbours.
    """

    def __init__(
        self,
        people: People,
        image_size: tuple[int, int],
        *,
        max_neighbours: int,
        wanted: np.ndarray | None = None,
        neighbour_score: float = 0.0,
    ) -> None:
        self.people, self.image_size, self.max_neighbours = people, image_size, max_neighbours
        self.wanted = ~people.crowd if wanted is None else wanted
        self.known = (people.score >= neighbour_score) & ~people.crowd
        self.images = np.unique(people.image_index[self.wanted])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> PictureCrops:
        rows = self.people.people_of(self.images[index])
        wanted = np.flatnonzero(self.wanted[rows])
        crops = crop_people(
            pictures.read(self.people.image_path(self.images[index])),
            geometry.xywh_to_xyxy(self.people.box_xywh[rows]),
            self.image_size,
            max_neighbours=self.max_neighbours,
            known=self.known[rows],
            wanted=wanted,
        )
        return crops._replace(index=torch.from_numpy(wanted + rows.start))


def crop_people(
    picture: np.ndarray,
    boxes_xyxy: np.ndarray,
    image_size: tuple[int, int],
    *,
    max_neighbours: int,
    known: np.ndarray | None = None,
    wanted: np.ndarray | None = None,
) -> PictureCrops:
    """Crops of people of one picture, each with the others as its neighbours.

    Args:
        picture: (height, width, 3) RGB uint8.
        boxes_xyxy: (people, 4) pixels, of positive area.
        known: (people,) bool, who counts as a neighbour; everybody by default.
        wanted: rows of those to crop; all by default.
    """
    wanted = np.arange(len(boxes_xyxy)) if wanted is None else wanted
    center, size = geometry.crop_region(geometry.xyxy_to_xywh(boxes_xyxy[wanted]), image_size[0] / image_size[1])
    transforms = geometry.crop_transform(center, size, image_size)
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


class EpochSampler(Sampler[list[tuple[int, int]]]):
    """Batches of (epoch, index) of one process; all processes together see every person at least once an epoch.

    The order is a permutation drawn from (seed, epoch). Its start is appended until the processes' batches are full,
    so that every step of every process has `batch_size` samples. Process r takes the r-th part of each global batch.
    """

    def __init__(self, num_samples: int, batch_size: int, *, seed: int, rank: int = 0, world: int = 1) -> None:
        self.num_samples, self.batch_size, self.seed = num_samples, batch_size, seed
        self.rank, self.world, self.epoch = rank, world, 0

    def __len__(self) -> int:
        return -(-self.num_samples // (self.batch_size * self.world))

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.num_samples)
        steps = np.resize(order, (len(self), self.world, self.batch_size))[:, self.rank]
        for indices in steps:
            yield [(self.epoch, int(index)) for index in indices]
