"""Set training pictures aside, to choose among candidates: what is trained on, and what people labelled in the rest.

    python -m recipes.bundled.held_out --shared ../shared/data

Which pictures are set aside is decided by their names alone (CRC-32), so that it stays when files change. For each
source are written NAME_train.json (the teachers' labels) and NAME_held.json (people's); held.json has COCO's both.
lspet_believed.json is lspet_train.json with more belief in people's labels where a sure teacher lies elsewhere.
"""

from __future__ import annotations

import argparse
import zlib
from pathlib import Path
from typing import Any

from recipes.bundled.teach import SOURCES

from rdpose.io import files

SHARES = {"coco": 0.2, "coco_more": 0.15, "lspet": 0.035, "jai_alai": 0.0, "street": 0.0, "actions": 0.03}
TOGETHER = ("coco", "coco_more")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sets", type=Path, default=Path("data/sets/taught"))
    options = parser.parse_args()
    held = {}
    for name, share in SHARES.items():
        content = files.read_json(options.sets / f"{name}.json")
        train, rest = split(content, share)
        files.write_json(options.sets / f"{name}_train.json", train)
        if SOURCES[name].rough:
            files.write_json(options.sets / f"{name}_believed.json", believed(train))
        told = f"{name}: {len(train['images'])} pictures to train on"
        if rest and SOURCES[name].annotations:
            truth = files.read_json(next(options.shared.glob(SOURCES[name].annotations)))
            held[name] = with_pictures(truth, rest)
            files.write_json(options.sets / f"{name}_held.json", held[name])
            told += f", {len(held[name]['images'])} set aside with {len(held[name]['annotations'])} people"
        print(told)
    folders = {name: SOURCES[name].images for name in TOGETHER}
    files.write_json(options.sets / "held.json", together({name: held[name] for name in TOGETHER}, folders))


def believed(content: dict[str, Any]) -> dict[str, Any]:
    """A file whose rough labels (height .4 beside a sure teacher) are believed as others are (.75)."""
    rows = [row | {"candidates": _raised(row["candidates"])} if row["human"] else row for row in content["annotations"]]
    return content | {"annotations": rows}


def _raised(candidates: list[float]) -> list[float]:
    """A person's candidates, x, y and height of a joint's first and second place, one after the other."""
    raised = list(candidates)
    for place in range(0, len(raised), 6):
        first, second = raised[place + 2], raised[place + 5]
        if first == 0.4 and second > 0:
            raised[place + 2], raised[place + 5] = 0.75, round(second / 0.6 * 0.25, 2)
    return raised


def is_held(file_name: str, share: float) -> bool:
    """Whether a picture is set aside, of all by this share."""
    return zlib.crc32(file_name.encode()) % 1000 / 1000 < share


def split(content: dict[str, Any], share: float) -> tuple[dict[str, Any], set[int]]:
    """A file without the pictures that are set aside, and their ids."""
    held = {image["id"] for image in content["images"] if is_held(image["file_name"], share)}
    return with_pictures(content, {image["id"] for image in content["images"]} - held), held


def with_pictures(content: dict[str, Any], ids: set[int]) -> dict[str, Any]:
    """A COCO-format file of some of its pictures."""
    images = [image for image in content["images"] if image["id"] in ids]
    return content | {"images": images, "annotations": [a for a in content["annotations"] if a["image_id"] in ids]}


def together(several: dict[str, dict[str, Any]], folders: dict[str, str]) -> dict[str, Any]:
    """Several files as one, numbered anew; file names get the folder in front."""
    images: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for name, content in several.items():
        new = {image["id"]: len(images) + place for place, image in enumerate(content["images"], start=1)}
        images += [
            image | {"id": new[image["id"]], "file_name": f"{folders[name]}/{image['file_name']}"}
            for image in content["images"]
        ]
        rows += [
            row | {"id": len(rows) + place, "image_id": new[row["image_id"]]}
            for place, row in enumerate(content["annotations"], start=1)
        ]
    categories = next(iter(several.values()))["categories"]
    return {"images": images, "annotations": rows, "categories": categories}


if __name__ == "__main__":
    main()
