"""Leaves out labels of Leeds Sports that a network of ours contradicts: whole people, or single joints.

    python recipes/doubt_labels.py data/sets/faces-5.json --weights WEIGHTS --shared data --out data/sets/sound.json

Crowds labelled these pictures, and some labels are wrong. A network that does not fit what it has been shown thousands
of times is a witness against it. A person is left out whose mirrored names match what the network found better, by
three joints or more; a joint counts as not labelled where the network is sure of another place. Joints match within
half of the torso, as PCK measures it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import label_faces
import numpy as np

from rdpose import skeletons
from rdpose.data import annotations
from rdpose.data.people import People
from rdpose.engine import tester
from rdpose.evaluation import pck
from rdpose.io import files
from rdpose.utils import malloc

NEAR = 0.5
"""Farthest from the label that a joint matches it, in torsos."""
SURE = 0.5
"""Confidence from which the network is believed."""
MORE = 3
"""How many joints more must match under the mirrored names for a person to be left out."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("people", type=Path, help="Leeds Sports train with COCO's joints, by recipes/label_faces.py")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--shared", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path("data/sets/sound.json"))
    options = parser.parse_args()
    malloc.keep_freed()
    people = annotations.read(options.people, options.shared / "lspet/images", skeleton=skeletons.COCO_17)
    found, _ = tester.find_by(options.weights, people, zoom=())
    people = people.select(found.rows)
    exchanged, wrong = doubts(people, found)
    people.visible[wrong] = 0
    kept, joints = people.select(~exchanged), wrong[~exchanged].sum()
    files.write_json(options.out, label_faces.with_joints(json.loads(options.people.read_text()), kept))
    print(f"{options.out}: {len(kept)} of {len(people)} people; of theirs, {joints} joints are left out")


def doubts(people: People, found: tester.Found) -> tuple[np.ndarray, np.ndarray]:
    """(n,) bool: whose left and right look exchanged; (n, joints) bool: whose joints are surely found elsewhere."""
    (near, measured), (mirrored, _) = (
        pck.compare(joints, people.joints, people.visible, people.skeleton, "this file", threshold=NEAR)
        for joints in (found.joints, found.joints[:, list(people.skeleton.flip_order)])
    )
    body = np.arange(people.skeleton.num_joints) >= label_faces.FACE.stop
    judged = measured & body
    more = (mirrored & judged).sum(axis=1) - (near & judged).sum(axis=1)
    return more >= MORE, judged & ~near & (found.confidence >= SURE)


if __name__ == "__main__":
    main()
