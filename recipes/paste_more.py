"""More pasted crowds to train on: cut-outs over Leeds Sports' people with their found faces, and over COCO's people.

    python recipes/paste_more.py data/sets/faces-4.json --shared data --out data/sets/pasted-2

The cut-outs are those of recipes/make_sets.py's training set; a set that is there already is left as it is. Of COCO's
pictures with several people one is taken at a time: the others are in the picture, and the file does not know of them.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import make_sets

from rdpose import skeletons
from rdpose.data import annotations, copy_paste

SEED = 2100
PICTURES = {"lspet": 8000, "coco": 4000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path, help="Leeds Sports train with COCO's joints, by recipes/label_faces.py")
    parser.add_argument("--shared", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path("data/sets/pasted-2"))
    parser.add_argument("--scale", type=float, default=1.0, help="share of the pictures, for a quick run")
    parser.add_argument("--seed", type=int, default=SEED, help="of Leeds Sports' pictures; COCO's have the next")
    options = parser.parse_args()
    coco = options.shared / "coco"
    sources = {
        "lspet": (options.faces, options.shared / "lspet/images"),
        "coco": (coco / "annotations/person_keypoints_train2017.json", coco / "images/train2017"),
    }
    cutouts = make_sets.training_cutouts(options.shared)
    for seed, (name, (file, images)) in enumerate(sources.items(), start=options.seed):
        people = annotations.read(file, images, skeleton=skeletons.COCO_17)
        count = max(1, round(PICTURES[name] * options.scale))
        write = partial(copy_paste.write_dataset, people=people, cutouts=cutouts)
        make_sets.write_once(write, options.out, name, count, seed=seed, kind="pasted")


if __name__ == "__main__":
    main()
