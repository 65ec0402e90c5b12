"""The set that a network is tested on: its people and what measures results against them, read once for a run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from rdpose import evaluation
from rdpose.config.schema import Settings
from rdpose.data import sources
from rdpose.data.people import NO_BOX, NO_PLACE, People
from rdpose.evaluation import Scores
from rdpose.io.parsed import ParsedFile
from rdpose.skeletons import Skeleton
from rdpose.utils import distributed

log = logging.getLogger(__name__)


class TestSet(NamedTuple):
    people: People
    """Whose crops are looked at."""
    measure: Callable[..., Scores] | None
    """The figures of results, `measure(results, name=...)`; None where the annotation file has no labels."""


def read(skeleton: Skeleton, settings: Settings, file: ParsedFile | None) -> TestSet:
    """The set that the settings name; `file` is their `sources.test_file`, opened by who owns the run.

    Raises:
        FileNotFoundError, ValueError: a file is missing, does not fit the others, or cannot be measured against.
    """
    people, labelled = sources.testing_people(settings.data, settings.test, skeleton, file)
    if not labelled:
        return TestSet(people, None)
    assert file is not None
    return TestSet(people, evaluation.against(file, metric=settings.data.metric, skeleton=skeleton))


def tell_left_out(people: People, settings: Settings) -> None:
    """Say on standard error who of the annotated people cannot be looked at: figures count them all the same."""
    if settings.test.boxes != "truth" or not distributed.is_main():
        return
    if count := people.skipped.get(NO_BOX):
        log.warning(f"left out of the test: {count} {NO_BOX}; those with labels count as missed")
    if count := people.skipped.get(NO_PLACE):
        log.warning(f"taken as unlabelled: {count} {NO_PLACE}; mend the annotations")
