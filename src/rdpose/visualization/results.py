"""A results file over its pictures: who was found, beside who was there.

for path in plot_results("results.json", "figures", images="data/coco/images/val2017", annotations="...json"):
    print(path)
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from rdpose import drawing, oks, structures
from rdpose.data import annotations as annotation_files
from rdpose.data.people import OCCLUDED, People
from rdpose.io import images as picture_files
from rdpose.structures import Poses


def plot_results(
    results: str | Path,
    out: str | Path,
    *,
    images: str | Path,
    annotations: str | Path | None = None,
    style: str = "person",
    num: int | None = None,
    min_score: float = 0.3,
) -> Iterator[Path]:
    """Draw each picture of a COCO results file with its people; yields the files `out`/<picture's name>.png.

    Args:
        results: the results file.
        images: folder or zip of the pictures. Without annotations a picture is called by its id in 12 digits and
            .jpg, or by the id itself where that is a name.
        annotations: COCO-format file; gives the pictures' names, and the truth is drawn at the right.
        style: as in `drawing.draw_poses`.
        num: the first so many pictures; None: all.
        min_score: people below it are left out.

    Raises:
        FileNotFoundError, ValueError: a file is missing or is not what it should be, or has no people to draw.
    """
    truth = None if annotations is None else annotation_files.read(annotations, images)
    found = structures.read_results(results, truth.skeleton if truth is not None else None)
    if not found:
        raise ValueError(f"{results} holds no people: there is nothing to draw")
    for image_id in list(found)[:num]:
        shown = found[image_id][found[image_id].scores >= min_score]
        row = None if truth is None else image_row(truth, image_id, annotations)
        name = file_name(image_id) if truth is None or row is None else str(truth.image_name[row])
        if truth is None or row is None:
            drawn = structures.draw(picture_files.read(os.path.join(images, name)), shown, style=style)
        else:
            picture = truth.picture(row)
            alone = structures.draw(picture, shown, colors=colors_of_truth(shown, truth, row), style=style)
            drawn = drawing.panel([[alone, draw_truth(picture, truth, row, style=style)]], ["found", "truth"])
        yield drawing.save(Path(out, name).with_suffix(".png"), drawn)


def draw_truth(picture: np.ndarray, people: People, image: int, *, style: str = "person") -> np.ndarray:
    """The labelled people of picture row `image` over a copy of it; hidden joints are hollow."""
    rows = people.people_of(image)
    visible = people.visible[rows]
    return drawing.draw_poses(
        picture,
        people.joints[rows],
        (visible > 0).astype(np.float32),
        people.skeleton,
        occluded=visible == OCCLUDED,
        style=style,
    )


def colors_of_truth(found: Poses, people: People, image: int) -> np.ndarray:
    """(found, 3) uint8: each pose in the colour of the person it stands for, others in colours of their own."""
    rows = people.people_of(image)
    labels = (people.joints[rows], people.visible[rows], people.area[rows])
    alike = oks.oks_to_truth(found.joints, *labels, people.skeleton.sigmas)
    number = alike.shape[1] + np.arange(len(found))
    mine, theirs = linear_sum_assignment(-alike)
    sure = alike[mine, theirs] >= oks.LOOSE
    number[mine[sure]] = theirs[sure]
    return drawing.person_colors(number)


def image_row(people: People, image_id: int | str, annotations: str | Path | None) -> int:
    """The row of a picture in the columns of pictures, by its id, or by its name where the id is one.

    Raises:
        ValueError: the annotations list no such picture.
    """
    rows = np.flatnonzero(people.image_id.astype(np.str_) == str(image_id))
    if isinstance(image_id, str) and not len(rows):
        rows = np.flatnonzero(people.image_name == image_id)
    if not len(rows):
        raise ValueError(f"{annotations} lists no picture {image_id!r} of the results: give the file they belong to")
    return int(rows[0])


def file_name(image_id: int | str) -> str:
    """What COCO calls the picture of an id; an id that is a name stays."""
    return image_id if isinstance(image_id, str) else f"{image_id:012d}.jpg"
