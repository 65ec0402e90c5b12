"""Those people of a file who are seen from behind, to be shown more often: networks take them for facing the camera.

python recipes/from_behind.py data/sets/faces.json --out data/sets/behind.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from rdpose import skeletons
from rdpose.data import annotations
from rdpose.data.people import People
from rdpose.io import files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("people", type=Path)
    parser.add_argument("--out", type=Path, default=Path("data/sets/behind.json"))
    options = parser.parse_args()
    people = annotations.read(options.people, options.people.parent, skeleton=skeletons.COCO_17)
    _, _, behind = views(people)
    chosen = set(people.person_id[behind].tolist())
    content = json.loads(options.people.read_text())
    rows = [row for row in content["annotations"] if row["id"] in chosen]
    images = {row["image_id"] for row in rows}
    content |= {"annotations": rows, "images": [image for image in content["images"] if image["id"] in images]}
    files.write_json(options.out, content)
    print(f"{options.out}: {len(rows)} of {len(people)} people")


def views(people: People) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whose torso can be judged, stands upright, is seen from behind: (n,) bool each, the last two within the first.

    Judged are people with both shoulders and hips. Seen from behind, however the torso is turned, is who has the left
    ones on the left on the way from hips to shoulders; so has who faces the camera and is labelled the wrong way round.
    """
    up, across, whole = torsos(people)
    return whole, whole & (up[:, 1] < 0), whole & (up[:, 0] * across[:, 1] < up[:, 1] * across[:, 0])


def torsos(people: People) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The ways (n, 2) from hips to shoulders and from right to left, and (n,) bool: all four joints are labelled."""
    torso = people.skeleton.places(["left_shoulder", "right_shoulder", "left_hip", "right_hip"])
    left, right, left_hip, right_hip = np.moveaxis(people.joints[:, torso], 1, 0)
    whole = (people.visible[:, torso] > 0).all(axis=1)
    return left + right - left_hip - right_hip, left - right + left_hip - right_hip, whole


if __name__ == "__main__":
    main()
