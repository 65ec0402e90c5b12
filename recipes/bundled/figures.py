"""Figures of weights beside the teacher's: on the sets to choose on, on the val halves, on made crowds.

    python -m recipes.bundled.figures WEIGHTS teacher                # to choose among candidates
    python -m recipes.bundled.figures WEIGHTS teacher --val          # the model card's; once per candidate
    python -m recipes.bundled.figures WEIGHTS teacher --crowds       # recipes/make_sets.py's test crowds

One look by default; `--flip` looks at mirrored crops too, `--zoom` does what the weights say about a second look.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from recipes.bundled import teachers
from recipes.bundled.teachers import Look

from rdpose import detection, evaluation, geometry, heatmaps, robustness
from rdpose.config.schema import Settings
from rdpose.data import annotations, detections
from rdpose.data.people import People
from rdpose.engine import tester
from rdpose.engine.tester import Found
from rdpose.evaluation import coco, pck
from rdpose.io import files
from rdpose.io import images as pictures
from rdpose.io.parsed import ParsedFile
from rdpose.skeletons import COCO_17
from rdpose.utils import malloc

CROWDED = 0.1
"""crowdIndex above which a picture counts as crowded."""
FOUND_FROM = 0.1
"""Score of the bundled detector's boxes, of which AP wants many."""
DETECTED = "coco/person_detection_results/COCO_val2017_detections_nanodet_person.json"

Finder = Callable[[People], Found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", nargs="+", help="weights files, or `teacher`")
    parser.add_argument("--val", action="store_true")
    parser.add_argument("--crowds", action="store_true")
    parser.add_argument("--flip", action="store_true")
    parser.add_argument("--zoom", action="store_true")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--sets", type=Path, default=Path("data/sets"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    malloc.keep_freed()
    changes = {"flip": options.flip, "decode": "dark", "shift_heatmap": True} | ({} if options.zoom else {"zoom": ()})
    for weights in options.weights:
        if weights == "teacher":
            look = teachers.load(options.shared / "models").look
            finder: Finder = partial(found_by_teacher, look=look, mirror=options.flip)
        else:
            finder = partial(found_by, Path(weights), changes)
        print(f"{weights}:")
        tell = val_figures if options.val else crowd_figures if options.crowds else selection_figures
        for line in tell(finder, options.sets, options.shared / "data"):
            print(f"  {line}", flush=True)


def selection_figures(finder: Finder, sets: Path, data: Path) -> list[str]:
    """People of training pictures that were set aside, and made crowds of other seeds."""
    crowds = [of_crowd(finder, sets / f"select_{kind}", "heavy", f"select {kind}") for kind in ("rendered", "pasted")]
    held = of_coco(finder, "held", sets / "taught/held.json", data)
    return [held, *crowds, of_sports(finder, "Leeds Sports, held", sets / "taught/lspet_held.json", data)]


def val_figures(finder: Finder, sets: Path, data: Path) -> list[str]:
    """The model card's: COCO's val half with labelled boxes, the bundled detector's, NanoDet's; Leeds Sports' val."""
    file, images = data / "coco/annotations/person_keypoints_val2017.json", data / "coco/images/val2017"
    found = sets / "bundled_detector.json"
    files.write_json(found, boxes_found(file, images))
    return [
        of_coco(finder, "COCO val", file, images, crowded=True),
        of_coco(finder, "COCO val, the bundled detector's boxes", file, images, boxes=found, min_score=FOUND_FROM),
        of_coco(finder, "COCO val, NanoDet's boxes", file, images, boxes=data / DETECTED),
        of_sports(finder, "Leeds Sports val", data / "lspet/annotations/lspet_val.json", data),
    ]


def crowd_figures(finder: Finder, sets: Path, data: Path) -> list[str]:
    return [
        of_crowd(finder, sets / kind, level, kind)
        for kind in ("rendered", "pasted")
        for level in ("heavy", "some", "none")
    ]


def of_crowd(finder: Finder, folder: Path, level: str, name: str) -> str:
    file = folder / f"annotations/person_keypoints_{level}.json"
    return of_coco(finder, f"{name} {level}", file, folder / "images" / level)


def of_coco(
    finder: Finder,
    name: str,
    file: Path,
    images: Path,
    *,
    crowded: bool = False,
    boxes: Path | None = None,
    min_score: float = 0.2,
) -> str:
    """AP, and with labelled boxes the share of people with a neighbour whose pose is more like the neighbour's."""
    truth = ParsedFile(file)
    people = annotations.read(truth, images, skeleton=COCO_17)
    if boxes is not None:
        people = detections.read(boxes, people, min_score=min_score)
    settings = Settings.model_validate({"test": {"boxes": "truth" if boxes is None else "detected"}})
    results = tester.to_results(people, finder(people), settings)
    line = f"{name}: AP {evaluation.evaluate(results, truth, name=name).figures['AP']:.3f}"
    if crowded:
        line += f", crowded {crowded_ap(results, truth, images):.3f}"
    return line if boxes else f"{line}, misassigned {evaluation.misassignment(results, truth).rate:.3f}"


def boxes_found(file: Path, folder: Path) -> list[dict]:
    """What the bundled detector finds, as COCO detections."""
    detector, rows = detection.load(min_score=FOUND_FROM, threads=1), []
    for image in ParsedFile(file).images:
        found = detector(pictures.read(str(folder / image["file_name"])))
        for box, score in zip(geometry.xyxy_to_xywh(found.boxes_xyxy).tolist(), found.scores.tolist(), strict=True):
            rows.append({"image_id": image["id"], "category_id": 1, "bbox": box, "score": score})
    return rows


def of_sports(finder: Finder, name: str, file: Path, data: Path) -> str:
    """PCK in per cent over the joints that the file and COCO share."""
    people = annotations.read(file, data / "lspet/images", skeleton=COCO_17)
    found = finder(people)
    truth, visible = people.joints[found.rows], people.visible[found.rows]
    right = pck.share(*pck.compare(found.joints, truth, visible, people.skeleton, "this network"))
    return f"{name}: PCK@{pck.THRESHOLD} {right:.1f} %"


def crowded_ap(results: list[dict], file: ParsedFile, images: Path) -> float:
    crowded = robustness.read("crowded", file, images, skeleton=COCO_17, min_crowd_index=CROWDED)
    return coco.figures(crowded.truth, coco.load_results(results, crowded.truth), image_ids=crowded.image_ids)[0]


def found_by(weights: Path, changes: dict[str, object], people: People) -> Found:
    boxes = "truth" if (people.score == 1).all() else "detected"
    return tester.find_by(weights, people, boxes=boxes, **changes)[0]


def found_by_teacher(people: People, *, look: Look, mirror: bool) -> Found:
    """What PP-TinyPose finds of all boxes, groups left out, read with DARK as ours are."""
    rows, joints, confidence = [], [], []
    for image in range(people.num_images):
        here = people.people_of(image)
        here = here[~people.crowd[here]]
        if len(here):
            boxes = geometry.xywh_to_xyxy(people.box_xywh[here])
            crops, transforms = teachers.crops_of(people.picture(image), boxes)
            maps = teachers.heatmaps_of(look, crops, mirror=mirror)
            cells, heights = heatmaps.decode(maps, "dark", sigma=teachers.SIGMA)
            rows.append(here)
            joints.append(teachers.to_picture(cells, transforms).astype(np.float32))
            confidence.append(heights.numpy())
    return Found(np.concatenate(rows), np.concatenate(joints), np.concatenate(confidence))


if __name__ == "__main__":
    main()
