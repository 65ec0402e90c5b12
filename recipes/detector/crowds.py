"""Make the crowds that the person detector learns from, whose boxes are known: rendered ones and pasted ones.

    python -m recipes.detector.crowds --shared ../shared/data

OUT/rendered and OUT/pasted are COCO data sets with the parts `train` and `select`; a part that is there stays.
Cut-outs come from COCO train2017 and jai-alai, backgrounds of `select` from people of Leeds Sports who are in no
training.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from rdpose.data import annotations, copy_paste, synthetic
from rdpose.skeletons import COCO_17
from recipes import make_sets

RENDERED = {"select": (40, 4101, (3, 7)), "train": (600, 4102, (2, 6))}
"""Part -> pictures, seed, fewest and most people."""
PASTED = {"select": (60, 4201, "val"), "train": (900, 4202, "train")}
"""Part -> pictures, seed, part of Leeds Sports that is pasted on."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("data/detector/sets"))
    options = parser.parse_args()
    for part, (count, seed, people) in RENDERED.items():
        write = partial(synthetic.write_dataset, num_people=people, overlap=(0.0, 1.0))
        make_sets.write_once(write, options.out / "rendered", part, count, seed=seed, kind="rendered")
    cutouts, lspet = make_sets.training_cutouts(options.shared), options.shared / "lspet"
    paste = partial(copy_paste.write_dataset, cutouts=cutouts, num_cutouts=(1, 2), overlap=(0.0, 0.9))
    for part, (count, seed, behind) in PASTED.items():
        people = annotations.read(lspet / f"annotations/lspet_{behind}.json", lspet / "images", skeleton=COCO_17)
        make_sets.write_once(
            partial(paste, people=people), options.out / "pasted", part, count, seed=seed, kind="pasted"
        )


if __name__ == "__main__":
    main()
