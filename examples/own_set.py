"""A small set with joints of its own, to follow docs/own-data.md with: rendered people, split into training and test.

python examples/own_set.py --out data/own
"""

import argparse
import json
from pathlib import Path

from rdpose.data import synthetic

JOINTS = ("nose", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_ankle", "right_ankle")
LIMBS = ((1, 2), (1, 3), (4, 5), (4, 6), (5, 7))  # counted from 1, as COCO's files do

parser = argparse.ArgumentParser()
parser.add_argument("--out", type=Path, default=Path("data/own"))
parser.add_argument("--num", type=int, default=45, help="pictures, of two or three people each")
options = parser.parse_args()

made = synthetic.write_dataset(options.out, num_pictures=options.num, seed=0, num_people=(2, 3), name="own")
labels = json.loads(made.read_text())
places = [labels["categories"][0]["keypoints"].index(name) for name in JOINTS]
for person in labels["annotations"]:
    points = [person["keypoints"][3 * place : 3 * place + 3] for place in places]
    person["keypoints"] = [number for point in points for number in point]
    person["num_keypoints"] = sum(flag > 0 for _, _, flag in points)
labels["categories"][0] |= {"keypoints": JOINTS, "skeleton": LIMBS}

cut = options.num * 4 // 5  # pictures are split, never people
for name, images in {"train": labels["images"][:cut], "val": labels["images"][cut:]}.items():
    ids = {image["id"] for image in images}
    people = [person for person in labels["annotations"] if person["image_id"] in ids]
    (options.out / f"{name}.json").write_text(json.dumps(labels | {"images": images, "annotations": people}))
    print(f"{options.out / name}.json: {len(people)} people in {len(images)} pictures")
