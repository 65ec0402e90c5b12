"""Results files (COCO's format: image_id, category_id, keypoints, score) as checked columns; errors name the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rdpose import skeletons
from rdpose.data import categories, tables
from rdpose.io.parsed import Source, name_of, result_rows
from rdpose.skeletons import Skeleton

KEYS = ("image_id", "category_id", "keypoints", "score")


@dataclass(frozen=True, eq=False)
class Results:
    """n poses of k joints, in the order of the file."""

    image_id: np.ndarray
    """(n,) int64, or str where they are words."""
    category_id: np.ndarray
    """(n,) int64."""
    keypoints: np.ndarray
    """(n, k, 3) float64: x, y in pixels and the joint's confidence."""
    score: np.ndarray
    """(n,) float64."""
    annotation_id: np.ndarray
    """(n,) int64, or str: the annotated person whose box was given; -1 where the result does not say."""

    @property
    def joints(self) -> np.ndarray:
        """(n, k, 2) pixels."""
        return self.keypoints[..., :2]

    def to_rows(self) -> list[dict[str, Any]]:
        """What the evaluator reads; keypoints stay arrays, since millions of Python's own numbers take seconds."""
        keypoints = [*self.keypoints.reshape(len(self.score), 3 * self.keypoints.shape[1])]
        columns = (self.image_id.tolist(), self.category_id.tolist(), keypoints, self.score.tolist())
        return [dict(zip(KEYS, row, strict=True)) for row in zip(*columns, strict=True)]


def read(source: Source, num_joints: int) -> Results:
    """Results as columns, each row checked.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no list of results, a row lacks a key, has another number of keypoints, or not a number.
    """
    rows, name = result_rows(source, KEYS), name_of(source)
    for index, row in enumerate(rows):
        if len(row["keypoints"]) != 3 * num_joints:
            raise ValueError(
                f"{name}: result {index} has {len(row['keypoints'])} numbers as keypoints, the annotations' "
                f"{num_joints} joints need {3 * num_joints} (x, y, score each); is it a result of another joint set?"
            )
    return Results(
        image_id=tables.ids(rows, "image_id", name),
        category_id=_column(rows, "category_id", np.int64, name),
        keypoints=_column(rows, "keypoints", np.float64, name).reshape(-1, num_joints, 3),
        score=_column(rows, "score", np.float64, name),
        annotation_id=tables.ids(rows, "annotation_id", name, default=-1),
    )


def _column(rows: Sequence[dict[str, Any]], key: str, dtype: type[np.generic], name: str) -> np.ndarray:
    try:
        column = np.array([row[key] for row in rows], dtype=dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name}: `{key}` holds something else than numbers ({error})") from None
    bad = ~np.isfinite(column).reshape(len(rows), -1).all(axis=1) if len(rows) else np.zeros(0, bool)
    if bad.any():
        raise ValueError(f"{name}: result {bad.argmax()} holds NaN or infinity in `{key}`; leave such poses out")
    return column


def people_of(listed: Sequence[dict[str, Any]], asked: Skeleton | None, path: Path | str) -> tuple[Skeleton, set[int]]:
    """The joints that results are measured in, as asked or else as a file's category names them, and people's ids.

    Raises:
        ValueError: the file names other joints, or other places for them, than asked; or nobody names any.
    """
    person, ids = categories.people(listed, path)
    own = skeletons.from_category(person) if person.get("keypoints") else None
    if own and asked and own.joints != asked.joints:
        raise ValueError(
            f"{path} lists the joints {', '.join(own.joints)}, the skeleton {asked.name} "
            f"{', '.join(asked.joints)}; measure with the joints of the file, in its order"
        )
    if not (own or asked):
        raise ValueError(
            f"{path} is not a COCO keypoint file: it has no category with `keypoints`; name them there, or a skeleton"
        )
    return asked or own, ids  # type: ignore


def check_ids(
    found: Iterable[int | str], known: Collection[int | str], what: str, name: str, annotations: Path | str
) -> None:
    """Raises ValueError where results name ids that the annotations do not have."""
    known = set(known)
    unknown = sorted(set(found) - known, key=str)
    if unknown:
        raise ValueError(
            f"{name} holds results of {len(unknown)} {what} ids that are not in {annotations} (the first: "
            f"{unknown[0]}); measure it against the annotations of its own set"
        )


def refuse_doubles(person_ids: Sequence[int | str], path: Path | str) -> None:
    """Raises ValueError where annotations share an id, as in two exports put together: figures would be wrong."""
    if len(set(person_ids)) < len(person_ids):
        first, times = Counter(person_ids).most_common(1)[0]
        raise ValueError(
            f"{path} gives the annotation id {first} to {times} annotations; ids must be unique, so number them anew"
        )
