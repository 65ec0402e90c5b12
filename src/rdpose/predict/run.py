"""Poses of whatever is named, drawn and written down: what `rdpose predict` does.

    summary = predict(["holiday/", "street.mp4"], out=Path("found"))

Pictures give `found/results.json` (COCO's results format) and drawn pictures; a video gives `found/street.mp4` and
`found/street.json`, with the frame's number as image id and `track_id` for who is who. Everything is written as it
comes. A picture or video that cannot be read is named, left out and counted; the others go on.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import rdpose.predict.images as picture_run
import rdpose.predict.videos as video_run
from rdpose import detection
from rdpose.detection import DetectionsFile
from rdpose.inference import estimator as estimators
from rdpose.models.user_backbone import Factory
from rdpose.predict import sources as inputs
from rdpose.predict import unread, window, writers
from rdpose.predict.box_checks import COUNTED_FROM, CheckedDetector
from rdpose.predict.job import Job, Look, count

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Summary:
    """What was done."""

    files: tuple[Path, ...]
    """Results files."""
    num_people: int
    """Of all pictures, and who is who in the videos."""
    num_unreadable: int
    """Pictures and videos that could not be read."""
    interrupted: bool
    lines: tuple[str, ...] = ()
    """What was found where, and what was left out, a sentence each; nothing where nothing could be read."""

    def tell(self) -> int:
        """Print where results lie and, on standard error, the sentences; gives the command's exit status."""
        for file in self.files:
            print(f"results: {file}")
        for line in self.lines:
            log.info(line)
        return 130 if self.interrupted else int(self.num_unreadable > 0)


def predict(
    sources: Sequence[str],
    *,
    out: Path,
    weights: str | Path | None = None,
    backbone: Factory | None = None,
    boxes: str | Path | None = None,
    detector: str | None = None,
    min_score: float = detection.MIN_SCORE,
    draw: bool = True,
    heatmaps: bool = False,
    look: Look = Look(),  # noqa: B008, frozen
    keep_duplicates: bool = False,
    flip: bool | None = None,
    zoom: Sequence[str] | None = None,
    batch_size: int = 32,
    device: str | None = None,
    overwrite: bool = False,
) -> Summary:
    """Find the people of pictures and videos.

    Args:
        sources: pictures, folders, zips of pictures, patterns, videos, cameras' numbers, addresses.
        out: folder for everything that is written.
        weights: a network; None is the one that comes with the package.
        boxes: a file of boxes (COCO detections or annotations).
        detector: a detector's name, as `detection.load` takes it; without either, it is the one inside the package.
        min_score: boxes of the file or the detector below it are left out.
        draw: write drawn pictures and videos.
        heatmaps: also write what the network says of each person of a picture, into `out`/heatmaps; they are the
            first look's, which is then taken once more.
        look: how poses are drawn, and whether videos are shown in a window.
        keep_duplicates: a pose for every box, also where two of a picture led to the same person. Boxes of an
            annotation file are a person's each, so all of theirs are kept.
        backbone, flip, zoom, batch_size, device: as `rdpose.load` takes them.
        overwrite: take the place of files that are in `out` already.

    Raises:
        FileNotFoundError, ValueError: a source, the weights, the boxes or the detector is not there or of no use; or
            `out` has results already.
        ImportError: an extra is needed that is not installed.
    """
    found = inputs.find(sources, out=out, draw=draw)
    _check(found, boxes, detector, heatmaps)
    _check_window(found, look)
    for one in () if overwrite else found:
        writers.check_free(out, one.name, is_picture=one.is_picture, draw=draw)
    file = DetectionsFile.read(boxes) if boxes else None
    finder = file or detection.load(detector, min_score=min(min_score, COUNTED_FROM), device=device)
    where = CheckedDetector(finder, min_score)
    keep = keep_duplicates or (file is not None and file.names_people)
    looks = {"flip": flip, "zoom": zoom, "keep_duplicates": keep, "batch_size": batch_size}
    estimator = estimators.load(weights, backbone=backbone, detector=where, device=device, **looks)  # type: ignore
    with _stoppable() as stop:
        job = Job(estimator, file, out, draw=draw, heatmaps=heatmaps, look=look, stop=stop)
        _run(found, job)
        name = boxes or detector or "bundled detector"
        notes = [*job.lines, *(f"{name}: {note}" for note in where.doubts.notes(min_score)), *_unread(sources, job)]
        return Summary(tuple(job.files), job.num_people, job.num_unreadable, stop.is_set(), tuple(notes))


def _run(found: Sequence[inputs.Input], job: Job) -> None:
    """All pictures, then one video after the other."""
    if pictures := [one for one in found if one.is_picture]:
        picture_run.run(pictures, job)
    for video in (one for one in found if not one.is_picture):
        if not job.stop.is_set():
            video_run.run(video, job)


def _unread(sources: Sequence[str], job: Job) -> Iterator[str]:
    yield from unread.notes(sources, job.out)
    if job.lines and job.num_unreadable:
        yield f"{count(job.num_unreadable, 'source', 'sources')} could not be read and were left out"


def _check(found: Sequence[inputs.Input], boxes: str | Path | None, detector: str | None, heatmaps: bool) -> None:
    if boxes and detector:
        raise ValueError("give boxes either by --boxes or by --detector, not by both")
    videos = [one for one in found if not one.is_picture]
    if heatmaps and videos:
        raise ValueError(f"heatmaps are drawn of pictures, and {videos[0].source} is none; leave --heatmaps out")


def _check_window(found: Sequence[inputs.Input], look: Look) -> None:
    if look.show and all(one.is_picture for one in found):
        raise ValueError(f"--show is for videos and cameras, and {found[0].source} is a picture; leave it out")
    if look.show:
        window.check()


@contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """An event that Ctrl-C or a polite kill sets, so that what was begun is finished and written; a second one stops
    at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, _frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
