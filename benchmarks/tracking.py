"""Identities in rendered walking crowds, ours beside a plain tracker by the overlap of boxes, in one run.

    python benchmarks/tracking.py                                   # simulated detections and joints
    python benchmarks/tracking.py --weights weights.safetensors     # a network's joints in the rendered frames

People of whom less than `--visible` is in sight are not detected; boxes and joints are off by noise; people who are
half hidden lose some joints to whoever stands in front. Prints IDF1 (Ristani et al., 2016) and switches of identity.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

import rdpose
from rdpose import geometry
from rdpose.data.synthetic.walking import Walked, walk
from rdpose.evaluation.identities import IdentityScores, identity_scores
from rdpose.inference.tracking import Tracker
from rdpose.structures import Poses

SIZE_WH, FPS = (320, 240), 25.0


class IouTracker:
    """The plain tracker: boxes are matched to the last ones, which stay where they were for `patience` seconds."""

    def __init__(self, patience: float = 1.5, least_iou: float = 0.3) -> None:
        self.patience, self.least_iou, self.count = patience, least_iou, 0
        self.boxes, self.ids, self.seen = np.zeros((0, 4)), np.zeros(0, int), np.zeros(0)

    def update(self, poses: Poses, seconds: float) -> np.ndarray:
        keep = seconds - self.seen <= self.patience
        self.boxes, self.ids, self.seen = self.boxes[keep], self.ids[keep], self.seen[keep]
        iou = geometry.iou(self.boxes, poses.boxes_xyxy)
        rows, columns = linear_sum_assignment(iou, maximize=True)
        good = iou[rows, columns] >= self.least_iou
        rows, columns = rows[good], columns[good]
        ids = np.arange(self.count + 1, self.count + 1 + len(poses))
        self.count += len(poses)
        ids[columns] = self.ids[rows]
        old = np.setdiff1d(np.arange(len(self.ids)), rows)
        self.boxes = np.concatenate([self.boxes[old], poses.boxes_xyxy])
        self.ids, self.seen = np.append(self.ids[old], ids), np.append(self.seen[old], [seconds] * len(poses))
        return ids


def truth_of(walked: Walked) -> tuple[np.ndarray, np.ndarray]:
    """Ids and boxes of everybody of whom a tenth is in sight."""
    there = [i for i, person in enumerate(walked.scene.people) if person.visible_fraction >= 0.1]
    boxes = [walked.scene.people[i].box_xywh for i in there]
    return walked.ids[there], geometry.xywh_to_xyxy(np.reshape(boxes, (-1, 4)))


def detect(rng: np.random.Generator, walked: Walked, visible: float, miss: float) -> np.ndarray:
    """(n,) rows of the people that a detector finds."""
    seen = np.array([person.visible_fraction for person in walked.scene.people])
    return np.flatnonzero((seen >= visible) & (rng.random(len(seen)) >= miss))


def simulated_poses(rng: np.random.Generator, walked: Walked, rows: np.ndarray) -> Poses:
    """Boxes and joints with noise; hidden joints sit, half of the time, on the same joint of the one in front."""
    if not len(rows):
        return Poses.empty()
    people = [walked.scene.people[row] for row in rows]
    boxes = geometry.xywh_to_xyxy(np.array([person.box_xywh for person in people]))
    joints = np.array([person.joints for person in people])
    size = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    for i, person in enumerate(people[:-1]):
        front = i + 1 + int(geometry.iou(boxes[i : i + 1], boxes[i + 1 :]).argmax())
        taken = (person.visible == 1) & (rng.random(17) < 0.5) & (person.visible_fraction < 0.7)
        joints[i, taken] = joints[front, taken]
    joints = joints + rng.normal(0, 0.02, joints.shape) * np.sqrt(size[:, :2].prod(axis=1))[:, None, None]
    boxes = boxes + rng.normal(0, 0.03, boxes.shape) * size
    return Poses(joints, np.ones(joints.shape[:2]), np.ones(len(rows)), boxes)


def network_poses(estimator: rdpose.PoseEstimator, rng: np.random.Generator, walked: Walked, rows: np.ndarray) -> Poses:
    """What a network finds in the noisy boxes."""
    return estimator(walked.scene.picture, simulated_poses(rng, walked, rows).boxes_xyxy)


def total(scores: list[IdentityScores]) -> IdentityScores:
    return IdentityScores(*(sum(getattr(one, key) for one in scores) for key in vars(scores[0])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=4)
    parser.add_argument("--frames", type=int, default=125)
    parser.add_argument("--people", type=int, default=7)
    parser.add_argument("--visible", type=float, default=0.35)
    parser.add_argument("--miss", type=float, default=0.05)
    parser.add_argument("--weights", type=Path)
    options = parser.parse_args()
    estimator = rdpose.load(options.weights, keep_duplicates=True) if options.weights else None
    scores: dict[str, list[IdentityScores]] = {"IoU alone": [], "ours": []}
    spent = dict.fromkeys(scores, 0.0)
    for video in range(options.videos):
        rng = np.random.default_rng((5, video))
        truth, poses = [], []
        for walked in walk(
            np.random.default_rng(video), num_people=options.people, num_frames=options.frames, fps=FPS, size_wh=SIZE_WH
        ):
            rows = detect(rng, walked, options.visible, options.miss)
            found = network_poses(estimator, rng, walked, rows) if estimator else simulated_poses(rng, walked, rows)
            truth.append(truth_of(walked))
            poses.append(found)
        for name, tracker in (("IoU alone", IouTracker()), ("ours", Tracker())):
            started = time.perf_counter()
            ids = [tracker.update(found, frame / FPS) for frame, found in enumerate(poses)]
            spent[name] += time.perf_counter() - started
            answers = [(own, found.boxes_xyxy) for own, found in zip(ids, poses, strict=True)]
            scores[name].append(identity_scores(truth, answers))
    print(f"{options.videos} videos of {options.frames} frames, {options.people} people each")
    for name, parts in scores.items():
        all_videos = total(parts)
        each = ", ".join(f"{100 * part.idf1:.1f}" for part in parts)
        milliseconds = 1000 * spent[name] / (options.videos * options.frames)
        print(
            f"{name:10} IDF1 {100 * all_videos.idf1:5.1f} ({each})   switches {all_videos.switches:3}   "
            f"{milliseconds:.2f} ms a frame"
        )


if __name__ == "__main__":
    main()
