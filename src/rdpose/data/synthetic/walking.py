"""Rendered videos: people who walk past each other before a standing camera.

    for walked in walk(np.random.default_rng(0), num_people=6, num_frames=100):
        walked.scene.picture, walked.ids                   # ids (n,) of scene.people, the same through the video

Everybody crosses the picture at a speed and a distance of their own, some to the left and some to the right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rdpose.data.synthetic import poses
from rdpose.data.synthetic.actors import Actor, act
from rdpose.data.synthetic.backgrounds import sample_background
from rdpose.data.synthetic.clothing import Outfit, sample_outfit
from rdpose.data.synthetic.figures import Build, pose_figure, sample_build
from rdpose.data.synthetic.poses import Pose
from rdpose.data.synthetic.scenes import Scene, compose, paint_cast

SWING_DEG = 28.0
"""How far a thigh swings forward and back."""
LIGHT = np.array([0.5, -0.866])


class Walked(NamedTuple):
    """One frame: its scene, and who its people are."""

    scene: Scene
    ids: np.ndarray
    """(people,) int64, in the order of `scene.people`."""


@dataclass(frozen=True)
class Walker:
    """Somebody on the way; lengths in pixels, times in seconds."""

    build: Build
    outfit: Outfit
    height: float
    ground: float
    """y of the feet."""
    start: float
    """x at time 0."""
    speed: float
    """Pixels per second, negative to the left."""
    cadence: float
    """Double steps per second."""
    phase: float

    def at(self, seconds: float) -> Actor:
        """The person at one moment."""
        figure = pose_figure(self.build, stride(2 * np.pi * (self.cadence * seconds) + self.phase, self.speed > 0))
        feet = figure.points[:, 1].max() * self.height
        offset = np.array([self.start + self.speed * seconds, self.ground - feet])
        return act(figure, self.outfit, scale=self.height, offset=offset)


def walk(
    rng: np.random.Generator,
    *,
    num_people: int = 6,
    num_frames: int = 100,
    fps: float = 25.0,
    size_wh: tuple[int, int] = (320, 240),
) -> Iterator[Walked]:
    """Frames of a video of walking people; people outside the picture are left out."""
    walkers = sample_walkers(rng, num_people, num_frames / fps, size_wh)
    background = sample_background(rng, size_wh)
    for frame in range(num_frames):
        actors = [walker.at(frame / fps) for walker in walkers]
        painted = paint_cast(actors, size_wh, light=LIGHT)
        ids = [next(i for i, actor in enumerate(actors) if actor is one.actor) for one in painted]
        scene = compose(background, painted)
        there = [i for i, person in enumerate(scene.people) if person.area > 0]
        people = [scene.people[i] for i in there]
        yield Walked(Scene(scene.picture, people), np.array([ids[i] for i in there], np.int64))


def sample_walkers(rng: np.random.Generator, count: int, seconds: float, size_wh: tuple[int, int]) -> list[Walker]:
    """People from the farthest to the nearest, who are near the picture's middle at some time of the video."""
    width, height = size_wh
    walkers = []
    for depth in np.linspace(0, 1, count):
        build = sample_build(rng)
        tall = height * (0.5 + 0.2 * depth) * build.stature
        speed = float(rng.choice([-1, 1]) * rng.uniform(0.25, 0.75) * tall)
        middle = rng.uniform(0.3, 0.7) * width - speed * rng.uniform(0.25, 0.75) * seconds
        ground = height * (0.78 + 0.18 * depth)
        cadence = abs(speed) / (0.85 * tall)  # a double step covers most of one's height
        outfit = sample_outfit(rng)
        walkers.append(Walker(build, outfit, tall, ground, middle, speed, cadence, float(rng.uniform(0, 6))))
    return walkers


def stride(phase: float, to_the_right: bool) -> Pose:
    """A moment of a walk: thighs swing as sines, knees bend as their leg comes forward, arms swing against the legs."""
    rotations = np.zeros((poses.NUM_ROTATIONS, 3))
    for side, sign in enumerate((1, -1)):
        swing = SWING_DEG * np.sin(phase + np.pi * side)
        bend = 8 + 42 * max(0.0, np.cos(phase + np.pi * side))
        rotations[poses.HIPS][side] = -swing, 0, sign * 2
        rotations[poses.KNEES][side, 0] = bend
        rotations[poses.SHOULDERS][side] = 0.7 * swing, 0, sign * 7
        rotations[poses.ELBOWS][side, 0] = -20
    rotations[poses.CHEST, 0] = 4
    yaw = np.radians(65 if to_the_right else -65)
    return Pose(np.radians(rotations), float(yaw), float(np.radians(4)))
