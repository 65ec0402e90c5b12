"""A person's body: builds of children and adults, and where every point of a posed body is, seen from the camera."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rdpose.data.synthetic import poses
from rdpose.data.synthetic.poses import Pose
from rdpose.skeletons import COCO_17

POINTS = (
    *COCO_17.joints,
    *("pelvis", "waist", "neck", "left_hand", "right_hand", "left_heel", "right_heel", "left_toe", "right_toe"),
    *("skull", "jaw", "brow", "mouth_left", "mouth_right", "crown", "peak", "bun", "nape", "chest", "belly", "back"),
    *("left_flank", "right_flank", "left_ribs", "right_ribs", "left_cheek", "right_cheek"),
)
Point = tuple[float, float, float]
INDEX = {name: i for i, name in enumerate(POINTS)}

# In head radii: x to the person's left, y up, z forward, from the middle of the head.
_HEAD = {
    "nose": (0, -0.12, 1.02),
    "left_eye": (0.36, 0.12, 0.86),
    "right_eye": (-0.36, 0.12, 0.86),
    "left_ear": (0.9, -0.02, -0.05),
    "right_ear": (-0.9, -0.02, -0.05),
    "skull": (0, 0.22, -0.16),
    "jaw": (0, -0.72, 0.34),
    "brow": (0, 0.12, 0.3),
    "mouth_left": (0.2, -0.5, 0.86),
    "mouth_right": (-0.2, -0.5, 0.86),
    "crown": (0, 0.85, -0.1),
    "peak": (0, 0.66, 1.25),
    "bun": (0, 0.55, -1.05),
    "nape": (0, -0.9, -0.55),
    "left_cheek": (0.42, -0.22, 0.42),
    "right_cheek": (-0.42, -0.22, 0.42),
}


@dataclass(frozen=True)
class Build:
    """Lengths in units of the standing height; `girth` widens trunk and limbs."""

    head: float = 0.066
    neck: float = 0.125
    torso: float = 0.285
    shoulder: float = 0.108
    hip: float = 0.062
    upper_arm: float = 0.165
    forearm: float = 0.145
    thigh: float = 0.242
    shin: float = 0.235
    girth: float = 1.0
    belly: float = 0.0
    stature: float = 1.0


@dataclass(frozen=True)
class Figure:
    """points (len(POINTS), 3): x right, y down, z towards the viewer, in standing heights, pelvis at the origin."""

    build: Build
    points: np.ndarray
    head: np.ndarray
    """(3, 3): the head's axes (its left, up, forward) as columns in camera axes x right, y up, z towards the viewer."""
    trunk: np.ndarray
    """(3, 3): the same of the chest."""

    def __getitem__(self, name: str) -> Point:
        return self._places[name]

    @cached_property
    def _places(self) -> dict[str, Point]:
        return {name: (x, y, z) for name, (x, y, z) in zip(POINTS, self.points.tolist(), strict=True)}


def sample_build(rng: np.random.Generator) -> Build:
    """A child (one in seven), or an adult between slight and heavy, short-legged and long-legged."""
    lengths = rng.normal(1, 0.045, 6)
    girth = float(np.clip(rng.lognormal(0, 0.17), 0.75, 1.5))
    build = Build(
        torso=0.285 * lengths[0],
        shoulder=0.108 * lengths[1] * girth**0.25,
        hip=0.062 * lengths[2] * girth**0.3,
        upper_arm=0.165 * lengths[3],
        forearm=0.145 * lengths[3],
        thigh=0.242 * lengths[4],
        shin=0.235 * lengths[4],
        head=0.066 * lengths[5],
        girth=girth,
        belly=max(0.0, girth - 1) * float(rng.uniform(0.2, 1.2)),
        stature=float(np.clip(rng.normal(1, 0.06), 0.85, 1.15)),
    )
    return _child(build, float(rng.uniform(0.5, 0.8))) if rng.random() < 1 / 7 else build


def _child(build: Build, stature: float) -> Build:
    shorter = 0.82 + 0.18 * stature  # of a child's height, the head takes more and the legs take less
    limbs = {name: getattr(build, name) * shorter for name in ("upper_arm", "forearm", "thigh", "shin")}
    return Build(
        **limbs,
        head=build.head * (1.75 - 0.75 * stature),
        neck=build.neck * (1.45 - 0.45 * stature),
        torso=build.torso,
        shoulder=build.shoulder * 0.95,
        hip=build.hip,
        girth=build.girth,
        belly=build.belly,
        stature=stature,
    )


def pose_figure(build: Build, pose: Pose, perspective: float = 0.12) -> Figure:
    """Forward kinematics, seen by a camera at `pose.yaw` and `pose.pitch` with a weak perspective."""
    turn = poses.matrices(pose.rotations)
    view = poses.matrices(np.array([pose.pitch, 0, 0])) @ poses.matrices(np.array([0, pose.yaw, 0]))
    root = view @ turn[poses.ROOT]
    chest = root @ turn[poses.CHEST]
    head = chest @ turn[poses.HEAD]
    points = np.zeros((len(POINTS), 3))

    def put(frame: np.ndarray, origin: np.ndarray, places: dict[str, tuple[float, float, float]]) -> None:
        points[[INDEX[name] for name in places]] = origin + np.array(list(places.values())) @ frame.T

    _put_trunk(build, put, points, root, chest)
    put(head, points[INDEX["neck"]] + build.neck * (0.45 * chest[:, 1] + 0.55 * head[:, 1]), _scaled(_HEAD, build.head))
    _put_limbs(build, points, turn, root, chest)
    points[:, 1] *= -1
    points[:, :2] /= 1 - perspective * points[:, 2:]
    return Figure(build, points, head, chest)


def _scaled(places: dict[str, tuple], factor: float) -> dict[str, tuple]:
    return {name: tuple(factor * value for value in place) for name, place in places.items()}


def _put_trunk(build: Build, put, points: np.ndarray, root: np.ndarray, chest: np.ndarray) -> None:
    torso, shoulder, hip, thick = build.torso, build.shoulder, build.hip, 0.05 * build.girth
    put(
        root,
        np.zeros(3),
        {
            "pelvis": (0, 0, 0),
            "left_hip": (hip, 0, 0),
            "right_hip": (-hip, 0, 0),
            "waist": (0, 0.38 * torso, 0),
            "left_flank": (hip * 0.7, 0.36 * torso, 0),
            "right_flank": (-hip * 0.7, 0.36 * torso, 0),
            "belly": (0, 0.28 * torso, 0.02 + 0.06 * build.belly),
        },
    )
    put(
        chest,
        points[INDEX["waist"]],
        {
            "neck": (0, 0.64 * torso, 0),
            "left_shoulder": (shoulder, 0.6 * torso, 0),
            "right_shoulder": (-shoulder, 0.6 * torso, 0),
            "left_ribs": (shoulder * 0.52, 0.36 * torso, 0),
            "right_ribs": (-shoulder * 0.52, 0.36 * torso, 0),
            "chest": (0, 0.4 * torso, thick),
            "back": (0, 0.4 * torso, -thick * 1.1),
        },
    )


def _put_limbs(build: Build, points: np.ndarray, turn: np.ndarray, root: np.ndarray, chest: np.ndarray) -> None:
    def chain(frames: np.ndarray, start: str, end: str, offset: tuple[float, float, float]) -> None:
        rows = [INDEX[f"{side}_{end}"] for side in ("left", "right")]
        points[rows] = points[[INDEX[f"{side}_{start}"] for side in ("left", "right")]] + frames @ np.array(offset)

    arm = chest @ turn[poses.SHOULDERS]
    forearm = arm @ turn[poses.ELBOWS]
    thigh = root @ turn[poses.HIPS]
    shin = thigh @ turn[poses.KNEES]
    foot = shin @ turn[poses.ANKLES]
    chain(arm, "shoulder", "elbow", (0, -build.upper_arm, 0))
    chain(forearm, "elbow", "wrist", (0, -build.forearm, 0))
    chain(forearm, "wrist", "hand", (0, -0.05, 0.006))
    chain(thigh, "hip", "knee", (0, -build.thigh, 0))
    chain(shin, "knee", "ankle", (0, -build.shin, 0))
    chain(foot, "ankle", "heel", (0, -0.024, -0.016))
    chain(foot, "ankle", "toe", (0, -0.03, 0.085))
