"""Results files (COCO's format: image_id, category_id, keypoints, score) as checked columns; errors name the file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rdpose import skeletons
from rdpose.data import categories, tables
from rdpose.io import files
from rdpose.skeletons import Skeleton

Source = Path | str | Sequence[dict[str, Any]]
"""A results file (a list in .json, or the lines of a .jsonl, as `predict` leaves them where it is killed), or rows."""

_IMAGE_ID = re.compile(rb'"image_id"\s*:\s*(\d+)')
_CATEGORY_ID = re.compile(rb'"category_id"\s*:\s*(\d+)')


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
        """What a COCO evaluator reads, in Python's own numbers."""
        keypoints = self.keypoints.reshape(len(self.score), 3 * self.keypoints.shape[1])
        columns = (self.image_id, self.category_id, keypoints, self.score)
        keys = ("image_id", "category_id", "keypoints", "score")
        return [dict(zip(keys, row, strict=True)) for row in zip(*(c.tolist() for c in columns), strict=True)]


def name_of(source: Source) -> str:
    """How errors call it."""
    return str(source) if isinstance(source, (Path, str)) else "the list of results"


def read(source: Source, num_joints: int) -> Results:
    """Results as columns, each row checked.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no list of results, a row lacks a key, has another number of keypoints, or not a number.
    """
    rows = files.read_json(source) if isinstance(source, (Path, str)) else source
    name = name_of(source)
    if isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{name} is not a list of results in COCO's format; is it an annotation file?")
    for index, row in enumerate(rows):
        for key in ("image_id", "category_id", "keypoints", "score"):
            if key not in row:
                raise ValueError(f"{name}: result {index} has no `{key}`; each needs one, as in COCO's format")
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


def is_plain(content: bytes, num_joints: int, image_ids: Collection[int], category_ids: Collection[int]) -> bool:
    """Whether a results file surely passes the checks of `read` and `check_ids`, told from its bytes alone.

    Looking at bytes takes a tenth of the time of building a hundred thousand dicts. What is not plain may still be
    right; `read` decides, and says what is wrong.
    """
    head, *poses = content.split(b'"keypoints"')
    ends = [pose.find(b"]") for pose in poses]
    commas = {pose.count(b",", 0, end) for pose, end in zip(poses, ends, strict=True)}
    rest = head + b"".join([pose[end:] for pose, end in zip(poses, ends, strict=True)])
    images, categories = _IMAGE_ID.findall(rest), _CATEGORY_ID.findall(rest)
    return (
        head.lstrip().startswith(b"[")
        and commas <= {3 * num_joints - 1}
        and len(poses) == len(images) == len(categories) == rest.count(b'"score"')
        and {int(image) for image in set(images)} <= set(image_ids)
        and {int(category) for category in set(categories)} <= set(category_ids)
        and not any(word in rest for word in (b"NaN", b"Infinity", b"null"))  # in keypoints, hotcoco refuses them
    )
