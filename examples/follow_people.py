"""A rendered street with people who walk past each other: found, followed, and written as a video.

python examples/follow_people.py walk.mp4 --weights weights.safetensors
"""

import argparse
from dataclasses import replace

import numpy as np

import rdpose
from rdpose import geometry
from rdpose.data.synthetic.walking import walk
from rdpose.inference.tracking import Tracker
from rdpose.io.video import VideoWriter

parser = argparse.ArgumentParser()
parser.add_argument("out")
parser.add_argument("--weights", help="by default the network that comes with rdpose")
parser.add_argument("--frames", type=int, default=100)
options = parser.parse_args()

estimator = rdpose.load(options.weights)
tracker = Tracker(estimator.skeleton)
with VideoWriter(options.out, fps=25) as writer:
    for index, walked in enumerate(walk(np.random.default_rng(0), num_people=5, num_frames=options.frames, fps=25)):
        image, people = walked.scene.picture, [p for p in walked.scene.people if p.visible_fraction > 0.3]
        boxes = geometry.xywh_to_xyxy(np.reshape([person.box_xywh for person in people], (-1, 4)))
        poses = estimator(image, boxes)
        poses = replace(poses, ids=tracker.update(poses, index / 25))
        writer.write(rdpose.draw(image, poses), index / 25)
print(f"{tracker.num_people} people in {options.out}")
