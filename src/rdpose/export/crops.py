"""Crops to check an export with, and to calibrate it: of rendered people, or of one's own pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rdpose import geometry
from rdpose.config.schema import Settings
from rdpose.data import annotations as annotation_files
from rdpose.data import synthetic
from rdpose.data.crops import PictureCrops, crop_people
from rdpose.data.loaders import PictureDataset
from rdpose.data.people import People
from rdpose.io import images

MOST = 128
"""Pictures that calibrate: more change the ranges no more."""


def rendered(settings: Settings, count: int = 3) -> list[PictureCrops]:
    """The people of `count` rendered crowds, a batch each, of different sizes."""
    batches = []
    for index in range(count):
        scene = synthetic.render_scene(synthetic.scene_rng(0, index), num_people=index + 1, overlap=(0.3, 0.8))
        boxes = geometry.xywh_to_xyxy(np.stack([person.box_xywh for person in scene.people]))
        batches.append(_crops_of(scene.picture, boxes, settings))
    return batches


def of_folder(folder: Path, annotations: Path | None, settings: Settings) -> list[PictureCrops]:
    """The people that `annotations` has in the pictures of a folder, a batch for each; without, the whole pictures.

    The annotations may be those of a whole set, of which the folder holds a part.

    Raises:
        FileNotFoundError: there is no such folder or file.
        ValueError: there are no pictures, or none of those that the annotations list.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder} of pictures to calibrate with")
    if annotations is not None:
        dataset = _annotated(annotation_files.read(annotations, folder), annotations, settings)
        chosen = [dataset[int(index)] for index in spread(len(dataset))]
    else:
        endings = images.folder_endings()
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in endings)
        chosen = [whole(paths[index], settings) for index in spread(len(paths))]
    if not chosen:
        raise ValueError(f"{annotations or folder} has no pictures of people; give some dozens to calibrate with")
    return chosen


def _annotated(people: People, annotations: Path, settings: Settings) -> PictureDataset:
    """Everybody but groups in the pictures that are there."""
    paths = [people.image_path(image) for image in range(people.num_images)]
    absent = set(images.missing(paths))
    there = np.array([path not in absent for path in paths])
    if not there.any():
        raise ValueError(
            f"none of the {people.num_images} pictures of {annotations} is in {people.image_roots[0]} (the first: "
            f"{people.image_name[0]}); name the folder that their names start from"
        )
    wanted = there[people.image_index] & ~people.crowd
    model, neighbours = settings.model, settings.data.max_neighbours
    return PictureDataset(
        people,
        model.image_size,
        max_neighbours=neighbours,
        convention=model.geometry,
        padding=model.padding,
        wanted=wanted,
    )


def whole(path: Path, settings: Settings) -> PictureCrops:
    """A picture as one box."""
    picture = images.read(path)
    box = np.array([[0, 0, picture.shape[1], picture.shape[0]]], np.float32)
    return _crops_of(picture, box, settings)


def _crops_of(picture: np.ndarray, boxes_xyxy: np.ndarray, settings: Settings) -> PictureCrops:
    model = settings.model
    return crop_people(
        picture,
        boxes_xyxy,
        model.image_size,
        max_neighbours=settings.data.max_neighbours,
        convention=model.geometry,
        padding=model.padding,
    )


def spread(count: int) -> np.ndarray:
    """At most `MOST` of the numbers below `count`, evenly spaced."""
    return np.unique(np.linspace(0, max(count - 1, 0), min(count, MOST)).round().astype(int))
