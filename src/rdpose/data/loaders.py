"""People to crops: one random crop each in training, all crops of a picture at once in testing.

A training sample depends on (seed, epoch, index) alone, whichever worker or process makes it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from rdpose import geometry
from rdpose.config.schema import AugmentSettings, NeighbourSettings
from rdpose.data import candidates, crops, transforms
from rdpose.data.crops import PictureCrops
from rdpose.data.people import People
from rdpose.geometry import Convention
from rdpose.models.perturbation import NUM_DRAWS


class CropDataset(Dataset):
    """Training crops. Asked by (epoch, index), it gives one sample: a dictionary of tensors.

    image (3, height, width) uint8 RGB; joints (joints, 2) and visible (joints,) in the crop; box (4,) and neighbours
    (max_neighbours, 4), x1, y1, x2, y2 in the crop, disturbed, rows without area are padding; rivals (max_neighbours,
    joints, 3), what `rivals_in_crop` gives; draws (NUM_DRAWS,) uniform numbers for PDM; index. Where
    files have candidates also candidates (joints, candidates, 3), what `candidates.in_view` gives.

    Args:
        people: whose trainable people are drawn.
        image_size: (width, height) of the crop.
        convention: how the crop lies in the picture.
        padding: of the boxes, as `geometry.crop_region` takes it.
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
        convention: Convention = "hrnet",
        padding: float = geometry.CROP_PADDING,
        repeats: np.ndarray | None = None,
    ) -> None:
        trainable = people.trainable()
        self.rows = trainable if repeats is None else np.repeat(trainable, repeats[trainable])
        self.people, self.image_size, self.padding, self.seed = people, image_size, padding, seed
        self.convention: Convention = convention
        self.augment, self.neighbours, self.max_neighbours = augment, neighbours, max_neighbours

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: tuple[int, int]) -> dict[str, Tensor]:
        epoch, number = index
        rng = np.random.default_rng((self.seed, epoch, number))
        row, people = self.rows[number], self.people
        rows = np.append(row, people.others_in_picture(row))
        view = self._view(rng, row)
        transform = geometry.crop_transform(
            view.center, view.size, self.image_size, view.rotation_deg, view.flip, self.convention
        )
        boxes = crops.boxes_inside(geometry.xywh_to_xyxy(people.box_xywh[rows[1:]]), view.frame_xyxy)
        others = transforms.disturb_neighbours(rng, boxes, self.neighbours)
        picture = people.picture(people.image_index[row])
        crop = transforms.change_pixels(
            rng, crops.warp(*crops.cut(picture, transform, view.frame_xyxy), self.image_size), self.augment
        )
        joints, visible = self._labels(rows, view, transform)
        sample = {
            "joints": joints[0],
            "visible": visible[0].copy(),
            "rivals": crops.rivals_in_crop(joints[1:], visible[1:], self.image_size, self.max_neighbours),
            "box": geometry.transform_boxes(transform, geometry.xywh_to_xyxy(view.box_xywh[None]))[0],
            "neighbours": crops.neighbours_in_crop(
                geometry.transform_boxes(transform, others), self.image_size, self.max_neighbours
            ),
            "draws": rng.random(NUM_DRAWS, dtype=np.float32),
        }
        if people.candidates.shape[2]:
            sample["candidates"] = candidates.in_view(
                people.candidates[row], view, transform, self.image_size, people.skeleton.flip_order
            )
        tensors = {name: torch.from_numpy(value) for name, value in sample.items()}
        return {"image": crops.to_tensor(crop), **tensors, "index": torch.tensor(row)}

    def _view(self, rng: np.random.Generator, row: int) -> transforms.View:
        return transforms.draw_view(
            rng,
            self.people.box_xywh[row],
            self.people.joints[row],
            self.people.visible[row],
            upper_body=self.people.skeleton.upper_body,
            aspect=self.image_size[0] / self.image_size[1],
            padding=self.padding,
            settings=self.augment,
        )

    def _labels(self, rows: np.ndarray, view: transforms.View, transform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Joints (n, K, 2) of people in the crop, and visible (n, K): 0 where the view does not reach."""
        places, order = self.people.joints[rows], self.people.skeleton.flip_order
        joints = geometry.apply(transform, places)
        visible = np.where(crops.inside(places, view.frame_xyxy), self.people.visible[rows], 0)
        if view.flip:
            joints, visible = joints[:, order], visible[:, order]
        if view.part:  # as in a picture that ends there
            visible = np.where(crops.inside(joints, (0, 0, *self.image_size)), visible, 0)
        return joints, visible


class PictureDataset(Dataset):
    """Testing crops: one item per picture that has people, decoded once.

    Args:
        people: boxes to look at, and the neighbours of each other.
        convention: how the crops lie in the picture.
        padding: of the boxes, as `geometry.crop_region` takes it.
        wanted: (people,) bool, whose crops are made; the others are neighbours only.
        neighbour_score: people below it are looked at, but are nobody's neighbours.
    """

    def __init__(
        self,
        people: People,
        image_size: tuple[int, int],
        *,
        max_neighbours: int,
        convention: Convention = "hrnet",
        padding: float = geometry.CROP_PADDING,
        wanted: np.ndarray | None = None,
        neighbour_score: float = 0.0,
    ) -> None:
        self.people, self.image_size, self.max_neighbours = people, image_size, max_neighbours
        self.convention: Convention = convention
        self.padding = padding
        self.wanted = ~people.crowd if wanted is None else wanted
        self.known = (people.score >= neighbour_score) & ~people.crowd
        self.images = np.unique(people.image_index[self.wanted])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> PictureCrops:
        rows = self.people.people_of(self.images[index])
        wanted = np.flatnonzero(self.wanted[rows])
        found = crops.crop_people(
            self.people.picture(self.images[index]),
            geometry.xywh_to_xyxy(self.people.box_xywh[rows]),
            self.image_size,
            max_neighbours=self.max_neighbours,
            convention=self.convention,
            padding=self.padding,
            known=self.known[rows],
            wanted=wanted,
        )
        return found._replace(index=torch.from_numpy(rows[wanted]))


def num_workers(asked: int) -> int:
    """Processes that load: as many as asked for, but no more than this one may use processors."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(asked, own)


def one_thread(_worker: int) -> None:
    """A loader's `worker_init_fn`: OpenCV starts no threads, of which each worker would have as many as processors."""
    cv2.setNumThreads(0)


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
