"""Videos: frames in, poses with identities out, while it runs; memory does not grow with the video."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain

import numpy as np

from rdpose.inference.estimator import Task
from rdpose.inference.tracking import Tracker
from rdpose.io.video import Frame, Video, VideoWriter
from rdpose.predict import window
from rdpose.predict.job import Job, count
from rdpose.predict.sources import Input
from rdpose.predict.writers import ResultsFile, places
from rdpose.utils.progress import Bar

log = logging.getLogger(__name__)


def run(one: Input, job: Job) -> None:
    """Find and follow the people of a video, a camera or a stream; writes NAME.json and, if asked, NAME.mp4.

    One that cannot be opened, or of which no frame can be read, is named, left out and counted.
    """
    try:
        video = Video.open(one.source)
    except (OSError, ValueError) as error:
        job.leave_out(error)
        return
    with video:
        frames = iter(video)
        first = next(frames, None)
        if first is None:
            remedy = "fetch the file again, or check the camera or the address"
            job.leave_out(ValueError(f"{one.source}: not one frame can be read; {remedy}"))
        else:
            _follow(one, video, chain([first], frames), job)


def _follow(one: Input, video: Video, frames: Iterable[Frame], job: Job) -> None:
    place, results_path = places(job.out, one.name, is_picture=False)
    waiting: deque[Frame] = deque()
    with ExitStack() as stack:
        writer = stack.enter_context(VideoWriter(place, fps=video.fps)) if job.draw else None
        results = stack.enter_context(ResultsFile(results_path))
        bar = stack.enter_context(Bar(one.name, total=video.num_frames, unit="frames", quiet=video.live))
        if job.look.show:
            stack.callback(window.close)
        if video.live:
            log.info(f"{one.name}: Ctrl-C ends it")
        # A camera's picture is answered before the next one is taken.
        estimator = replace(job.estimator, pictures_at_once=1) if video.live else job.estimator
        tracker = Tracker(estimator.skeleton)
        for poses in estimator.stream(_tasks(one, frames, waiting, job)):
            frame = waiting.popleft()
            poses = replace(poses, ids=tracker.update(poses, frame.seconds))
            more = {"file_name": one.name, "seconds": round(frame.seconds, 4)}
            results.add(row | more for row in job.rows(poses, f"{one.name}/{frame.index}", frame.index))
            _show(frame, job.look.draw(frame.picture, poses) if writer or job.look.show else None, writer, job)
            bar.advance()
        job.num_people += tracker.num_people
        people = count(tracker.num_people, "person", "people")
        job.lines.append(f"{people} in {count(bar.done, 'frame', 'frames')} of {one.name}")
        _say_if_short(one, video, bar.done, job)
        _say_if_unknown(one, bar.done, job)
    job.files.append(results_path)


def _show(frame: Frame, drawn: np.ndarray | None, writer: VideoWriter | None, job: Job) -> None:
    """A drawn frame into the video and the window, where they are asked for."""
    if drawn is None:
        return
    if writer:
        writer.write(drawn, frame.seconds)
    if job.look.show and not window.show(drawn):
        job.stop.set()


def _tasks(one: Input, frames: Iterable[Frame], waiting: deque[Frame], job: Job) -> Iterator[Task]:
    for frame in frames:
        if job.stop.is_set():
            return
        waiting.append(frame)
        yield Task(frame.picture, name=f"{one.name}/{frame.index}")


def _say_if_unknown(one: Input, num_frames: int, job: Job) -> None:
    boxes = job.boxes
    if boxes is None or any(f"{one.name}/{index}" in boxes for index in range(num_frames)):
        return
    rows = "rows name a frame by image_id, from 0, or the video by file_name, or both"
    reason = boxes.fault or f"its first are of {boxes.first}; {rows}"
    log.warning(f"{one.name}: {boxes.name} has no boxes of its frames: {reason}")


def _say_if_short(one: Input, video: Video, done: int, job: Job) -> None:
    if done < 0.98 * video.num_frames and not job.stop.is_set():
        log.warning(f"{one.name}: only {done} of {video.num_frames} frames could be read; is it cut off?")
