"""Made crowds: pasted and rendered ones to train on, and others of other people and seeds to choose on.

    python -m recipes.bundled.crowds --shared ../shared/data

Pasted people are those whom people labelled; the labels that they lack come from the teachers. Their crowds have one
place a joint, no candidates: in crowds the truth teaches. A set that is there already is left as it is.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from recipes.bundled.held_out import with_pictures
from recipes.bundled.teach import SOURCES

from rdpose.data import annotations, copy_paste, synthetic
from rdpose.data.copy_paste import Cutout
from rdpose.data.people import People
from rdpose.io import files
from rdpose.skeletons import COCO_17
from recipes import make_sets

PASTED = {"lspet": (6000, 9100), "coco": (2400, 9101)}
RENDERED = (3000, 1000)
CHOSEN_ON = {"rendered": (100, 7002), "pasted": (100, 7102)}
"""How many pictures, and the seed."""
HEAVY = make_sets.LEVELS["heavy"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sets", type=Path, default=Path("data/sets"))
    parser.add_argument("--scale", type=float, default=1.0, help="share of the pictures, for a quick run")
    options = parser.parse_args()
    render(options.sets, options.scale)
    paste(options.sets, options.shared, options.scale)


def render(sets: Path, scale: float) -> None:
    """Rendered crowds: of 2 to 5 people to train on, of 3 to 7 to choose on."""
    write = partial(synthetic.write_dataset, num_people=(2, 5), overlap=(0.0, 1.0))
    once(write, sets / "rendered_taught", "train", *RENDERED, scale, kind="rendered")
    write = partial(synthetic.write_dataset, num_people=(3, 7), overlap=HEAVY)
    once(write, sets / "select_rendered", "heavy", *CHOSEN_ON["rendered"], scale, kind="rendered")


def paste(sets: Path, shared: Path, scale: float) -> None:
    """Pasted crowds; the people and the cut-outs to choose on are of pictures that were set aside."""
    taught = sets / "taught"
    cutouts = cutouts_of(taught, shared, held=False)
    jai_alai = SOURCES["jai_alai"]
    cutouts += copy_paste.read_cutouts(shared / jai_alai.annotations, shared / jai_alai.images)
    for name, (count, seed) in PASTED.items():
        people = labelled_by_people(taught / f"{name}_train.json", shared / SOURCES[name].images)
        write = partial(copy_paste.write_dataset, people=people, cutouts=cutouts)
        once(write, sets / "pasted_taught", name, count, seed, scale, kind="pasted")
    people = annotations.read(taught / "lspet_held.json", shared / SOURCES["lspet"].images, skeleton=COCO_17)
    others = cutouts_of(taught, shared, held=True)
    write = partial(copy_paste.write_dataset, people=people, cutouts=others, num_cutouts=(1, 2), overlap=HEAVY)
    once(write, sets / "select_pasted", "heavy", *CHOSEN_ON["pasted"], scale, kind="pasted")


def once(write: Any, folder: Path, name: str, count: int, seed: int, scale: float, *, kind: str) -> None:
    """A set by `write` unless it is there, of at least two pictures."""
    make_sets.write_once(write, folder, name, max(2, round(count * scale)), seed=seed, kind=kind)


def cutouts_of(taught: Path, shared: Path, *, held: bool) -> list[Cutout]:
    """COCO train's people, of the pictures set aside or of the others; their masks are in the file of COCO."""
    content = files.read_json(shared / SOURCES["coco"].annotations)
    aside = {image["file_name"] for image in files.read_json(taught / "coco_held.json")["images"]}
    ids = {image["id"] for image in content["images"] if (image["file_name"] in aside) == held}
    path = taught / f"cutouts_{'held' if held else 'train'}.json"
    files.write_json(path, with_pictures(content, ids))
    return copy_paste.read_cutouts(path, shared / SOURCES["coco"].images)


def labelled_by_people(path: Path, images: Path) -> People:
    """Those of a taught file whom people labelled, without candidates."""
    content = files.read_json(path)
    rows = [{key: row[key] for key in row if key != "candidates"} for row in content["annotations"] if row["human"]]
    clean = path.with_name(f"clean_{path.name}")
    files.write_json(clean, content | {"annotations": rows})
    return annotations.read(clean, images, skeleton=COCO_17)


if __name__ == "__main__":
    main()
