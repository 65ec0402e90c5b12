"""Who is who from frame to frame: poses and boxes moved on at their speed, and matched once for all.

    tracker = Tracker(skeleton)
    for frame in video:
        poses = estimator(frame.picture, boxes)
        ids = tracker.update(poses, frame.seconds)         # (N,) int64, the same number for the same person

A person who goes out of sight keeps moving at constant velocity for `patience` seconds and is taken up again where a
pose fits. Matching is the assignment of largest total similarity (Hungarian method, by scipy).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rdpose import geometry, oks
from rdpose.skeletons import COCO_17, Skeleton
from rdpose.structures import Poses

LEAST_SIMILARITY = 0.2
"""0..1, below it a pose is somebody new."""
BOX_SHARE = 0.5
"""Of the boxes' overlap in the similarity; the rest is the poses' OKS."""
SMOOTHING = 0.4
"""Seconds over which a velocity is averaged."""
LOOSENING = 4.0
"""How fast OKS forgives distance while a person is out of sight, per second."""


@dataclass(frozen=True)
class Track:
    """One person: where they were last seen, and how they moved."""

    identity: int
    joints: np.ndarray
    """(joints, 2) pixels."""
    box_xyxy: np.ndarray
    """(4,) pixels."""
    velocity: np.ndarray
    """(2,) pixels per second."""
    seen: float
    """Seconds."""
    age: float = 0.0
    """Seconds between the first and the last sight."""


class Tracker:
    """Gives poses of successive frames their identities.

    Args:
        skeleton: joints of the poses.
        patience: seconds that a person may be out of sight.
    """

    def __init__(self, skeleton: Skeleton = COCO_17, *, patience: float = 1.5) -> None:
        self.skeleton, self.patience = skeleton, patience
        self.tracks: list[Track] = []
        self.num_people = 0

    def update(self, poses: Poses, seconds: float) -> np.ndarray:
        """The identities (N,) int64, counted from 1, of the poses of one frame; `seconds` is its time.

        Raises:
            ValueError: the frame is earlier than one before it.
        """
        if any(seconds < track.seen for track in self.tracks):
            raise ValueError(f"a frame of {seconds:.3f} s after a later one: give frames in their order")
        self.tracks = [track for track in self.tracks if seconds - track.seen <= self.patience]
        ids = np.zeros(len(poses), np.int64)
        for row, column in self._matches(poses, seconds):
            self.tracks[row] = self._moved_on(self.tracks[row], poses, column, seconds)
            ids[column] = self.tracks[row].identity
        for column in np.flatnonzero(ids == 0):
            self.num_people += 1
            ids[column] = self.num_people
            joints, box = poses.joints[column], poses.boxes_xyxy[column]
            self.tracks.append(Track(self.num_people, joints, box, np.zeros(2), seconds))
        return ids

    def _matches(self, poses: Poses, seconds: float) -> list[tuple[int, int]]:
        """Rows of tracks and of poses that belong together."""
        if not self.tracks or not len(poses):
            return []
        from scipy.optimize import linear_sum_assignment  # a quarter of a second that pictures do without

        similarity = self._similarity(poses, seconds)
        good = similarity >= LEAST_SIMILARITY
        pairs = zip(*linear_sum_assignment(np.where(good, similarity, 0), maximize=True), strict=True)
        return [(int(row), int(column)) for row, column in pairs if good[row, column]]

    def _similarity(self, poses: Poses, seconds: float) -> np.ndarray:
        """(tracks, poses): overlap of boxes and OKS with where each person should be by now."""
        gone = np.array([seconds - track.seen for track in self.tracks])
        moved = np.array([track.velocity for track in self.tracks]) * gone[:, None]
        boxes = np.array([track.box_xyxy for track in self.tracks]) + np.tile(moved, 2)
        joints = np.array([track.joints for track in self.tracks]) + moved[:, None]
        overlap = geometry.iou(boxes, poses.boxes_xyxy)
        areas, own_areas = _areas(boxes) * (1 + LOOSENING * gone) ** 2, _areas(poses.boxes_xyxy)
        alike = oks.oks(joints, areas, poses.joints, own_areas, self.skeleton.sigmas)
        return BOX_SHARE * overlap + (1 - BOX_SHARE) * alike

    def _moved_on(self, track: Track, poses: Poses, row: int, seconds: float) -> Track:
        """The track at its new place. Its step is the median over the joints, which swinging limbs do not disturb."""
        elapsed = seconds - track.seen
        velocity = track.velocity
        if elapsed > 0:
            step = np.median(poses.joints[row] - track.joints, axis=0) / elapsed
            # The first steps count fully, so that a new person's velocity does not start from rest.
            weight = 1 - np.exp(-elapsed / min(SMOOTHING, track.age + 1e-9))
            velocity = velocity + weight * (step - velocity)
        return replace(
            track,
            joints=poses.joints[row],
            box_xyxy=poses.boxes_xyxy[row],
            velocity=velocity,
            seen=seconds,
            age=track.age + elapsed,
        )


def _areas(boxes_xyxy: np.ndarray) -> np.ndarray:
    return (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(axis=1)
