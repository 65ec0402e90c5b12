"""Pasted crowds: real people in front of, or behind, other real people, with joints and true occlusion.

    cutouts = read_cutouts(annotations_with_polygons, images_dir)
    write_dataset(folder, people, cutouts, num_pictures=1000, seed=0, name="train")

A picture with one labelled person receives cut-outs of people from elsewhere, at a wanted overlap. A cut-out behind
the labelled person spares that person's silhouette, which is drawn around the labelled limbs where no mask exists.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from rdpose import geometry
from rdpose.data import annotations as annotation_files
from rdpose.data import tables
from rdpose.data.people import People
from rdpose.data.synthetic import Person, Scene
from rdpose.data.synthetic.dataset import write_scenes
from rdpose.io.parsed import ParsedFile
from rdpose.skeletons import COCO_17

LIMB_THICKNESS = 0.13
"""Of a silhouette's limbs, in units of the person's extent (the square root of the box's area)."""
SMALLEST_AREA = 100
"""Square pixels of a cut-out in the picture, below which nobody would label it."""
SHOULDERS_AND_HIPS = [5, 6, 12, 11]


Range = tuple[float, float]


@dataclass(frozen=True)
class Cutout:
    """A person with a mask, cut out of a picture."""

    picture: np.ndarray
    """(height, width, 3) RGB uint8."""
    mask: np.ndarray
    """(height, width) uint8, 255 inside."""
    joints: np.ndarray
    """(17, 2) pixels of the cut-out; COCO joints."""
    visible: np.ndarray
    """(17,) uint8."""


def read_cutouts(annotation_file: Path, images_dir: Path, *, min_height: int = 90, min_joints: int = 8) -> list[Cutout]:
    """The people of a COCO-format file that have polygons, are tall enough and labelled enough."""
    file = ParsedFile(annotation_file, polygons=True)
    people = annotation_files.read(file, images_dir, skeleton=COCO_17)
    names = tables.ids(file.annotations, "id", file.path).astype(np.str_)
    polygons = dict(zip(names.tolist(), [row.get("segmentation") for row in file.annotations], strict=True))
    enough = ((people.visible > 0).sum(axis=1) >= min_joints) & (people.box_xywh[:, 3] >= min_height) & ~people.crowd
    found = []
    for row in np.flatnonzero(enough):
        outline = polygons[str(people.person_id[row])]
        if isinstance(outline, list) and outline:
            found.append(_cut_out(people, int(row), outline))
    return found


def write_dataset(
    folder: Path,
    people: People,
    cutouts: Sequence[Cutout],
    *,
    num_pictures: int,
    seed: int,
    name: str,
    num_cutouts: tuple[int, int] = (1, 2),
    overlap: Range = (0.0, 0.9),
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Write pasted crowds as a COCO data set; picture i depends on (seed, i) alone. Returns the annotation file.

    Args:
        people: one labelled person to a picture, with COCO joints; drawn without repeats until all have been.
    """
    rows = np.resize(np.random.default_rng(seed).permutation(people.trainable()), num_pictures)
    scenes = (
        paste(np.random.default_rng((seed, i)), people, int(row), cutouts, num_cutouts=num_cutouts, overlap=overlap)
        for i, row in enumerate(rows)
    )
    return write_scenes(folder, scenes, name=name, info=f"rdpose pasted crowds, seed {seed}", progress=progress)


def paste(
    rng: np.random.Generator,
    people: People,
    row: int,
    cutouts: Sequence[Cutout],
    *,
    num_cutouts: tuple[int, int] = (1, 2),
    overlap: Range = (0.0, 0.9),
) -> Scene:
    """A scene of person `row` of `people` (COCO joints) with cut-outs before and behind.

    Args:
        num_cutouts: least and most.
        overlap: how much of the narrower one's width lies over the other's, 0..1, drawn evenly.
    """
    picture = people.picture(int(people.image_index[row]))
    box = people.box_xywh[row]
    joints, visible = people.joints[row], people.visible[row]
    base = _Layer(picture, silhouette(joints, visible, box, picture.shape[:2]), joints, visible)
    behind: list[_Layer] = []
    before: list[_Layer] = []
    for _ in range(rng.integers(num_cutouts[0], num_cutouts[1] + 1)):
        cutout = cutouts[int(rng.integers(len(cutouts)))]
        layer = _place(rng, cutout, box, picture.shape[:2], rng.uniform(*overlap))
        (before if rng.random() < 0.5 else behind).append(layer)
    return _compose(behind, base, before, box, float(people.area[row]))


def silhouette(joints: np.ndarray, visible: np.ndarray, box_xywh: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(height, width) uint8 mask around the labelled limbs of a person who has no mask of their own."""
    mask = np.zeros(shape, np.uint8)
    thickness = max(2, round(LIMB_THICKNESS * float(np.sqrt(box_xywh[2] * box_xywh[3]))))
    points = joints.round().astype(int)
    for a, b in COCO_17.limbs:
        if visible[a] and visible[b]:
            cv2.line(mask, points[a].tolist(), points[b].tolist(), 255, thickness)
    if visible[SHOULDERS_AND_HIPS].all():
        cv2.fillConvexPoly(mask, points[SHOULDERS_AND_HIPS], 255)
        # The head stands over the shoulders, as far away from the hips as half the trunk is long.
        shoulders, hips = joints[[5, 6]].mean(0), joints[[11, 12]].mean(0)
        head = shoulders + (shoulders - hips) * 0.45
        cv2.circle(mask, head.round().astype(int).tolist(), int(0.9 * thickness), 255, -1)
    return mask


@dataclass(frozen=True)
class _Layer:
    picture: np.ndarray
    mask: np.ndarray
    joints: np.ndarray
    visible: np.ndarray


def _cut_out(people: People, row: int, polygons: list[list[float]]) -> Cutout:
    picture = people.picture(int(people.image_index[row]))
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.array(p).reshape(-1, 2).round().astype(np.int32) for p in polygons], 255)
    x, y, w, h = cv2.boundingRect(mask)
    inside = (slice(y, y + h), slice(x, x + w))
    joints = people.joints[row] - (x, y)
    return Cutout(picture[inside].copy(), mask[inside].copy(), joints.astype(np.float32), people.visible[row])


def _place(
    rng: np.random.Generator, cutout: Cutout, box_xywh: np.ndarray, shape: tuple[int, int], overlap: float
) -> _Layer:
    """A cut-out as a layer of the picture, about as large as the labelled person, at the wanted overlap."""
    height, width = cutout.mask.shape
    x, y, w, h = box_xywh
    scale = np.sqrt(w * h / (height * width)) * rng.uniform(0.75, 1.25)
    flip = rng.random() < 0.5
    side = 1 if rng.random() < 0.5 else -1
    away = (w + scale * width) / 2 - overlap * min(w, scale * width)
    center = np.array([x + w / 2 + side * away, y + h / 2 + rng.normal(0, 0.08) * h])
    source = np.array([width, height]) / 2
    transform = np.array([[-scale if flip else scale, 0, 0], [0, scale, 0]])
    transform[:, 2] = center - transform[:, :2] @ source
    size = (shape[1], shape[0])
    picture = cv2.warpAffine(cutout.picture, transform, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(cutout.mask, transform, size, flags=cv2.INTER_LINEAR)
    joints, visible = geometry.apply(transform, cutout.joints), cutout.visible
    if flip:
        joints, visible = joints[COCO_17.flip_order], visible[COCO_17.flip_order]
    return _Layer(picture, mask, joints, visible)


def _compose(behind: list[_Layer], base: _Layer, before: list[_Layer], box_xywh: np.ndarray, area: float) -> Scene:
    """Paint from the farthest to the nearest; the base's own pixels are the picture's."""
    picture = base.picture.astype(np.float32)
    for layer in behind:
        _paint(picture, layer, layer.mask * (base.mask == 0))
    for layer in before:
        _paint(picture, layer, layer.mask)
    people = []
    covered = np.zeros(base.mask.shape, bool)
    for layer in reversed([*behind, base, *before]):
        truth = (box_xywh, area) if layer is base else None
        person = _person(layer, covered, truth)
        covered = covered | (layer.mask > 127)
        if person is not None:
            people.append(person)
    return Scene(picture.round().astype(np.uint8), people[::-1])


def _paint(picture: np.ndarray, layer: _Layer, mask: np.ndarray) -> None:
    """Blend a layer into a float picture; the mask's edge is softened by a pixel, as a lens would."""
    alpha = cv2.GaussianBlur(mask.astype(np.float32) / 255, (3, 3), 0)[..., None]
    picture += (layer.picture - picture) * alpha


def _person(layer: _Layer, covered: np.ndarray, truth: tuple[np.ndarray, float] | None) -> Person | None:
    """What is true of a layer once nearer ones cover part of it; None where little of it is in the picture.

    `truth` is the annotated box and area; those of the mask where there is none.
    """
    mask = layer.mask > 127
    size = int(mask.sum())
    if size < SMALLEST_AREA and truth is None:
        return None
    height, width = mask.shape
    inside = ((layer.joints >= 0) & (layer.joints <= (width - 1, height - 1))).all(axis=1)
    x, y = np.clip(layer.joints.round().astype(int), 0, (width - 1, height - 1)).T
    visible = np.where(covered[y, x], np.minimum(layer.visible, 1), layer.visible) * inside
    box, area = truth or (np.array(cv2.boundingRect(mask.view(np.uint8)), np.float32), float(size))
    return Person(
        joints=layer.joints,
        visible=visible.astype(np.uint8),
        box_xywh=box,
        area=area,
        visible_fraction=float((mask & ~covered).sum() / max(size, 1)),
        mask=mask,
        visible_mask=mask & ~covered,
    )
