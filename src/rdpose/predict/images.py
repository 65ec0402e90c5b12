"""Pictures: read, find, draw, write, batched across them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from rdpose import drawing
from rdpose.inference.estimator import Task
from rdpose.predict.job import Job, count
from rdpose.predict.sources import Input
from rdpose.predict.writers import PICTURES_RESULTS, ResultsFile, picture_place
from rdpose.structures import Poses
from rdpose.utils.progress import Bar

log = logging.getLogger(__name__)

MOST_HEATMAPS = 12
"""People of one picture whose heatmaps are drawn."""
MOST_NAMES = 5
"""Pictures without anybody that are named at the end."""
_NAMES = "its first are of {}; rows name pictures by file_name, or by an image_id that ends the picture's name"


def run(pictures: Sequence[Input], job: Job) -> None:
    """Find the people of `pictures`; writes results.json and, if asked, drawn pictures and heatmaps.

    Raises:
        ValueError: the file of boxes knows none of the pictures.
    """
    _check_names(pictures, job)
    waiting: deque[tuple[Input, np.ndarray]] = deque()

    def tasks() -> Iterator[Task]:
        for one in pictures:
            if job.stop.is_set():
                return
            try:
                picture = one.read()
            except (OSError, ValueError) as error:
                job.leave_out(error)
                continue
            waiting.append((one, picture))
            yield Task(picture, name=one.name)

    path = job.out / PICTURES_RESULTS
    people: dict[str, int] = {}
    with ResultsFile(path) as results, Bar("predicting", total=len(pictures), unit="pictures") as bar:
        for poses in job.estimator.stream(tasks()):
            one, picture = waiting.popleft()
            rows = job.rows(poses, one.name, job.image_id(one.name))
            results.add(row | {"file_name": one.name} for row in rows)
            people[one.name] = len(poses)
            _draw(one, picture, poses, job)
            bar.advance()
    job.files.append(path)
    if people:
        _summarise(people, job)


def _summarise(people: dict[str, int], job: Job) -> None:
    """How many people the pictures have, and those that have nobody, by name."""
    total, empty = sum(people.values()), [name for name, number in people.items() if not number]
    job.num_people += total
    job.lines.append(f"{count(total, 'person', 'people')} in {count(len(people), 'picture', 'pictures')}")
    if empty and len(people) > 1:
        more = f" and {len(empty) - MOST_NAMES} more" if len(empty) > MOST_NAMES else ""
        job.lines.append(f"nobody in {', '.join(empty[:MOST_NAMES])}{more}")


def _draw(one: Input, picture: np.ndarray, poses: Poses, job: Job) -> None:
    if job.draw:
        drawing.save(picture_place(job.out, one.name), job.look.draw(picture, poses))
    if job.heatmaps and len(poses):
        crops, maps = job.estimator.heatmaps(picture, name=one.name)
        pairs = list(zip(crops, maps.max(axis=1), strict=True))[:MOST_HEATMAPS]
        convention = job.estimator.inference.convention
        rows = [[crop, drawing.draw_heatmap(crop, np.maximum(m, 0), convention=convention)] for crop, m in pairs]
        drawing.save(picture_place(job.out / "heatmaps", one.name), drawing.panel(rows, titles=("crop", "all joints")))


def _check_names(pictures: Sequence[Input], job: Job) -> None:
    boxes = job.boxes
    if boxes is None:
        return
    unknown = [one.name for one in pictures if one.name not in boxes]
    if len(unknown) == len(pictures):
        more = f" and {len(unknown) - 1} more, which is all of them" if len(unknown) > 1 else ""
        raise ValueError(
            f"{boxes.name} has no boxes of {unknown[0]}{more}: {boxes.fault or _NAMES.format(boxes.first)}"
        )
    if unknown:
        log.warning(f"{len(unknown)} of {len(pictures)} pictures have no boxes in the file: {unknown[0]}, ...")
