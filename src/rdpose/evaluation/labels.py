"""The people of a COCO annotation file as columns, for measures that compare a person's own result with the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rdpose.data import tables
from rdpose.evaluation import results
from rdpose.evaluation.results import Results
from rdpose.geometry import AREA_OF_BOX
from rdpose.io.parsed import ParsedFile, Source, name_of
from rdpose.skeletons import Skeleton


@dataclass(frozen=True, eq=False)
class LabelledPeople:
    """m people with at least one labelled joint, in the order of the file; crowds are left out."""

    path: Path
    person_id: np.ndarray
    """(m,) int64, or str where they are words: annotation ids."""
    image_id: np.ndarray
    """(m,) likewise."""
    joints: np.ndarray
    """(m, k, 2) float64 pixels."""
    visible: np.ndarray
    """(m, k): above 0 where labelled."""
    area: np.ndarray
    """(m,) float64 square pixels; 0.53 x box where the file says none."""
    skeleton: Skeleton


def read(file: ParsedFile, *, skeleton: Skeleton | None = None) -> LabelledPeople:
    """Reads a COCO keypoint file; its category names the joints, unless they are given.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a COCO keypoint file, or its joints are not those of `skeleton`.
    """
    path = file.path
    skeleton, ids = results.people_of(file.categories, skeleton, path)
    try:
        of_people = [p for p in file.annotations if not ids or p.get("category_id", min(ids)) in ids]
        people = [p for p in of_people if is_labelled(p)]
        table = np.array([p["keypoints"] for p in people], np.float64).reshape(len(people), skeleton.num_joints, 3)
        table[~np.isfinite(table).all(axis=-1)] = 0  # labels whose place is not a number
        areas = [p.get("area") or AREA_OF_BOX * p["bbox"][2] * p["bbox"][3] for p in people]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is not a COCO keypoint file ({type(error).__name__}: {error})") from None
    person_id, image_id = tables.ids(people, "id", path), tables.ids(people, "image_id", path)
    results.refuse_doubles(person_id.tolist(), path)
    return LabelledPeople(
        path, person_id, image_id, table[..., :2], table[..., 2], np.array(areas, np.float64), skeleton
    )


def is_labelled(annotation: dict[str, Any]) -> bool:
    """Whether an annotation is of one person with a joint."""
    return not annotation.get("iscrowd") and any((annotation.get("keypoints") or ())[2::3])


def own_result(found: Results, person_id: np.ndarray, source: Source, path: Path | str) -> np.ndarray:
    """(m,) int64: the row of each person's own result, told by its `annotation_id`; -1 where there is none.

    Raises:
        ValueError: results name no person, the same one twice, or one who is in no way in the annotations.
    """
    name = name_of(source)
    if (found.annotation_id.astype(np.str_) == "-1").any():
        raise ValueError(
            f"{name} does not say whose result is whose (`annotation_id`); this measure needs one result for each "
            "annotated person: test with the boxes of the annotations"
        )
    if len(np.unique(found.annotation_id)) < len(found.annotation_id):
        raise ValueError(f"{name} holds more than one result for an annotated person; this measure needs one for each")
    own = tables.find_rows(person_id, found.annotation_id)
    if len(found.annotation_id) and len(person_id) and (own < 0).all():
        raise ValueError(f"{name} holds no result for anyone in {path}; measure it against its own set's annotations")
    return own
