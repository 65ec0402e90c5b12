"""People as columns: one numpy array for each thing known of them, sorted by picture, cheap to share with workers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from rdpose.geometry import AREA_OF_BOX
from rdpose.io import images as picture_files
from rdpose.skeletons import Skeleton

PERSON_COLUMNS = (
    *("image_index", "box_xywh", "joints", "visible", "area"),
    *("score", "person_id", "crowd", "counted"),
)
NO_BOX = "without a box, or one that is empty or outside its picture"
"""Why a row of a file is not among the people, in `People.skipped`."""
NO_PLACE = "labels whose place is not a number"
"""Joints that are marked as labelled and are taken for unlabelled, in `People.skipped`."""
OCCLUDED = 1
"""`People.visible` of a joint that is labelled and cannot be seen."""
IMAGE_COLUMNS = ("image_id", "image_name", "image_size", "image_source", "crowd_index")


@dataclass(frozen=True, eq=False)
class People:
    """N people with K joints in M pictures; pictures without people are listed too. Pixels, x before y."""

    image_index: np.ndarray
    """(N,) int32, ascending: each person's row in the columns of pictures."""
    box_xywh: np.ndarray
    """(N, 4) float32: left, top, width, height; positive width and height."""
    joints: np.ndarray
    """(N, K, 2) float32; (0, 0) where unlabelled."""
    visible: np.ndarray
    """(N, K) uint8: 0 unlabelled, 1 occluded, 2 visible."""
    area: np.ndarray
    """(N,) float32 square pixels."""
    score: np.ndarray
    """(N,) float32: the detector's, 1 for annotated people."""
    person_id: np.ndarray
    """(N,) int64, or str where they are words: annotation id; the row in the file without one (MPII, detections)."""
    crowd: np.ndarray
    """(N,) bool: a group marked as one (iscrowd), or an unlabelled person to be ignored."""
    counted: np.ndarray
    """(N,) bool: not where the file's `num_keypoints` is 0; evaluation does not ask for these, labelled or not."""

    image_id: np.ndarray
    """(M,) int64, or str where they are words; unique within one source."""
    image_name: np.ndarray
    """(M,) str: path below the source's folder."""
    image_size: np.ndarray
    """(M, 2) int32: width, height; 0 unknown."""
    image_source: np.ndarray
    """(M,) int32: row in `image_roots`."""
    crowd_index: np.ndarray
    """(M,) float64: how crowded the file says the picture is (`crowdIndex`, CrowdPose's measure); NaN unknown."""

    image_roots: tuple[str, ...]
    """Folder or zip of each source."""
    skeleton: Skeleton
    category_ids: tuple[int, ...] = (1,)
    """The files' numbers for people."""
    skipped: dict[str, int] = field(default_factory=dict)
    """What of the files is not here, rows and labels: reason -> number."""

    def __post_init__(self) -> None:
        people = len(self.image_index)
        for name in (*PERSON_COLUMNS, *IMAGE_COLUMNS):
            expected = people if name in PERSON_COLUMNS else len(self.image_id)
            assert len(getattr(self, name)) == expected, f"{name} has {len(getattr(self, name))} rows, not {expected}"
        assert self.joints.shape == (people, self.skeleton.num_joints, 2), self.joints.shape
        assert np.all(np.diff(self.image_index) >= 0), "people are not sorted by picture"

    def __len__(self) -> int:
        return len(self.image_index)

    @property
    def category_id(self) -> int:
        """The number that results give a person."""
        return min(self.category_ids)

    @property
    def num_images(self) -> int:
        return len(self.image_id)

    def image_path(self, image: int) -> str:
        """Where the picture in row `image` lies, as `images.read` takes it."""
        return os.path.join(self.image_roots[self.image_source[image]], self.image_name[image])

    def picture(self, image: int) -> np.ndarray:
        """The picture in row `image`, (height, width, 3) RGB uint8, of the size that the annotations count in.

        Raises:
            FileNotFoundError, ValueError: as `images.read`.
        """
        return picture_files.read(self.image_path(image), size_wh=self.image_size[image])

    def check_pictures(self) -> None:
        """Raises FileNotFoundError where pictures of people who can be trained on are not in their folders."""
        paths = [self.image_path(image) for image in np.unique(self.image_index[self.trainable()])]
        if absent := picture_files.missing(paths):
            count = f"{len(absent)} of {len(paths)} pictures are not there, the first: " if len(absent) > 1 else ""
            raise FileNotFoundError(f"{count}picture {absent[0]} does not exist; check the folder of pictures")

    def people_of(self, image: int) -> np.ndarray:
        """(n,) int64: rows of the people in picture `image`."""
        return np.arange(self._starts[image], self._starts[image + 1])

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.searchsorted(self.image_index, np.arange(self.num_images + 1))

    def others_in_picture(self, person: int) -> np.ndarray:
        """(n,) int64: rows of the other people in this one's picture, groups left out."""
        rows = self.people_of(self.image_index[person])
        return rows[(rows != person) & ~self.crowd[rows]]

    @cached_property
    def labelled(self) -> np.ndarray:
        """(N,) bool: single people with a labelled joint who are counted, so that a result can find them."""
        return self._single & self.counted

    @property
    def _single(self) -> np.ndarray:
        return self.visible.any(axis=1) & ~self.crowd

    def trainable(self) -> np.ndarray:
        """(n,) int64: rows of the people who have a labelled joint and a box, groups left out."""
        return np.flatnonzero(self._single & (self.box_xywh[:, 2:] > 0).all(axis=1))

    def summary(self) -> str:
        """Who can be trained on, what the files hold besides, and which joints nobody has, in a line."""
        rows = self.trainable()
        text = f"{len(rows)} people in {len(np.unique(self.image_index[rows]))} pictures"
        left_out = self.skipped | {"without labelled joints, or groups": len(self) - len(rows)}
        told = "; ".join(f"{count} {reason}" for reason, count in left_out.items() if count)
        bare = np.flatnonzero(~self.visible[rows].any(axis=0)) if len(rows) else []
        names = ", ".join(self.skeleton.joints[joint] for joint in bare)
        return text + (f" (left out: {told})" if told else "") + (f"; nobody has a label of {names}" if names else "")

    def select(self, rows: np.ndarray) -> People:
        """The people in `rows` ((N,) bool, or ascending indices), with all pictures."""
        return replace(self, **{name: getattr(self, name)[rows] for name in PERSON_COLUMNS})


def assemble(
    *,
    image_index: np.ndarray,
    box_xywh: np.ndarray,
    image_id: np.ndarray,
    image_name: np.ndarray,
    image_root: str | os.PathLike[str],
    skeleton: Skeleton,
    image_size: np.ndarray | None = None,
    crowd_index: np.ndarray | None = None,
    category_ids: tuple[int, ...] = (1,),
    skipped: dict[str, int] | None = None,
    **known: np.ndarray,
) -> People:
    """People of one source from columns in any order: sorts them by picture, and completes what is not known.

    Without `joints` and `visible` nothing is labelled; `area` is 0.53 of the box, `score` 1, `person_id` the row,
    `crowd` False, `counted` True, `image_size` 0, `crowd_index` NaN.
    """
    people, images = len(image_index), len(image_id)
    box = np.asarray(box_xywh, dtype=np.float32).reshape(people, 4)
    order = np.argsort(image_index, kind="stable")
    defaults = _defaults(box, skeleton.num_joints)
    assert not known.keys() - defaults.keys(), f"unknown columns: {', '.join(known.keys() - defaults.keys())}"
    types = {name: value.dtype for name, value in defaults.items() if name != "person_id"}
    columns = {name: np.asarray(known.get(name, value), types.get(name))[order] for name, value in defaults.items()}
    return People(
        image_index=np.asarray(image_index, np.int32)[order],
        box_xywh=box[order],
        **columns,
        image_id=np.asarray(image_id),
        image_name=np.asarray(image_name, np.str_),
        image_size=np.zeros((images, 2), np.int32) if image_size is None else np.asarray(image_size, np.int32),
        image_source=np.zeros(images, np.int32),
        crowd_index=np.full(images, np.nan) if crowd_index is None else np.asarray(crowd_index, np.float64),
        image_roots=(os.fspath(image_root),),
        skeleton=skeleton,
        category_ids=category_ids,
        skipped=dict(skipped or {}),
    )


def _defaults(box_xywh: np.ndarray, num_joints: int) -> dict[str, np.ndarray]:
    """Columns, in their types, of people of whom only the boxes (n, 4) are known."""
    people = len(box_xywh)
    return {
        "joints": np.zeros((people, num_joints, 2), np.float32),
        "visible": np.zeros((people, num_joints), np.uint8),
        "area": AREA_OF_BOX * box_xywh[:, 2] * box_xywh[:, 3],
        "score": np.ones(people, np.float32),
        "person_id": np.arange(people, dtype=np.int64),
        "crowd": np.zeros(people, np.bool_),
        "counted": np.ones(people, np.bool_),
    }


def reorder(joints: np.ndarray, visible: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joints (N, J, 2) and visible (N, J) -> (N, K, 2) and (N, K), from columns (K,); -1 stands for unlabelled."""
    known = columns >= 0
    joints = np.where(known[:, None], joints[:, columns], 0).astype(np.float32)
    return joints, np.where(known, visible[:, columns], 0).astype(np.uint8)


def concatenate(sources: Sequence[People]) -> People:
    """The people of several sources, one after the other; ids stay as they are in each source's file.

    Raises:
        ValueError: no sources, or they differ in their joints.
    """
    if not sources:
        raise ValueError("there are no people to put together; name at least one annotation file")
    first = sources[0]
    for other in sources[1:]:
        if other.skeleton.joints != first.skeleton.joints:
            raise ValueError(
                f"sources have different joints ({first.skeleton.name} from {first.image_roots[0]} and "
                f"{other.skeleton.name} from {other.image_roots[0]}); read them with one skeleton"
            )
    columns: dict[str, Any] = {
        n: np.concatenate([getattr(s, n) for s in sources]) for n in (*PERSON_COLUMNS, *IMAGE_COLUMNS)
    }
    columns["image_index"] += np.repeat(_offsets([s.num_images for s in sources]), [len(s) for s in sources])
    columns["image_source"] += np.repeat(
        _offsets([len(s.image_roots) for s in sources]), [s.num_images for s in sources]
    )
    reasons = {reason for source in sources for reason in source.skipped}
    return replace(
        first,
        **columns,
        image_roots=tuple(root for source in sources for root in source.image_roots),
        skipped={reason: sum(source.skipped.get(reason, 0) for source in sources) for reason in sorted(reasons)},
    )


def _offsets(counts: Sequence[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int32)
