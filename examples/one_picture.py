"""The people of one picture; with --box from boxes that are known.

python examples/one_picture.py street.jpg found.jpg --weights weights.safetensors --box 40 30 120 220
"""

import argparse

import rdpose
from rdpose import drawing

parser = argparse.ArgumentParser()
parser.add_argument("picture")
parser.add_argument("out")
parser.add_argument("--weights", help="by default the network that comes with rdpose")
parser.add_argument(
    "--box", nargs=4, type=float, action="append", help="x1 y1 x2 y2; by default the detector finds them"
)
options = parser.parse_args()

estimator = rdpose.load(options.weights)
poses = estimator(options.picture, options.box)

print(poses)
for person in poses:
    x, y = person.joint("nose")[0]
    print(f"nose at {x:.0f}, {y:.0f}, score {person.scores[0]:.2f}")
drawing.save(options.out, rdpose.draw(options.picture, poses, boxes=True))
