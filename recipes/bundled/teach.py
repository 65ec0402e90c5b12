"""Training pictures with the teachers' labels: COCO-format files with `candidates` (`rdpose.data.candidates`).

    python -m recipes.bundled.teach coco coco_more jai_alai street actions lspet --shared ../shared

Who is labelled by people keeps that label where the teacher agrees, half-way to what it sees; where it does not, both
places are candidates. Everybody whom the detector finds besides gets the teacher's labels alone. A file that is there
already is left as it is.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from recipes.bundled import teachers
from recipes.bundled.teachers import Teachers

from rdpose import geometry, heatmaps
from rdpose.data import annotations
from rdpose.geometry import AREA_OF_BOX
from rdpose.io import files, images
from rdpose.skeletons import COCO_17
from rdpose.utils.progress import Bar

FIRST, SECOND = 0.05, 0.15
"""Height below which a teacher's first and second peak are none."""
APART = 6
"""Cells between a heatmap's first and second peak, at least."""
LIKELY = 0.3
"""Height from which on a teacher's joint counts as a label too."""
FEWEST = 4
"""Joints that a person whom only the teacher labels must have."""
SAME_PERSON, IN_GROUP = 0.45, 0.5
"""IoU with a labelled box, and share in a group's box, from which on a found box is nobody new."""


class Source(NamedTuple):
    annotations: str
    """Below the shared data; empty where nobody has labelled the pictures."""
    images: str
    by_people: bool = True
    """Whether people made the labels, not teachers: then those are merged, and others are looked for."""
    rough: bool = False
    """Whether a sure teacher is believed rather than the label."""


SOURCES = {
    "coco": Source("coco/annotations/person_keypoints_train2017.json", "coco/images/train2017"),
    "coco_more": Source("coco_more/annotations/*.json", "coco_more/images/train2017"),
    "jai_alai": Source("jai_alai/annotations/jai_alai.json", "jai_alai/images"),
    "street": Source("street/street_teacher.json", "street/images", by_people=False),
    "actions": Source("", "actions/images"),
    "lspet": Source("lspet/annotations/lspet_train.json", "lspet/images", rough=True),
}


class Known(NamedTuple):
    """A picture, and who is known in it."""

    image: dict[str, Any]
    boxes_xyxy: np.ndarray
    joints: np.ndarray
    visible: np.ndarray
    area: np.ndarray
    groups_xyxy: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", choices=SOURCES)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--out", type=Path, default=Path("data/sets/taught"))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    ours = None
    for name in options.names:
        path = options.out / f"{name}.json"
        if not path.exists():
            ours = ours or teachers.load(options.shared / "models", threads=options.threads)
            files.write_json(path, teach(name, SOURCES[name], options.shared / "data", ours))


def teach(name: str, source: Source, data: Path, ours: Teachers, most: int | None = None) -> dict[str, Any]:
    """A COCO-format file of the people of a source; of its first `most` pictures for a quick look."""
    several = list(known_people(source, data))[:most]
    folder, listed, rows = data / source.images, [], []
    with Bar(f"teaching {name}", total=len(several), unit="pictures") as bar:
        for known in several:
            picture = images.read(str(folder / known.image["file_name"]))
            listed.append(known.image | {"height": picture.shape[0], "width": picture.shape[1]})
            rows += rows_of(picture, known, source, ours, start=len(rows) + 1)
            bar.advance()
    category = {"id": 1, "name": "person", "keypoints": list(COCO_17.joints), "skeleton": []}
    human = sum(row["human"] for row in rows)
    print(f"{name}: {len(listed)} pictures, {human} people labelled by people, {len(rows) - human} by teachers")
    return {"images": listed, "annotations": rows, "categories": [category]}


def known_people(source: Source, data: Path) -> Iterator[Known]:
    """The pictures of a source in turn."""
    if not source.annotations:
        nobody = np.zeros((0, 4), np.float32)
        for number, path in enumerate(sorted((data / source.images).glob("*.jpg")), start=1):
            image = {"id": number, "file_name": path.name}
            yield Known(image, nobody, np.zeros((0, 17, 2)), np.zeros((0, 17)), np.zeros(0), nobody)
        return
    path = next(data.glob(source.annotations))
    people = annotations.read(path, data / source.images, skeleton=COCO_17)
    boxes = geometry.xywh_to_xyxy(people.box_xywh)
    for image in range(people.num_images):
        rows = people.people_of(image)
        single, groups = rows[~people.crowd[rows]], rows[people.crowd[rows]]
        listed = {"id": int(people.image_id[image]), "file_name": str(people.image_name[image])}
        known = (boxes[single], people.joints[single], people.visible[single], people.area[single])
        yield Known(listed, *known, boxes[groups])


def rows_of(picture: np.ndarray, known: Known, source: Source, ours: Teachers, *, start: int) -> list[dict[str, Any]]:
    """The annotations of everybody in a picture, numbered from `start`."""
    found = new_people(ours.find(picture), known) if source.by_people else known.boxes_xyxy[:0]
    boxes = np.concatenate([known.boxes_xyxy, found]).astype(np.float32)
    if not len(boxes):
        return []
    crops, transforms = teachers.crops_of(picture, boxes)
    seen = candidates_of(teachers.heatmaps_of(ours.look, crops, mirror=True), transforms)
    rows = []
    for place, (box, candidates) in enumerate(zip(boxes, seen, strict=True)):
        size = box[2:] - box[:2]
        area = known.area[place] if place < len(known.boxes_xyxy) else AREA_OF_BOX * size.prod()
        human = source.by_people and place < len(known.boxes_xyxy) and known.visible[place].any()
        if human:
            joints, visible = known.joints[place], known.visible[place]
            candidates = merge(joints, visible, candidates, area, rough=source.rough)
        else:
            joints, visible = np.zeros((17, 2)), np.zeros(17)
        keypoints = keypoints_of(joints, visible, candidates, by_teacher=1 if human else 2)
        row = {"id": start + place, "image_id": known.image["id"], "category_id": 1, "iscrowd": 0}
        row |= {"bbox": [round(float(value), 2) for value in (*box[:2], *size)], "area": round(float(area), 1)}
        rows.append(row | labels(keypoints, candidates, human=bool(human)))
    return rows


def new_people(found: np.ndarray, known: Known) -> np.ndarray:
    """The found boxes (n, 4) of people who are not labelled and not in a group that is."""
    if len(found) and len(known.boxes_xyxy):
        found = found[(geometry.iou(found, known.boxes_xyxy) < SAME_PERSON).all(axis=1)]
    for group in known.groups_xyxy:
        shared = np.clip(np.minimum(found[:, 2:], group[2:]) - np.maximum(found[:, :2], group[:2]), 0, None)
        found = found[shared.prod(axis=1) < IN_GROUP * (found[:, 2:] - found[:, :2]).prod(axis=1)]
    return found


def candidates_of(maps: torch.Tensor, transforms: np.ndarray) -> np.ndarray:
    """(n, 17, 2, 3): each heatmap's highest peak and the highest local maximum apart from it, in picture pixels."""
    first, height = heatmaps.decode(maps, "dark", sigma=teachers.SIGMA)
    rows, columns = torch.meshgrid(*(torch.arange(side) for side in maps.shape[2:]), indexing="ij")
    distance = (columns - first[..., 0, None, None]) ** 2 + (rows - first[..., 1, None, None]) ** 2
    local = maps >= torch.nn.functional.max_pool2d(maps, 5, 1, 2)
    rest = torch.where((distance > APART**2) & local, maps, torch.zeros(()))
    second, other = heatmaps.decode(rest, "argmax")
    places = teachers.to_picture(torch.stack([first, second], dim=2), transforms)
    heights = torch.stack([height, other], dim=2).numpy()
    heights = np.where(heights < [FIRST, SECOND], 0, heights)
    return np.concatenate([places, heights[..., None]], axis=-1)


def merge(joints: np.ndarray, visible: np.ndarray, candidates: np.ndarray, area: float, *, rough: bool) -> np.ndarray:
    """(17, 2, 3): a person's labels (17, 2) and the teacher's candidates together.

    Where the two agree (OKS above .5) and the teacher is sure (.2), the joint lies half-way. Where they do not, the
    label comes first, of height .75, and the teacher's place second; of rough labels a sure teacher (.6) leaves .4.
    """
    found, height = candidates.copy(), candidates[:, 0, 2]
    agreed = agree(joints, candidates, area)
    for joint in np.flatnonzero(visible > 0):
        if agreed[joint] and height[joint] > 0.2:
            middle = (joints[joint] + candidates[joint, 0, :2]) / 2
            found[joint, 0] = [*middle, 0.5 + 0.5 * height[joint]]
            found[joint, 1, 2] = 0
        else:
            belief = 0.4 if rough and height[joint] > 0.6 else 0.75
            found[joint, 0] = [*joints[joint], belief]
            found[joint, 1] = [*candidates[joint, 0, :2], (1 - belief) * height[joint]]
    return found


def agree(joints: np.ndarray, candidates: np.ndarray, area: float) -> np.ndarray:
    """(17,) bool: whose first candidate is within an OKS of .5 of the label."""
    variance = (2 * np.asarray(COCO_17.sigmas)) ** 2
    squared = ((joints - candidates[:, 0, :2]) ** 2).sum(axis=-1)
    return np.exp(-squared / (2 * variance * area + 1e-9)) > 0.5


def keypoints_of(joints: np.ndarray, visible: np.ndarray, candidates: np.ndarray, *, by_teacher: int) -> np.ndarray:
    """(17, 3): the labels and, where there is none, the likely joints of the teacher with the flag `by_teacher`."""
    likely = np.where(candidates[:, 0, 2] > LIKELY, by_teacher, 0)
    flags = np.where(visible > 0, visible, likely)
    places = np.where(visible[:, None] > 0, joints, candidates[:, 0, :2])
    return np.where(flags[:, None] > 0, np.column_stack([places, flags]), 0)


def labels(keypoints: np.ndarray, candidates: np.ndarray, *, human: bool) -> dict[str, Any]:
    """The part of an annotation that says where joints are; nothing for someone of whom the teacher sees little."""
    count = int((keypoints[:, 2] > 0).sum())
    if count < FEWEST and not human:
        return {"num_keypoints": 0, "keypoints": [0] * 51, "human": False, "candidates": []}
    numbers = [round(float(value), 2) for value in keypoints.ravel()]
    peaks = np.round(candidates, 2).ravel().tolist()
    return {"num_keypoints": count, "keypoints": numbers, "human": human, "candidates": peaks}


if __name__ == "__main__":
    main()
