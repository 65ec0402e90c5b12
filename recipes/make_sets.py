"""Write the sets that the recipes train and test on: rendered crowds and pasted crowds, by levels of overlap.

    python recipes/make_sets.py --out data/sets --shared ../shared/data

Each set is COCO-format in OUT/<kind>; a set that is there already is left as it is. Levels say how much of the
narrower of two neighbours' widths lies over the other's.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rdpose import skeletons
from rdpose.data import annotations, copy_paste, synthetic
from rdpose.utils.progress import Bar

LEVELS = {"none": (0.0, 0.0), "some": (0.2, 0.5), "heavy": (0.5, 0.9)}
TRAIN_PICTURES = {"rendered": 3000, "pasted": 8000}
TEST_PICTURES = 150


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("data/sets"))
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--scale", type=float, default=1.0, help="share of the pictures, for a quick run")
    options = parser.parse_args()
    make_rendered(options.out / "rendered", options.scale)
    if options.shared.is_dir():
        make_pasted(options.out / "pasted", options.shared, options.scale)
    else:
        print(f"no pasted crowds: there is no folder {options.shared} of lspet, coco and jai_alai")


def make_rendered(folder: Path, scale: float) -> None:
    """Rendered crowds: 2 to 5 people to train on, 3 to 7 to test on."""
    for seed, (name, count) in enumerate(sets("rendered", scale).items()):
        many = (2, 5) if name == "train" else (3, 7)
        overlap = LEVELS.get(name, (0.0, 1.0))
        write = partial(synthetic.write_dataset, num_people=many, overlap=overlap)
        write_once(write, folder, name, count, seed=1000 + seed, kind="rendered", unit="scenes")


def make_pasted(folder: Path, shared: Path, scale: float) -> None:
    """Pasted crowds: training people and cut-outs never appear in the test sets."""
    lspet, coco = shared / "lspet", shared / "coco"
    cutouts = {
        "train": training_cutouts(shared),
        "val": copy_paste.read_cutouts(coco / "annotations/person_keypoints_val2017.json", coco / "images/val2017"),
    }
    for seed, (name, count) in enumerate(sets("pasted", scale).items()):
        part = "train" if name == "train" else "val"
        people = annotations.read(
            lspet / f"annotations/lspet_{part}.json", lspet / "images", skeleton=skeletons.COCO_17
        )
        many, overlap = (1, 1) if name == "none" else (1, 2), LEVELS.get(name, (0.0, 0.9))
        write = partial(
            copy_paste.write_dataset, people=people, cutouts=cutouts[part], num_cutouts=many, overlap=overlap
        )
        write_once(write, folder, name, count, seed=2000 + seed, kind="pasted")


def write_once(
    write: Callable[..., Path], folder: Path, name: str, count: int, *, seed: int, kind: str, unit: str = "pictures"
) -> None:
    """Have `write` (a `write_dataset`) write a set with a bar of progress, unless it is there."""
    with Bar(f"{kind} {name}", total=count, unit=unit) as bar:
        if not annotation_file(folder, name).exists():
            write(folder, num_pictures=count, seed=seed, name=name, progress=lambda _done: bar.advance())


def training_cutouts(shared: Path) -> list[copy_paste.Cutout]:
    """COCO train's people and the jai-alai players, as far as they have masks."""
    coco, jai_alai = shared / "coco", shared / "jai_alai"
    return [
        *copy_paste.read_cutouts(coco / "annotations/person_keypoints_train2017.json", coco / "images/train2017"),
        *copy_paste.read_cutouts(jai_alai / "annotations/jai_alai.json", jai_alai / "images"),
    ]


def sets(kind: str, scale: float) -> dict[str, int]:
    """Names of a kind's sets and how many pictures each has."""
    counts = {"train": TRAIN_PICTURES[kind]} | dict.fromkeys(LEVELS, TEST_PICTURES)
    return {name: max(4, round(count * scale)) for name, count in counts.items()}


def annotation_file(folder: Path, name: str) -> Path:
    return folder / "annotations" / f"person_keypoints_{name}.json"


if __name__ == "__main__":
    main()
