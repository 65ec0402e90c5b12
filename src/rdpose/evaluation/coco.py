"""COCO's keypoint evaluation (AP and AR over OKS thresholds) by hotcoco: pycocotools' figures, several times faster.

Also what CrowdPose's evaluation and the report need from it: `Truth`, `load_results`, `evaluated` and `figures`.
"""

from __future__ import annotations

import contextlib
import io
import math
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
from rdpose.io.parsed import AnyFile, ParsedFile, Source, name_of, opened
from rdpose.skeletons import Skeleton

FIGURES = ("AP", "AP .5", "AP .75", "AP (M)", "AP (L)", "AR", "AR .5", "AR .75", "AR (M)", "AR (L)")

_OF_IMAGES = ("crowdIndex",)
_OF_PEOPLE = ("category_id", "bbox", "area", "iscrowd", "keypoints", "num_keypoints")
"""Besides ids. About the types of the rest the evaluator is strict, and tools are not: `date_captured` is 0 in each
file of CVAT, OCHuman's `info` has a year in quotes."""


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


def measure(source: Source, truth: Truth, *, name: str) -> Scores:
    """The ten figures of COCO's keypoint task: 20 results a picture, OKS .5 to .95, medium and large people.

    Raises:
        FileNotFoundError, ValueError: the results are missing, or are not what they should be; the message names them.
    """
    values = figures(truth, load_results(source, truth))
    notes = [truth.note]
    if set(truth.skeleton.sigmas) == {skeletons.DEFAULT_SIGMA}:
        notes.append(f"OKS sigmas of {skeletons.DEFAULT_SIGMA} for each joint, since the joint set has none")
    return Scores(name, dict(zip(FIGURES, values, strict=True)), "; ".join(filter(None, notes)))


def read_truth(source: AnyFile, *, areas_from_boxes: bool = False, skeleton: Skeleton | None = None) -> Truth:
    """A COCO keypoint file; areas and joint counts that it does not hold (or, if asked, all areas) are filled in.

    Args:
        skeleton: the joint set with its sigmas; left out, that which the file names (COCO's own sigmas for its 17
            joints, `skeletons.DEFAULT_SIGMA` for joints of no known set).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a COCO keypoint file, or names other joints than `skeleton`, or none and there is none; or
            by its `num_keypoints` none of its people counts.
    """
    file = opened(source)
    if not file.categories:
        raise ValueError(f"{file} is not a COCO keypoint file: it has no categories")
    _refuse_uncounted(file)
    try:
        rows, note, image_ids = _completed(file, areas_from_boxes)
        coco = COCO(rows)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if str(file) in str(error):
            raise
        raise ValueError(f"{file} is not a whole COCO annotation file ({error}); mend it, or fetch it again") from None
    joints, people = results.people_of(rows["categories"], skeleton, file.path)
    return Truth(file.path, coco, joints, frozenset(people), note, image_ids)


def _refuse_uncounted(file: ParsedFile) -> None:
    """Some tools write 0 for everybody; evaluation would then ask for nobody, and every figure be -1."""
    people = [person for person in file.annotations if person.get("num_keypoints") is not None]
    if not any(person["num_keypoints"] for person in people) and any(map(is_labelled, people)):
        raise ValueError(
            f"{file} says `num_keypoints` 0 of all its people, labelled ones too, so that none of them would count; "
            "take the field out, or write how many joints are labelled"
        )


def _completed(
    file: ParsedFile, areas_from_boxes: bool
) -> tuple[dict[str, list[dict[str, Any]]], str, np.ndarray | None]:
    """The rows for the evaluator, a note, and the pictures' ids where they are words, for which it is given numbers."""
    image_ids, person_ids, of_people, words = _numbered(file)
    images = [_part(row, _OF_IMAGES) | {"id": number} for row, number in zip(file.images, image_ids, strict=True)]
    people = [
        _part(row, _OF_PEOPLE) | {"id": number, "image_id": image}
        for row, number, image in zip(file.annotations, person_ids, of_people, strict=True)
    ]
    lacking = [person for person in people if areas_from_boxes or not person.get("area")]
    for person in lacking:
        person["area"] = AREA_OF_BOX * person["bbox"][2] * person["bbox"][3]
    lost = 0
    for person in people:
        person["keypoints"], without_place = _placed(person.get("keypoints") or ())
        lost += without_place
        if "num_keypoints" not in person:
            person["num_keypoints"] = sum(flag > 0 for flag in person["keypoints"][2::3])
        if "category_id" in person:
            person["category_id"] = int(person["category_id"])
    categories = [
        {"id": int(row["id"]), "name": str(row.get("name")), "keypoints": [*map(str, row.get("keypoints") or ())]}
        for row in file.categories
    ]
    notes = [f"areas of {len(lacking)} people are {AREA_OF_BOX} x box"] if lacking and not areas_from_boxes else []
    notes += [f"{lost} {NO_PLACE}, taken as unlabelled"] if lost else []
    return {"images": images, "annotations": people, "categories": categories}, "; ".join(notes), words


def _numbered(file: ParsedFile) -> tuple[list[int], list[int], list[int], np.ndarray | None]:
    """Numbers for pictures, for people and for people's pictures, from 1 where ids are words; and pictures' words."""
    images, people = tables.ids(file.images, "id", file.path), tables.ids(file.annotations, "id", file.path)
    of_people = tables.ids(file.annotations, "image_id", file.path)
    results.refuse_doubles(people.tolist(), file.path)
    if {images.dtype.kind, people.dtype.kind, of_people.dtype.kind} == {"i"}:
        return images.tolist(), people.tolist(), of_people.tolist(), None
    rows = tables.find_rows(of_people, images) + 1
    return [*range(1, len(images) + 1)], [*range(1, len(people) + 1)], rows.tolist(), images.astype(np.str_)


def _placed(keypoints: Sequence[float | None]) -> tuple[list[float], int]:
    """The keypoints with 0 for null, as unlabelled ones have it, and for labels without a place; and their number."""
    with contextlib.suppress(TypeError):  # null
        if math.isfinite(sum(keypoints)):  # type: ignore
            return list(keypoints), 0  # type: ignore
    numbers = [number or 0 for number in keypoints]
    joints = [numbers[at : at + 3] for at in range(0, len(numbers), 3)]
    placed = [joint if all(map(math.isfinite, joint)) else [0, 0, 0] for joint in joints]
    lost = sum(joint[-1] > 0 and mended is not joint for joint, mended in zip(joints, placed, strict=True))
    return [number for joint in placed for number in joint], lost


def _part(row: dict[str, Any], parts: Sequence[str]) -> dict[str, Any]:
    """What the evaluator is given of a row: what plays a part and is there."""
    return {key: row[key] for key in parts if row.get(key) not in (None, [])}


def load_results(source: Source, truth: Truth) -> COCO:
    """Results for the evaluator, checked against the truth's joints, pictures and categories.

    Raises:
        FileNotFoundError, ValueError: as `results.read` and `results.check_ids` say.
    """
    columns = results.read(source, truth.skeleton.num_joints)
    name = name_of(source)
    if truth.image_ids is None:
        results.check_ids(columns.image_id.tolist(), truth.coco.get_img_ids(), "picture", name, truth.path)
    else:
        numbers = np.array(truth.numbers(columns.image_id), np.int64)
        results.check_ids(columns.image_id[numbers == 0].tolist(), (), "picture", name, truth.path)
        columns = replace(columns, image_id=numbers)
    results.check_ids(columns.category_id.tolist(), truth.coco.get_cat_ids(), "category", name, truth.path)
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
