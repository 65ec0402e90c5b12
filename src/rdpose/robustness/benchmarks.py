"""Benchmarks of overlap: labelled people of some pictures, and their crops under true, noisy and missing boxes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import torch

from rdpose import geometry
from rdpose.data import annotations as annotation_files
from rdpose.data import transforms
from rdpose.data.crops import PictureCrops, neighbours_in_crop
from rdpose.data.loaders import PictureDataset
from rdpose.data.people import People
from rdpose.evaluation import coco
from rdpose.geometry import Convention
from rdpose.io.parsed import AnyFile, opened
from rdpose.skeletons import Skeleton

NOISE_SEED = 7
"""Boxes are noisy in the same way for every network."""


@dataclass(frozen=True, eq=False)
class Benchmark:
    """The people of an annotation file who count, groups marked as crowd left out."""

    name: str
    people: People
    truth: coco.Truth
    """The whole file as COCO's evaluation holds it."""

    @cached_property
    def image_ids(self) -> list[int]:
        """The pictures that count."""
        return self.people.image_id[np.unique(self.people.image_index)].tolist()

    @cached_property
    def centers(self) -> np.ndarray:
        """(people, 2) pixels: the mean of each person's labelled joints; NaN where nothing is labelled."""
        labelled = (self.people.visible > 0)[..., None]
        count = labelled.sum(axis=1)
        return np.where(count, (self.people.joints * labelled).sum(axis=1) / np.maximum(count, 1), np.nan)

    @cached_property
    def nearest_centers(self) -> np.ndarray:
        """(people, 2) pixels: for each person the nearest centre of another one of the picture; NaN without any."""
        nearest = np.full_like(self.centers, np.nan)
        for row in range(len(self.people)):
            others = self.centers[self.people.others_in_picture(row)]
            distance = np.linalg.norm(others - self.centers[row], axis=1)
            if np.isfinite(distance).any():
                nearest[row] = others[np.nanargmin(distance)]
        return nearest

    def crops(
        self,
        image_size: tuple[int, int],
        max_neighbours: int,
        *,
        box_noise: float = 0.0,
        convention: Convention = "hrnet",
        padding: float = geometry.CROP_PADDING,
    ) -> PictureCrops:
        """Crops of everybody who is labelled, in the order of the people; made once for each argument.

        Args:
            image_size: (width, height).
            box_noise: shift and growth of every box, own and others', see `transforms.disturb_boxes`.
            convention: how the crops lie in the picture.
            padding: of the boxes, as `geometry.crop_region` takes it.
        """
        return _crops(self, image_size, max_neighbours, box_noise, convention, padding)

    def with_noisy_neighbours(self, crops: PictureCrops, noise: float) -> PictureCrops:
        """The same crops, the other people's boxes disturbed."""
        height, width = crops.image.shape[-2:]
        boxes = geometry.xywh_to_xyxy(noisy(self.people, noise).box_xywh)
        disturbed = [
            neighbours_in_crop(
                geometry.transform_boxes(transform, boxes[self.people.others_in_picture(int(row))]),
                (width, height),
                crops.neighbours.shape[1],
            )
            for row, transform in zip(crops.index, crops.transform.numpy(), strict=True)
        ]
        return crops._replace(neighbours=torch.from_numpy(np.stack(disturbed)))


def read(
    name: str,
    annotations: AnyFile,
    images: Path,
    *,
    skeleton: Skeleton,
    min_crowd_index: float | None = None,
    max_people: int | None = None,
) -> Benchmark:
    """A benchmark of a COCO-format file.

    Args:
        min_crowd_index: only pictures whose `crowdIndex` (a column of the file) is above it.
        max_people: only the first pictures, until they have so many labelled people.

    Raises:
        FileNotFoundError, ValueError: the file is missing, is not COCO's, or nobody in it counts.
    """
    file = opened(annotations)
    people = annotation_files.read(file, images, skeleton=skeleton)
    counts = ~people.crowd
    if min_crowd_index is not None:
        if np.isnan(people.crowd_index).any():
            raise ValueError(f"{annotations}: its images have no crowdIndex to tell crowded pictures by")
        counts &= (people.crowd_index > min_crowd_index)[people.image_index]
    if max_people is not None:
        labelled = np.bincount(people.image_index, counts & people.labelled, people.num_images)
        counts &= (np.cumsum(labelled) - labelled < max_people)[people.image_index]
    if not people.visible[counts].any():
        raise ValueError(f"{annotations}: nobody in it has a labelled joint in a picture that counts for {name!r}")
    return Benchmark(name, people.select(counts), coco.read_truth(file))


def noisy(people: People, noise: float) -> People:
    """The same people with boxes moved and resized by N(0, noise) of their size; each as in every other call."""
    boxes = geometry.xywh_to_xyxy(people.box_xywh)
    moved = transforms.disturb_boxes(np.random.default_rng(NOISE_SEED), boxes, noise)
    return replace(people, box_xywh=geometry.xyxy_to_xywh(moved))


@cache
def _crops(
    benchmark: Benchmark,
    image_size: tuple[int, int],
    max_neighbours: int,
    box_noise: float,
    convention: Convention,
    padding: float,
) -> PictureCrops:
    people = noisy(benchmark.people, box_noise) if box_noise else benchmark.people
    dataset = PictureDataset(
        people,
        image_size,
        max_neighbours=max_neighbours,
        convention=convention,
        padding=padding,
        wanted=np.asarray(people.visible.any(axis=1)),
    )
    return PictureCrops.together(dataset[item] for item in range(len(dataset)))
