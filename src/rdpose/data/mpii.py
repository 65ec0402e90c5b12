"""MPII annotation files of the HRNet family (train, trainval, valid, test) -> People.

A file is a list of `{image, center, scale, joints, joints_vis}`, counted from 1; test.json has no joints. A person is
a centre and a scale (height / 200 px), not a box. The family moves the centre down by 15 px x scale, widens the scale
by 1.25, and subtracts 1 from all coordinates; its crop is then 200 px x the widened scale. The box here is the square
of side 200 px x scale around the moved centre, so that `geometry.crop_region` with its margin of 1.25 and a square
input gives that very crop.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rdpose import geometry
from rdpose.data.people import NO_PLACE, People, assemble, reorder
from rdpose.data.tables import column
from rdpose.io.parsed import ParsedFile, Rows
from rdpose.skeletons import MPII_16, Skeleton

PIXELS_PER_SCALE = 200
CENTER_SHIFT = 15
"""Pixels per scale by which the centre moves down, towards the middle of the whole body."""


def read(file: ParsedFile, images_dir: Path | str, *, skeleton: Skeleton | None = None) -> People:
    """Reads an MPII file; `data.annotations.read` says what comes back and what is raised.

    Pictures are numbered in the order in which they first appear, people by their row in the file (`person_id`), which
    is the order of `gt_valid.mat`.
    """
    path, rows = file.path, people_rows(file)
    box = _boxes(rows, path)
    kept = geometry.valid_boxes(box)
    name, first, image_index = np.unique(column(rows, "image", np.str_, path), return_index=True, return_inverse=True)
    order = np.argsort(first)
    joints, visible, lost = _joints(rows, path)
    skipped = {"without a centre or a scale": int((~kept).sum()), NO_PLACE: lost}
    if skeleton is not None and skeleton.joints != MPII_16.joints:
        joints, visible = reorder(joints, visible, skeleton.columns_in(MPII_16))
    return assemble(
        image_index=np.argsort(order)[image_index][kept],
        box_xywh=box[kept],
        joints=joints[kept],
        visible=visible[kept],
        person_id=np.flatnonzero(kept),
        image_id=np.arange(len(name)),
        image_name=name[order],
        image_root=images_dir,
        skeleton=skeleton or MPII_16,
        skipped={reason: count for reason, count in skipped.items() if count},
    )


def people_rows(file: ParsedFile) -> Rows:
    """The file's people, of whom there are some."""
    rows = file.rows("one of the family's MPII files, a list of people; is it in COCO format?")
    if not rows:
        raise ValueError(f"{file} lists nobody; fetch the file again")
    return rows


def _boxes(rows: Rows, path: Path | str) -> np.ndarray:
    """(n, 4) squares as said above, from 0; not a number where the centre is missing, which is written as -1."""
    scale = column(rows, "scale", np.float64, path)[:, None]
    center = _table(rows, "center", (2,), path)
    center = np.where(center[:, :1] == -1, np.nan, center)
    middle = center + scale * [0, CENTER_SHIFT] - 1
    side = scale * PIXELS_PER_SCALE
    return np.concatenate([middle - side / 2, side, side], axis=-1).astype(np.float32)


def _joints(rows: Rows, path: Path | str) -> tuple[np.ndarray, np.ndarray, int]:
    """Joints (n, 16, 2) from 0, visible (n, 16): 2 where labelled; the files do not tell occluded from visible; and how
    many labels have no place."""
    count = MPII_16.num_joints
    if "joints" not in rows[0]:
        return np.zeros((len(rows), count, 2), np.float32), np.zeros((len(rows), count), np.uint8), 0
    meant, places = _table(rows, "joints_vis", (count,), path) > 0, _table(rows, "joints", (count, 2), path) - 1
    labelled = meant & np.isfinite(places).all(axis=-1)
    joints = np.where(labelled[..., None], places, 0)
    return joints.astype(np.float32), np.where(labelled, 2, 0).astype(np.uint8), int((meant & ~labelled).sum())


def _table(rows: Rows, key: str, shape: tuple[int, ...], path: Path | str) -> np.ndarray:
    """(n, *shape) float64."""
    values: list[Any] = [row.get(key) for row in rows]
    try:
        table = np.array(values, dtype=np.float64)
    except (ValueError, TypeError):
        table = np.empty(0)
    if table.shape != (len(rows), *shape):
        expected = " x ".join(map(str, shape))
        raise ValueError(f"{path}: `{key}` is not {expected} numbers for each person, as in the family's MPII files")
    return table
