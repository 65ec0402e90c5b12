"""A detector of one's own: any function from a picture to boxes and scores. This one looks for what moves.

python examples/own_detector.py first.jpg second.jpg --weights weights.safetensors
"""

import argparse

import cv2
import numpy as np

import rdpose
from rdpose.detection import Detections
from rdpose.io import images as picture_files

parser = argparse.ArgumentParser()
parser.add_argument("pictures", nargs="+")
parser.add_argument("--weights", help="by default the network that comes with rdpose")
options = parser.parse_args()

images = [picture_files.read(path) for path in options.pictures]
background = np.median(images, axis=0)


def moving(picture: np.ndarray, name: str = "") -> Detections:
    """Boxes around what differs from the pictures' median."""
    changed = (np.abs(picture - background).max(axis=2) > 40).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(cv2.dilate(changed, np.ones((7, 7), np.uint8)))
    boxes = np.array([[x, y, x + w, y + h] for x, y, w, h, area in stats[1:] if area > 400], np.float32)
    return Detections(boxes.reshape(-1, 4), np.ones(len(boxes), np.float32))


estimator = rdpose.load(options.weights, detector=moving)
found = estimator.many(images)
for path, poses in zip(options.pictures, found, strict=True):
    print(f"{path}: {poses}")
