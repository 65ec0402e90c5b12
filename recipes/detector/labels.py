"""Label the training pictures: boxes by people where there are some, by two fused teachers elsewhere.

    python -m recipes.detector.labels --shared ../shared

Writes OUT/teachers.json (every fused box, made once), OUT/train.json and OUT/select.json (the pictures set aside to
choose settings with). A row is a picture: its file, size, `people` as x1 y1 x2 y2 and the chance that it is a person,
and `ignore`, boxes where a finding is neither right nor wrong. COCO's val2017 is never read.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from recipes.detector import teachers

from rdpose import geometry
from rdpose.io import files, images

LIKELY, DOUBTFUL = 0.25, 0.08
"""Chances: above the first a box is a person to learn from, above the second it is ignored."""
SAME_IOU = 0.5
HIDDEN = 0.15
"""Visible share under which a made person is ignored."""
COCO = ("coco", "coco_more")
SET_ASIDE = {"coco": 30, "coco_more": 40, "street": 30, "actions": 50}


@dataclass(frozen=True)
class Source:
    """A folder of pictures, perhaps with a COCO-format table."""

    name: str
    images: Path
    table: Path | None = None
    exact: bool = False
    """The table's boxes are all people there are, to the pixel; no teacher is asked."""
    from_joints: bool = False
    """Some boxes were made from joints: where a teacher sees the same person, its box is taken."""


@dataclass(frozen=True)
class Picture:
    source: str
    file: str
    width: int
    height: int
    people: list[list[float]]
    ignore: list[list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder with data and models")
    parser.add_argument(
        "--sets", type=Path, default=Path("data/detector/sets"), help="what recipes.detector.crowds made"
    )
    parser.add_argument("--out", type=Path, default=Path("data/detector/labels"))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    asked = sources(options.shared / "data", options.sets)
    found = ask_teachers(options.shared / "models", asked, options.out / "teachers.json")
    train, select = label(asked, found)
    for name, pictures in (("train", train), ("select", select)):
        files.write_json(options.out / f"{name}.json", [asdict(picture) for picture in pictures])
        print(f"{name}: {len(pictures)} pictures, {sum(len(picture.people) for picture in pictures)} people")


def sources(data: Path, sets: Path) -> list[Source]:
    """All pictures to label; those of `select` in a made set are for choosing settings."""
    made = {"rendered": {"exact": True}, "pasted": {"from_joints": True}}
    return [
        *(Source(name, data / name / "images/train2017", _table(data / name, "train2017")) for name in COCO),
        Source("jai_alai", data / "jai_alai/images", data / "jai_alai/annotations/jai_alai.json"),
        Source("actions", data / "actions/images"),
        Source("street", data / "street/images"),
        *(
            Source(f"{kind}_{part}", sets / kind / "images" / part, _table(sets / kind, part), **boxes)
            for kind, boxes in made.items()
            for part in ("train", "select")
        ),
    ]


def ask_teachers(models: Path, asked: list[Source], path: Path) -> dict[str, list[list[float]]]:
    """File -> fused boxes; what the file at `path` has already is not asked again."""
    found: dict[str, list[list[float]]] = files.read_json(path) if path.exists() else {}
    views = teachers.load(models)
    for source in asked:
        new = [] if source.exact else [str(file) for file in files_of(source) if str(file) not in found]
        for file in new:
            rgb = images.read(file)
            found[file] = teachers.fuse([view(rgb) for view in views]).round(3).tolist()
        print(f"{source.name}: {len(new)} pictures looked at", flush=True)
        files.write_json(path, found)
    return found


def files_of(source: Source) -> list[Path]:
    """The source's pictures, only those in its table if it has one."""
    there = sorted(source.images.glob("*.jpg")) + sorted(source.images.glob("*.png"))
    if source.table is not None:
        known = {row["file_name"] for row in files.read_json(source.table)["images"]}
        there = [file for file in there if file.name in known]
    return there


def label(asked: list[Source], found: dict[str, list[list[float]]]) -> tuple[list[Picture], list[Picture]]:
    """Pictures to train on and pictures set aside."""
    chance = calibrate(asked[0], found)
    train: list[Picture] = []
    select: list[Picture] = []
    for source in asked:
        pictures = list(_pictures(source, found, chance))
        order = np.random.default_rng(1).permutation(len(pictures))
        if source.name == "coco":  # all people are labelled in the official ones: they can be measured with
            official = {row["file_name"] for row in _rows(source)["images"] if row["labels"] == "official"}
            order = sorted(order, key=lambda i: Path(pictures[i].file).name not in official)
        aside = len(pictures) if source.name.endswith("select") else SET_ASIDE.get(source.name, 0)
        select += [pictures[i] for i in order[:aside]]
        train += [pictures[i] for i in order[aside:]]
    return train, select


def _pictures(source: Source, found: dict[str, list[list[float]]], chance: np.ndarray) -> Iterator[Picture]:
    table = _rows(source)
    rows: dict[str, list[dict]] = {row["file_name"]: [] for row in table["images"]}
    names = {row["id"]: row["file_name"] for row in table["images"]}
    official = {row["file_name"] for row in table["images"] if row.get("labels") == "official"}
    for row in table["annotations"]:
        rows[names[row["image_id"]]].append(row)
    for file in files_of(source):
        height, width = images.read(file).shape[:2]
        fused = np.array(found.get(str(file), [])).reshape(-1, 5)
        fused[:, 4] = probability(fused[:, 4], chance)
        fused[:, :4] = fused[:, :4].clip(0, [width, height, width, height])
        people, ignore = merge(rows.get(file.name, []), fused, source, alone=source.exact or file.name in official)
        yield Picture(source.name, str(file), width, height, people.round(3).tolist(), ignore.round(3).tolist())


def merge(rows: list[dict], fused: np.ndarray, source: Source, *, alone: bool) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of people and boxes to ignore, from a picture's annotations and its fused boxes with their chances.

    Args:
        rows: COCO annotations.
        fused: (n, 5) x1 y1 x2 y2 chance.
        source: where they come from.
        alone: the annotations are all people that there are.
    """
    people, ignore = [], []
    for row in rows:
        x, y, w, h = row["bbox"]
        box = np.array([x, y, x + w, y + h])
        overlap = geometry.iou(box[None], fused[:, :4])[0]
        known = len(fused) > 0 and overlap.max() >= SAME_IOU
        if row.get("iscrowd") or row.get("visible_fraction", 1) < HIDDEN:
            ignore.append(box)
        elif source.from_joints and known and fused[overlap.argmax(), 4] > LIKELY:
            people.append(np.append(fused[overlap.argmax(), :4], 1))
        else:
            people.append(np.append(box, 1))
        if known:
            fused = np.delete(fused, overlap.argmax(), axis=0)
    if not alone:
        people += list(fused[fused[:, 4] > LIKELY])
        ignore += list(fused[(fused[:, 4] > DOUBTFUL) & (fused[:, 4] <= LIKELY), :4])
    return np.array(people).reshape(-1, 5), np.array(ignore).reshape(-1, 4)


def calibrate(coco: Source, found: dict[str, list[list[float]]], rounds: int = 30) -> np.ndarray:
    """(2,) slope and offset of the logistic curve from a fused score to the chance that a person is there.

    Fitted on COCO train's pictures with official labels, whose people are all labelled.
    """
    scores, right = [], []
    table = _rows(coco)
    for image in (row for row in table["images"] if row["labels"] == "official"):
        rows = [row for row in table["annotations"] if row["image_id"] == image["id"]]
        boxes = [np.array(row["bbox"]) * 1.0 for row in rows if not row.get("iscrowd")]
        free = np.array([[x, y, x + w, y + h] for x, y, w, h in boxes]).reshape(-1, 4)
        for *box, score in found[str(coco.images / image["file_name"])]:
            overlap = geometry.iou([box], free)[0]
            hit = len(free) > 0 and overlap.max() >= SAME_IOU
            scores.append(score)
            right.append(hit)
            free = np.delete(free, overlap.argmax(), axis=0) if hit else free
    x = np.stack((_logit(np.array(scores)), np.ones(len(scores))), axis=1)
    curve = np.array([1.0, 0.0])
    for _ in range(rounds):  # Newton's method
        guess = 1 / (1 + np.exp(-x @ curve))
        curve += np.linalg.solve((x.T * guess * (1 - guess)) @ x, x.T @ (np.array(right) - guess))
    shown = ", ".join(f"{score} -> {probability(np.array([score]), curve)[0]:.2f}" for score in (0.1, 0.3, 0.5, 0.7))
    print(f"fused score -> chance of a person: {shown}")
    return curve


def probability(scores: np.ndarray, curve: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-(curve[0] * _logit(scores) + curve[1])))


def _logit(score: np.ndarray) -> np.ndarray:
    score = np.clip(score, 1e-4, 1 - 1e-4)
    return np.log(score / (1 - score))


def _rows(source: Source) -> dict:
    return files.read_json(source.table) if source.table else {"images": [], "annotations": []}


def _table(folder: Path, part: str) -> Path:
    return folder / "annotations" / f"person_keypoints_{part}.json"


if __name__ == "__main__":
    main()
