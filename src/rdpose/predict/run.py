"""Poses of whatever is named, drawn and written down: what `rdpose predict` does.

    summary = predict(["holiday/", "street.mp4"], weights="weights.safetensors", detector="dfine", out=Path("found"))

Pictures give `found/results.json` (COCO's results format) and drawn pictures; a video gives `found/street.mp4` and
`found/street.json`, with the frame's number as image id and `track_id` for who is who. Everything is written as it
comes. A picture or video that cannot be read is named, left out and counted; the others go on.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import rdpose.predict.images as picture_run
import rdpose.predict.videos as video_run
from rdpose import detection
from rdpose.detection import DetectionsFile, Detector
from rdpose.inference import estimator as estimators
from rdpose.predict import sources as inputs
from rdpose.predict.job import Job


@dataclass(frozen=True)
class Summary:
    """What was done."""

    files: tuple[Path, ...]
    """Results files."""
    num_people: int
    num_unreadable: int
    """Pictures and videos that could not be read."""
    interrupted: bool


def predict(
    sources: Sequence[str],
    *,
    out: Path,
    weights: str | Path | None = None,
    boxes: str | Path | None = None,
    detector: str | None = None,
    min_score: float = 0.3,
    draw: bool = True,
    heatmaps: bool = False,
    keep_duplicates: bool = False,
    flip: bool | None = None,
    zoom: Sequence[str] | None = None,
    device: str | None = None,
) -> Summary:
    """Find the people of pictures and videos.

    Args:
        sources: pictures, folders, zips of pictures, patterns, videos, cameras' numbers, addresses.
        out: folder for everything that is written.
        weights: a network; None is the one that comes with the package.
        boxes: a file of boxes (COCO detections or annotations).
        detector: a detector's name, as `detection.load` takes it. Without either, each picture is one person's box.
        min_score: boxes of the file or the detector below it are left out.
        draw: write drawn pictures and videos.
        heatmaps: also write what the network says of each person of a picture, into `out`/heatmaps; they are the
            first look's, which is then taken once more.
        keep_duplicates: a pose for every box, also where two of a picture led to the same person.
        flip, zoom, device: as `rdpose.load` takes them.

    Raises:
        FileNotFoundError, ValueError: a source, the weights, the boxes or the detector is not there or of no use.
        ImportError: an extra is needed that is not installed.
    """
    found = inputs.find(sources, out=out, draw=draw)
    _check(found, boxes, detector, heatmaps)
    where = _detector(boxes, detector, min_score, device)
    if where is None:
        print("no --boxes and no --detector: each picture is taken as one person's box", file=sys.stderr)
    estimator = estimators.load(weights, device=device, flip=flip, zoom=zoom, keep_duplicates=keep_duplicates)
    with _stoppable() as stop:
        job = Job(estimator, where, out, draw=draw, heatmaps=heatmaps, stop=stop)
        if pictures := [one for one in found if one.is_picture]:
            picture_run.run(pictures, job)
        for video in (one for one in found if not one.is_picture):
            if not stop.is_set():
                video_run.run(video, job)
        for note in job.doubts.notes(min_score):
            print(f"{boxes or detector}: {note}", file=sys.stderr)
        return Summary(tuple(job.files), job.num_people, job.num_unreadable, stop.is_set())


def _check(found: Sequence[inputs.Input], boxes: str | Path | None, detector: str | None, heatmaps: bool) -> None:
    if boxes and detector:
        raise ValueError("give boxes either by --boxes or by --detector, not by both")
    videos = [one for one in found if not one.is_picture]
    if heatmaps and videos:
        raise ValueError(f"heatmaps are drawn of pictures, and {videos[0].source} is none; leave --heatmaps out")


def _detector(boxes: str | Path | None, detector: str | None, min_score: float, device: str | None) -> Detector | None:
    if boxes:
        return DetectionsFile.read(boxes, min_score=min_score)
    return detection.load(detector, min_score=min_score, device=device) if detector else None


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
