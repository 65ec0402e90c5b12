"""Poses: the people found in one picture, as arrays that can be indexed, drawn, and handed to other tools.

poses = estimator(image, boxes)
poses.joints[0]                      # (joints, 2) pixels, x then y
poses[poses.scores > 0.5]            # a mask, a slice, a list of rows or one row: Poses again
poses.joint("left_wrist")            # (people, 2)
poses.to_coco(image_id=785)          # list of results that every COCO evaluator takes
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rdpose import drawing, skeletons
from rdpose.geometry import xyxy_to_xywh
from rdpose.io.image_like import ImageLike, as_rgb
from rdpose.io.parsed import Rows, result_rows
from rdpose.skeletons import Skeleton


@dataclass(frozen=True, eq=False, repr=False)
class Poses:
    """N people with K joints in one picture, in pixels of that picture. Columns are converted and checked.

    Raises:
        ValueError: the columns do not fit each other or the skeleton.
    """

    joints: np.ndarray
    """(N, K, 2) float32, x then y."""
    joint_scores: np.ndarray
    """(N, K) float32, the confidence of each joint."""
    scores: np.ndarray
    """(N,) float32, the confidence of each person: the box's and the joints' together."""
    boxes_xyxy: np.ndarray
    """(N, 4) float32, the boxes that were looked at."""
    skeleton: Skeleton = field(default=skeletons.COCO_17)
    ids: np.ndarray | None = None
    """(N,) int64, who is who over the frames of a video; None for single pictures."""

    def __post_init__(self) -> None:
        count, joints = np.shape(self.scores)[0], self.skeleton.num_joints
        shapes = {"joints": (count, joints, 2), "joint_scores": (count, joints), "scores": (count,)}
        shapes |= {"boxes_xyxy": (count, 4)} | ({} if self.ids is None else {"ids": (count,)})
        for name, shape in shapes.items():
            column = np.asarray(getattr(self, name), np.int64 if name == "ids" else np.float32)
            if column.shape != shape:
                raise ValueError(
                    f"Poses.{name} has shape {column.shape}: expected {shape} of skeleton {self.skeleton.name}"
                )
            object.__setattr__(self, name, column)

    @classmethod
    def empty(cls, skeleton: Skeleton = skeletons.COCO_17) -> Poses:
        """Nobody."""
        joints = skeleton.num_joints
        return cls(np.zeros((0, joints, 2)), np.zeros((0, joints)), np.zeros(0), np.zeros((0, 4)), skeleton)

    @classmethod
    def from_coco(cls, results: Iterable[dict[str, Any]], skeleton: Skeleton) -> Poses:
        """The results of one picture (`keypoints` [x, y, confidence, ...], `score`) as Poses.

        A box that a result does not name (`box`, or `bbox`) is the hull of its joints.
        """
        rows = list(results)
        if not rows:
            return cls.empty(skeleton)
        flat = np.array([row["keypoints"] for row in rows], np.float32).reshape(len(rows), -1, 3)
        joints = flat[..., :2]
        hulls = np.concatenate([joints.min(axis=1), joints.max(axis=1) - joints.min(axis=1)], axis=-1)
        box = np.array(
            [row.get("box") or row.get("bbox") or hull for row, hull in zip(rows, hulls, strict=True)], np.float32
        )
        box[:, 2:] += box[:, :2]
        ids = [row["track_id"] for row in rows] if all("track_id" in row for row in rows) else None
        scores = np.array([row.get("score", 1.0) for row in rows])
        return cls(joints, flat[..., 2], scores, box, skeleton, None if ids is None else np.array(ids))

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, rows: int | slice | ArrayLike) -> Poses:
        """The people in `rows`: a number (one person), a slice, a mask (N,) bool, or row numbers."""
        if isinstance(rows, (int, np.integer)):
            if not -len(self) <= rows < len(self):
                raise IndexError(f"person {rows} of {len(self)}")
            rows = np.array([int(rows)])
        chosen = rows if isinstance(rows, slice) else np.asarray(rows)
        if not isinstance(chosen, slice) and not chosen.size:
            chosen = chosen.astype(np.int64)  # an empty list comes as float
        ids = None if self.ids is None else self.ids[chosen]
        return Poses(
            self.joints[chosen],
            self.joint_scores[chosen],
            self.scores[chosen],
            self.boxes_xyxy[chosen],
            self.skeleton,
            ids,
        )

    def __iter__(self) -> Iterator[Poses]:
        """One Poses of length 1 for each person."""
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        people = f"{len(self)} {'person' if len(self) == 1 else 'people'}"
        text = f"Poses({people}, {self.skeleton.num_joints} joints of {self.skeleton.name!r}"
        if len(self):
            text += (
                f", scores {self.scores.max():.2f} to {self.scores.min():.2f}"
                if len(self) > 1
                else f", score {self.scores[0]:.2f}"
            )
        return text + (")" if self.ids is None else f", ids {self.ids.tolist()})")

    def joint(self, name: str) -> np.ndarray:
        """(N, 2) pixels: one joint of everybody, by its name.

        Raises:
            ValueError: the skeleton has no such joint.
        """
        (place,) = self.skeleton.places([name])
        return self.joints[:, place]

    def to_coco(self, image_id: int | str, *, category_id: int = 1) -> list[dict[str, Any]]:
        """One dict for each person in COCO's results format, with plain numbers that JSON takes.

        `keypoints` is [x, y, confidence, ...] as the HRNet family writes it; `box` is left, top, width, height of
        the box that the person was looked for in (not `bbox`: evaluators would take a person's size from it);
        `track_id` is added where there are ids.
        """
        triples = np.concatenate([self.joints, self.joint_scores[..., None]], axis=-1)
        triples = triples.reshape(len(self), 3 * self.skeleton.num_joints)
        results = [
            {"image_id": image_id, "category_id": category_id, "keypoints": keypoints, "score": score, "box": box}
            for keypoints, score, box in zip(
                _rounded(triples, 4), _rounded(self.scores, 6), _rounded(xyxy_to_xywh(self.boxes_xyxy), 2), strict=True
            )
        ]
        if self.ids is not None:
            for result, identity in zip(results, self.ids.tolist(), strict=True):
                result["track_id"] = identity
        return results

    def to_supervision(self) -> Any:
        """The same people as `supervision.KeyPoints`, for its annotators and filters.

        Raises:
            ImportError: supervision is not installed.
        """
        try:
            supervision = importlib.import_module("supervision")
        except ImportError as error:
            raise ImportError("to_supervision() needs the package supervision: pip install supervision") from error
        data = {} if self.ids is None else {"tracker_id": self.ids}
        classes = np.zeros(len(self), dtype=int)
        own = supervision.KeyPoints.__dataclass_fields__
        if "keypoint_confidence" not in own:  # as older versions call it
            return supervision.KeyPoints(xy=self.joints, class_id=classes, confidence=self.joint_scores, data=data)
        confidence = {"keypoint_confidence": self.joint_scores, "detection_confidence": self.scores}
        return supervision.KeyPoints(xy=self.joints, class_id=classes, data=data, **confidence)


def draw(
    picture: ImageLike,
    poses: Poses,
    *,
    min_confidence: float = 0.3,
    boxes: bool = False,
    colors: ArrayLike | None = None,
    style: str = "person",
) -> np.ndarray:
    """Poses over a copy of their picture: (height, width, 3) RGB uint8, a file's name, or PIL's image.

    Gives (height, width, 3) RGB uint8. People with ids keep their colour and show it.
    `boxes` adds the frames; `min_confidence`, `colors` and `style` as in `drawing.draw_poses`.
    """
    if colors is None:
        colors = drawing.person_colors(np.arange(len(poses)) if poses.ids is None else poses.ids)
    return drawing.draw_poses(
        as_rgb(picture),
        poses.joints,
        poses.joint_scores,
        poses.skeleton,
        min_confidence=min_confidence,
        boxes_xyxy=poses.boxes_xyxy if boxes else None,
        labels=None if poses.ids is None else [str(identity) for identity in poses.ids],
        colors=colors,
        style=style,
    )


def read_results(path: str | Path, skeleton: Skeleton | None = None) -> dict[int | str, Poses]:
    """A COCO results file as one Poses for each of its pictures, in the file's order of people.

    Without a skeleton, 17 joints are COCO's, 14 CrowdPose's and 16 MPII's.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no COCO results file, or its joints are not the skeleton's.
    """
    rows = result_rows(path)
    skeleton = skeleton or _by_number_of_joints(rows, path)
    pictures: dict[int | str, list[dict[str, Any]]] = {}
    for row in rows:
        if len(row["keypoints"]) != 3 * skeleton.num_joints:
            found, own = f"{len(row['keypoints'])} keypoint numbers", f"{skeleton.num_joints} joints of {skeleton.name}"
            raise ValueError(f"{path}: a result of picture {row['image_id']} has {found}, not 3 for each of {own}")
        pictures.setdefault(row["image_id"], []).append(row)
    return {image_id: Poses.from_coco(people, skeleton) for image_id, people in pictures.items()}


def _by_number_of_joints(rows: Rows, path: str | Path) -> Skeleton:
    joints = len(rows[0]["keypoints"]) // 3 if rows else skeletons.COCO_17.num_joints
    for skeleton in skeletons.SKELETONS.values():
        if skeleton.num_joints == joints:
            return skeleton
    raise ValueError(
        f"{path} has {joints} joints for each person, which is no built-in set: name the annotation file too"
    )


def _rounded(values: np.ndarray, decimals: int) -> list[Any]:
    return np.round(values.astype(np.float64), decimals).tolist()
