"""The files that settings name, as people: who is trained on, who is tested, and which boxes are looked at."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from rdpose import skeletons
from rdpose.config.schema import DataSettings, SourceSettings, TestSettings
from rdpose.data import annotations as annotation_files
from rdpose.data import detections, people
from rdpose.data.people import People
from rdpose.io.parsed import ParsedFile
from rdpose.skeletons import Skeleton

HRNET = "https://github.com/leoxiaobin/deep-high-resolution-net.pytorch"
"""Its README links person_detection_results/, which the family's settings name."""


def test_file(data: DataSettings) -> ParsedFile | None:
    """The annotation file to test on: who owns a run passes it on to all who look into it, so that it is opened once.

    None where the settings name none.
    """
    return ParsedFile(Path(data.root) / data.test.annotations) if data.test else None


def skeleton_of(data: DataSettings, file: ParsedFile | None = None) -> Skeleton:
    """The joints that a network of these settings has; `file` is `test_file`, opened here where it is left out."""
    if data.skeleton != "file":
        in_file = data.skeleton.lower().endswith((".yaml", ".yml"))
        return skeletons.get(str(Path(data.root) / data.skeleton) if in_file else data.skeleton)
    source = data.test or (data.train[0] if data.train else None)
    if source is None:
        raise ValueError("data.skeleton is `file`, but neither data.train nor data.test names an annotation file")
    return _read(data, source, None, file if data.test else None).skeleton


def training_people(data: DataSettings, skeleton: Skeleton) -> tuple[People, np.ndarray]:
    """Everybody in the training files, and how often each counts in an epoch, (people,).

    Raises:
        ValueError: no files are named, or nobody in them can be trained on.
    """
    if not data.train:
        raise ValueError("data.train names no annotation files to train on")
    sources = [_read(data, source, skeleton) for source in data.train]
    repeats = [np.full(len(found), source.repeat) for found, source in zip(sources, data.train, strict=True)]
    together = people.concatenate(sources)
    if not len(together.trainable()):
        names = ", ".join(str(Path(data.root) / source.annotations) for source in data.train)
        raise ValueError(
            f"{names}: nobody has a box and a labelled joint, so there is nothing to train on: {together.summary()}"
        )
    return together, np.concatenate(repeats)


class TestPeople(NamedTuple):
    people: People
    """Whose crops are tested."""
    labelled: bool
    """Whether the annotation file says where joints are, so that there is something to measure."""


def testing_people(
    data: DataSettings, test: TestSettings, skeleton: Skeleton, file: ParsedFile | None = None
) -> TestPeople:
    """Whose crops are tested: annotated people, or detected boxes of the test pictures; `file` as in `skeleton_of`.

    Raises:
        ValueError: no test files are named, or boxes are to be detected ones and there is no file of them.
    """
    if data.test is None:
        raise ValueError("data.test names no annotation file to test on")
    truth = _read(data, data.test, skeleton, file)
    labelled = bool(truth.visible.any())
    if test.boxes == "truth":
        return TestPeople(truth, labelled)
    if not data.test.boxes:
        raise ValueError("test.boxes is `detected`, but data.test.boxes names no file; set it, or test.boxes=truth")
    path = Path(data.root) / data.test.boxes
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist: fetch the file of detected boxes (COCO's is linked in the README of "
            f"{HRNET}), or test on the annotated boxes by test.boxes=truth"
        )
    detected = detections.read(path, truth, min_score=test.box_score)
    if not len(detected) and detected.skipped:
        told = ", ".join(f"{count} {reason}" for reason, count in detected.skipped.items())
        raise ValueError(f"{path} has no box of use for {data.test.annotations}: {told}")
    return TestPeople(detected, labelled)


def _read(
    data: DataSettings, source: SourceSettings, skeleton: Skeleton | None, file: ParsedFile | None = None
) -> People:
    root = Path(data.root)
    return annotation_files.read(
        file or root / source.annotations, root / source.images, skeleton=skeleton, format=source.format
    )
