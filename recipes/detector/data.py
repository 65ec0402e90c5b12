"""Training pictures of the person detector: kept small in memory, drawn by source, warped, mixed and recoloured.

    album = Album.load(Path("data/detector/labels/train.json"))
    batch = album.batch(np.random.default_rng(0), 16)

A sample is an input as the network sees one: a picture enlarged or shrunk, or four of them around a point. A batch has
one of SIZES. Boxes are x1 y1 x2 y2 in the input's pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from rdpose.io import files, images

SHARES = {
    "coco": 0.12,
    "coco_more": 0.24,
    "actions": 0.28,
    "street": 0.14,
    "jai_alai": 0.02,
    "pasted_train": 0.08,
    "rendered_train": 0.06,
}
"""Chance of each source to give a picture."""
SIZES = {(480, 352): 0.45, (416, 416): 0.15, (352, 480): 0.25, (544, 320): 0.15}
"""Width and height of inputs, all of about SIDE_PX squared, and the chance of each."""
LONGEST_PX = 640
MOSAIC = 0.35
"""Chance of four pictures instead of one."""
ENLARGE = (0.75, 1.6)
SKEW = 0.12
"""Largest logarithm of the change of a picture's aspect."""
LEAST_SEEN, SMALLEST_PX = 0.35, 4.0
"""A box of which less is inside the input, or that is smaller there, is ignored."""


@dataclass(frozen=True)
class Labelled:
    """A picture with its people."""

    rgb: np.ndarray
    """(height, width, 3) uint8."""
    people: np.ndarray
    """(n, 5) x1 y1 x2 y2 and the chance that a person is there."""
    ignore: np.ndarray
    """(m, 4) x1 y1 x2 y2."""


@dataclass(frozen=True)
class Batch:
    pictures: Tensor
    """(b, 3, height, width) uint8 RGB."""
    people: list[Tensor]
    """For each picture (n, 5)."""
    ignore: list[Tensor]
    """For each picture (m, 4)."""


@dataclass(frozen=True)
class Album:
    """All labelled pictures, by source."""

    sources: dict[str, list[Labelled]]

    @classmethod
    def load(cls, table: Path) -> Album:
        sources: dict[str, list[Labelled]] = {}
        for row in files.read_json(table):
            sources.setdefault(row["source"], []).append(read(row))
        unknown = sources.keys() - SHARES.keys()
        if unknown:
            raise ValueError(f"{table} has sources without a share: {', '.join(sorted(unknown))}")
        return cls(sources)

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        sizes, chances = list(SIZES), list(SIZES.values())
        size_wh = sizes[rng.choice(len(sizes), p=chances)]
        samples = [self.sample(rng, *size_wh) for _ in range(size)]
        pictures = torch.from_numpy(np.stack([sample.rgb for sample in samples])).permute(0, 3, 1, 2)
        return Batch(
            pictures,
            [torch.from_numpy(sample.people).float() for sample in samples],
            [torch.from_numpy(sample.ignore).float() for sample in samples],
        )

    def sample(self, rng: np.random.Generator, width: int, height: int) -> Labelled:
        """An input of one picture or four, mirrored half of the time, in changed colours."""
        four = rng.random() < MOSAIC
        sample = self._mosaic(rng, width, height) if four else warp(self._draw(rng), rng, width, height)
        if rng.random() < 0.5:
            sample = mirror(sample)
        return Labelled(recolour(sample.rgb, rng), sample.people, sample.ignore)

    def _draw(self, rng: np.random.Generator) -> Labelled:
        names = list(self.sources)
        share = np.array([SHARES[name] for name in names])
        pictures = self.sources[names[rng.choice(len(names), p=share / share.sum())]]
        return pictures[int(rng.integers(len(pictures)))]

    def _mosaic(self, rng: np.random.Generator, width: int, height: int) -> Labelled:
        """Four pictures that meet at a point near the middle."""
        x, y = (int(side * rng.uniform(0.35, 0.65)) for side in (width, height))
        rgb = np.empty((height, width, 3), np.uint8)
        people, ignore = [], []
        for left, right in ((0, x), (x, width)):
            for top, bottom in ((0, y), (y, height)):
                part = warp(self._draw(rng), rng, right - left, bottom - top)
                rgb[top:bottom, left:right] = part.rgb
                corner = np.array([left, top, left, top])
                people.append(np.concatenate((part.people[:, :4] + corner, part.people[:, 4:]), axis=1))
                ignore.append(part.ignore + corner)
        return Labelled(rgb, np.concatenate(people), np.concatenate(ignore))


def read(row: dict) -> Labelled:
    """A row of the labels' table with its picture, made smaller if it is long."""
    rgb = images.read(row["file"])
    people = np.array(row["people"], np.float64).reshape(-1, 5)
    ignore = np.array(row["ignore"], np.float64).reshape(-1, 4)
    scale = LONGEST_PX / max(rgb.shape[:2])
    if scale < 1:
        rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        people[:, :4] *= scale
        ignore *= scale
    return Labelled(rgb, people, ignore)


def warp(picture: Labelled, rng: np.random.Generator, width: int, height: int) -> Labelled:
    """Lay a picture on a canvas of its own area, enlarged or shrunk, its aspect changed a little, at a random place."""
    size = np.array([picture.rgb.shape[1], picture.rgb.shape[0]])
    canvas = np.array([width, height])
    enlarged = np.exp(rng.uniform(*np.log(ENLARGE)))
    skew = np.exp(rng.uniform(-SKEW, SKEW) * np.array([0.5, -0.5]))
    scale = np.sqrt((canvas / size).prod()) * enlarged * skew
    shift = (canvas - size * scale) * rng.uniform(0, 1, 2)
    transform = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])
    rgb = picture.rgb
    if scale.max() < 0.6:  # linear sampling skips pixels
        rgb = cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        transform[:, :2] *= size / (rgb.shape[1], rgb.shape[0])
    grey = tuple(int(value) for value in rng.integers(60, 180, 3))
    rgb = cv2.warpAffine(rgb, transform, (width, height), flags=cv2.INTER_LINEAR, borderValue=grey)
    moved = picture.people[:, :4] * np.tile(scale, 2) + np.tile(shift, 2)
    return keep_seen(
        rgb,
        np.concatenate((moved, picture.people[:, 4:]), axis=1),
        picture.ignore * np.tile(scale, 2) + np.tile(shift, 2),
    )


def keep_seen(rgb: np.ndarray, people: np.ndarray, ignore: np.ndarray) -> Labelled:
    """Cut boxes at the border; people of whom little is left are ignored."""
    border = np.tile(np.array([rgb.shape[1], rgb.shape[0]]), 2)
    cut = people.copy()
    cut[:, :4] = cut[:, :4].clip(0, border)
    sides, before = cut[:, 2:4] - cut[:, :2], people[:, 2:4] - people[:, :2]
    seen = sides.prod(axis=1) / np.maximum(before.prod(axis=1), 1e-9)
    enough = (seen > LEAST_SEEN) & (sides > SMALLEST_PX).all(axis=1)
    left_over = cut[~enough & (sides > 0).all(axis=1), :4]
    ignore = np.concatenate((ignore.clip(0, border), left_over))
    return Labelled(rgb, cut[enough], ignore[((ignore[:, 2:] - ignore[:, :2]) > 0).all(axis=1)])


def mirror(picture: Labelled) -> Labelled:
    width = picture.rgb.shape[1]
    people, ignore = picture.people.copy(), picture.ignore.copy()
    people[:, [0, 2]] = width - people[:, [2, 0]]
    ignore[:, [0, 2]] = width - ignore[:, [2, 0]]
    return Labelled(np.ascontiguousarray(picture.rgb[:, ::-1]), people, ignore)


def recolour(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change brightness, contrast, the channels' balance and saturation; blur now and then."""
    gain = np.exp(rng.normal(0, 0.15) + rng.normal(0, 0.05, 3))
    offset = rng.normal(0, 12) + 128 * (1 - gain)
    saturation = rng.uniform(0.5, 1.4) if rng.random() > 0.04 else 0.0
    mix = saturation * np.eye(3) + (1 - saturation) * np.array([[0.299, 0.587, 0.114]] * 3)
    transform = np.concatenate((gain[:, None] * mix, offset[:, None]), axis=1)
    changed = cv2.transform(rgb, transform.astype(np.float32))
    return cv2.GaussianBlur(changed, (3, 3), 0) if rng.random() < 0.1 else changed
