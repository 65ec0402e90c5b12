"""COCO's keypoint evaluation (AP and AR over OKS thresholds) by hotcoco: pycocotools' figures, many times faster.

Also what CrowdPose's evaluation and the report need from it: `Truth`, `load_results`, `evaluated` and `figures`.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from hotcoco import COCO, COCOeval

from rdpose import skeletons
from rdpose.data import tables
from rdpose.data.people import NO_PLACE
from rdpose.evaluation import results
from rdpose.evaluation.labels import is_labelled
from rdpose.evaluation.scores import Scores
from rdpose.geometry import AREA_OF_BOX
from rdpose.io import files
from rdpose.skeletons import Skeleton

FIGURES = ("AP", "AP .5", "AP .75", "AP (M)", "AP (L)", "AR", "AR .5", "AR .75", "AR (M)", "AR (L)")

_PARTS = {
    "images": ("id", "crowdIndex"),
    "annotations": ("id", "image_id", "category_id", "bbox", "area", "iscrowd", "keypoints", "num_keypoints"),
    "categories": ("id", "name", "keypoints"),
}
"""Of annotation files; about the types of the rest the evaluator is strict, and tools are not: `date_captured` is 0
in each file of CVAT, OCHuman's `info` has a year in quotes."""
_COUNTED = re.compile(rb'"num_keypoints"\s*:\s*[1-9]')
_NO_AREA = re.compile(rb'"area"\s*:\s*(?:0(?:\.0*)?|null)\s*[,}]')


@dataclass(frozen=True, eq=False)
class Truth:
    """An annotation file as the evaluator holds it."""

    path: Path
    coco: COCO
    skeleton: Skeleton
    category_ids: frozenset[int]
    """Of people."""
    note: str = ""
    image_ids: np.ndarray | None = None
    """(pictures,) str: the pictures' ids where they are words; the evaluator knows them as 1, 2, ... in this order."""

    def numbers(self, image_ids: Sequence[int | str] | np.ndarray) -> list[int]:
        """What the evaluator calls pictures; 0 is one that the file does not have."""
        if self.image_ids is None:
            return [int(image) for image in image_ids]
        return (tables.find_rows(np.asarray(image_ids), self.image_ids) + 1).tolist() if len(image_ids) else []


def evaluate(
    source: results.Source,
    annotations: Path | str,
    *,
    name: str,
    skeleton: Skeleton | None = None,
) -> Scores:
    """The ten figures of COCO's keypoint task: 20 results a picture, OKS .5 to .95, medium and large people.

    Args:
        skeleton: the joint set with its sigmas; left out, that which the file names (COCO's own sigmas for its 17
            joints, `skeletons.DEFAULT_SIGMA` for joints of no known set).

    Raises:
        FileNotFoundError, ValueError: a file is missing, or is not what it should be; the message names it.
    """
    truth = read_truth(annotations, skeleton=skeleton)
    found = load_results(source, truth)
    values = figures(truth, found)
    notes = [truth.note]
    if set(truth.skeleton.sigmas) == {skeletons.DEFAULT_SIGMA}:
        notes.append(f"OKS sigmas of {skeletons.DEFAULT_SIGMA} for each joint, since the joint set has none")
    return Scores(name, dict(zip(FIGURES, values, strict=True)), "; ".join(filter(None, notes)))


def read_truth(path: Path | str, *, areas_from_boxes: bool = False, skeleton: Skeleton | None = None) -> Truth:
    """A COCO keypoint file; areas and joint counts that it does not hold (or, if asked, all areas) are filled in.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a COCO keypoint file, or names other joints than `skeleton`, or none and there is none; or
            by its `num_keypoints` none of its people counts.
    """
    content = files.read_bytes(path)
    rows = content.count(b'"image_id"')  # all annotations: the area of one must not stand in for another's
    complete = min(content.count(b'"area"'), content.count(b'"num_keypoints"')) >= rows and not _NO_AREA.search(content)
    try:
        whole = _as_it_is(path) if complete and not areas_from_boxes else None
        coco, note, image_ids = (whole, "", None) if whole else _completed(json.loads(content), areas_from_boxes, path)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if str(path) in str(error):
            raise
        is_list = content.lstrip().startswith(b"[")
        mpii = "MPII's files, which are lists, are measured by the metric mpii"
        remedy = mpii if is_list else "mend it, or fetch it again"
        raise ValueError(f"{path} is not a whole COCO annotation file ({error}); {remedy}") from None
    listed = coco.load_cats(coco.get_cat_ids())
    if not listed or not coco.get_img_ids():
        raise ValueError(f"{path} is not a COCO keypoint file: it has no pictures, or no categories")
    results.refuse_doubles(coco.get_ann_ids(), path)
    if b'"num_keypoints"' in content and not _COUNTED.search(content):
        _refuse_uncounted(json.loads(content)["annotations"], path)
    joints, people = results.people_of(listed, skeleton, path)
    return Truth(Path(path), coco, joints, frozenset(people), note, image_ids)


def _refuse_uncounted(annotations: list[dict[str, Any]], path: Path | str) -> None:
    """Some tools write 0 for everybody; evaluation would then ask for nobody, and every figure be -1."""
    if any(person.get("num_keypoints") == 0 and is_labelled(person) for person in annotations):
        raise ValueError(
            f"{path} says `num_keypoints` 0 of all its people, labelled ones too, so that none of them would count; "
            "take the field out, or write how many joints are labelled"
        )


def _as_it_is(path: Path | str) -> COCO | None:
    """A file that lacks nothing, without building Python's own objects; None where the evaluator does not take it."""
    try:
        whole = COCO(str(path))
    except ValueError:
        return None
    return None if 0 in whole.get_ann_ids() else whole  # it calls annotations without an id 0


def _completed(
    content: dict[str, Any], areas_from_boxes: bool, path: Path | str
) -> tuple[COCO, str, np.ndarray | None]:
    """For the evaluator, with a note, and the pictures' ids where they are words, for which it is given numbers."""
    image_ids = _number(content["images"], content["annotations"], path)
    rows = {key: [_part(row, parts) for row in content[key]] for key, parts in _PARTS.items()}
    lacking = [person for person in rows["annotations"] if areas_from_boxes or not person.get("area")]
    for person in lacking:
        person["area"] = AREA_OF_BOX * person["bbox"][2] * person["bbox"][3]
    lost = 0
    for person in rows["annotations"]:
        person["keypoints"], without_place = _placed(person.get("keypoints") or ())
        lost += without_place
        person.setdefault("num_keypoints", sum(flag > 0 for flag in person["keypoints"][2::3]))
    for category in rows["categories"]:
        category |= {"name": str(category.get("name")), "keypoints": [*map(str, category.get("keypoints") or ())]}
    notes = [f"areas of {len(lacking)} people are {AREA_OF_BOX} x box"] if lacking and not areas_from_boxes else []
    notes += [f"{lost} {NO_PLACE}, taken as unlabelled"] if lost else []
    return COCO(rows), "; ".join(notes), image_ids


def _number(images: list[dict[str, Any]], annotations: list[dict[str, Any]], path: Path | str) -> np.ndarray | None:
    """Give pictures and annotations whose ids are words numbers instead, from 1; the pictures' ids as they were."""
    person_ids, image_ids = tables.ids(annotations, "id", path), tables.ids(images, "id", path)
    of_people = tables.ids(annotations, "image_id", path)
    results.refuse_doubles(person_ids.tolist(), path)
    if {person_ids.dtype.kind, image_ids.dtype.kind, of_people.dtype.kind} <= {"i"}:
        return None
    for number, image in enumerate(images, 1):
        image["id"] = number
    for number, (person, row) in enumerate(zip(annotations, tables.find_rows(of_people, image_ids), strict=True), 1):
        person["id"], person["image_id"] = number, int(row) + 1
    return image_ids.astype(np.str_)


def _placed(keypoints: Sequence[float | None]) -> tuple[list[float], int]:
    """The keypoints with 0 for null, as unlabelled ones have it, and for labels without a place; and their number."""
    numbers = [number or 0 for number in keypoints]
    joints = [numbers[at : at + 3] for at in range(0, len(numbers), 3)]
    placed = [joint if all(map(math.isfinite, joint)) else [0, 0, 0] for joint in joints]
    lost = sum(joint[-1] > 0 and mended is not joint for joint, mended in zip(joints, placed, strict=True))
    return [number for joint in placed for number in joint], lost


def _part(row: dict[str, Any], parts: Sequence[str]) -> dict[str, Any]:
    """What the evaluator is given of a row: what plays a part and is there, ids as numbers."""
    return {key: int(row[key]) if key.endswith("id") else row[key] for key in parts if row.get(key) not in (None, [])}


def load_results(source: results.Source, truth: Truth) -> COCO:
    """Results for the evaluator, checked against the truth's joints, pictures and categories.

    Raises:
        FileNotFoundError, ValueError: as `results.read` and `results.check_ids` say.
    """
    num_joints = truth.skeleton.num_joints
    image_ids, category_ids = truth.coco.get_img_ids(), truth.coco.get_cat_ids()
    if isinstance(source, (Path, str)) and truth.image_ids is None:
        content = files.read_bytes(source)
        if results.is_plain(content, num_joints, image_ids, category_ids):
            with contextlib.suppress(ValueError):  # not JSON after all: read() says what is wrong
                return truth.coco.load_res(str(source))
    columns = results.read(source, num_joints)
    name = results.name_of(source)
    if truth.image_ids is None:
        results.check_ids(columns.image_id.tolist(), image_ids, "picture", name, truth.path)
    else:
        numbers = np.array(truth.numbers(columns.image_id), np.int64)
        results.check_ids(columns.image_id[numbers == 0].tolist(), (), "picture", name, truth.path)
        columns = replace(columns, image_id=numbers)
    results.check_ids(columns.category_id.tolist(), category_ids, "category", name, truth.path)
    return truth.coco.load_res(columns.to_rows())


def evaluated(truth: Truth, found: COCO, **settings: Any) -> COCOeval:
    """The evaluation with its curves and matches; `settings` stand for those of hotcoco.Params of the same names."""
    evaluator = COCOeval(truth.coco, found, "keypoints")
    evaluator.params.kpt_oks_sigmas = list(truth.skeleton.sigmas)
    evaluator.params.cat_ids = sorted(truth.category_ids)
    evaluator.params.use_cats = len(truth.category_ids) == 1  # people of several kinds are all people
    for name, value in settings.items():
        setattr(evaluator.params, name, value)
    evaluator.evaluate()
    evaluator.accumulate()
    return evaluator


def figures(truth: Truth, found: COCO, *, image_ids: Sequence[int | str] = ()) -> list[float]:
    """The ten figures in the order of `FIGURES`, over all pictures or some of them."""
    evaluator = evaluated(truth, found, img_ids=truth.numbers(image_ids))
    # It prints what it sums up, and warns of sigmas other than COCO's and of joined categories, which are meant here.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(kpt_oks_sigmas|use_cats)", category=UserWarning)
        evaluator.summarize()
    return [float(value) for value in evaluator.stats]
