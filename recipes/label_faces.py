"""Faces for Leeds Sports: the joints that its labels lack, as a network of ours finds them in the same pictures.

    python recipes/label_faces.py --weights WEIGHTS --shared data --out data/sets/faces.json

Leeds Sports labels head top and neck, COCO nose, eyes and ears. A network that has learnt faces from few people meets
8,492 more here (self-training). A found joint is kept where the network is sure of it, and where it lies at the head
that people have labelled; what is kept counts as labelled in training. People without a labelled head keep no face.

Some labels have left and right exchanged. Faces give them away: upright people whose eyes were found the other way
round than their shoulders and hips are labelled are left out; of 48 looked at most were labelled wrongly. People
upside down stay without a face, for there the network errs as well.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import from_behind
import numpy as np

from rdpose import skeletons
from rdpose.data import annotations
from rdpose.data.people import People
from rdpose.engine import tester
from rdpose.io import files
from rdpose.utils import malloc

FACE = slice(0, 5)
"""Nose, eyes and ears among COCO's joints."""
NEAR = 0.7
"""Farthest from the middle of the head, in units of the distance from neck to head top."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--shared", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path("data/sets/faces.json"))
    parser.add_argument("--sure", type=float, default=0.5, help="confidence from which a joint is kept")
    options = parser.parse_args()
    malloc.keep_freed()
    file, images = options.shared / "lspet/annotations/lspet_train.json", options.shared / "lspet/images"
    people = annotations.read(file, images, skeleton=skeletons.COCO_17)
    found, _ = tester.find_by(options.weights, people)
    content = json.loads(file.read_text())
    middle, length = heads(content, people)
    near = at_head(found.joints[:, FACE], middle[found.rows], length[found.rows])
    keep = (found.confidence[:, FACE] >= options.sure) & near
    people.joints[found.rows, FACE], people.visible[found.rows, FACE] = found.joints[:, FACE], 2 * keep
    kept = without_contradictions(people)
    files.write_json(options.out, with_joints(content, kept))
    shares = ", ".join(
        f"{name} {share:.2f}" for name, share in zip(skeletons.COCO_17.joints, keep.mean(axis=0), strict=False)
    )
    print(f"{options.out}: {len(kept)} of {len(people)} people; of all were found {shares}")


def heads(content: dict, people: People) -> tuple[np.ndarray, np.ndarray]:
    """Middle (n, 2) and length (n,) of each person's labelled head, from the neck to its top; length 0 without."""
    names = content["categories"][0]["keypoints"]
    joints = {one["id"]: np.reshape(one["keypoints"], (-1, 3)) for one in content["annotations"]}
    both = np.stack([joints[int(person)][[names.index("neck"), names.index("head")]] for person in people.person_id])
    length = np.linalg.norm(both[:, 0, :2] - both[:, 1, :2], axis=1)
    return both[..., :2].mean(axis=1), np.where((both[..., 2] > 0).all(axis=1), length, 0)


def at_head(face: np.ndarray, middle: np.ndarray, length: np.ndarray) -> np.ndarray:
    """(n, joints) bool: which of the joints (n, joints, 2) lie at the head."""
    return np.linalg.norm(face - middle[:, None], axis=2) < NEAR * length[:, None]


def without_contradictions(people: People) -> People:
    """The people whose eyes agree with their torso; those upside down whose do not stay, their faces are taken back."""
    turned = contradicting(people)
    _, upright, _ = from_behind.views(people)
    people.visible[turned, FACE] = 0
    return people.select(~(turned & upright))


def contradicting(people: People) -> np.ndarray:
    """(n,) bool: whose eyes, both labelled, stand the other way round than shoulders and hips do."""
    _, across, whole = from_behind.torsos(people)
    eyes = people.skeleton.places(["left_eye", "right_eye"])
    left, right = np.moveaxis(people.joints[:, eyes], 1, 0)
    judged = whole & (people.visible[:, eyes] > 0).all(axis=1)
    return judged & ((across * (left - right)).sum(axis=1) < 0)


def with_joints(content: dict, people: People) -> dict:
    """The same file with these people alone and their joints, COCO's."""
    columns = np.concatenate([people.joints, people.visible[..., None]], axis=2) * (people.visible > 0)[..., None]
    joints = dict(zip(people.person_id.tolist(), columns.reshape(len(people), -1).round(2).tolist(), strict=True))
    category = content["categories"][0] | {"keypoints": list(skeletons.COCO_17.joints), "skeleton": []}
    labelled = [
        one | {"keypoints": joints[one["id"]], "num_keypoints": sum(value > 0 for value in joints[one["id"]][2::3])}
        for one in content["annotations"]
        if one["id"] in joints
    ]
    return content | {"categories": [category], "annotations": labelled}


if __name__ == "__main__":
    main()
