"""Videos in and out: frames one at a time from a file, a camera or an address, and H.264 that browsers play.

with Video.open("street.mp4") as video, VideoWriter("found.mp4", fps=video.fps) as writer:
    for frame in video:
        writer.write(rdpose.draw(frame.picture, estimator(frame.picture)), frame.seconds)

Reading is OpenCV's (phones' rotated videos come out upright); writing is PyAV's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeGuard

import cv2
import numpy as np

from rdpose.io.images import checked
from rdpose.io.opencv import quiet

VIDEO_ENDINGS = (
    *(".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"),
    *(".wmv", ".flv", ".3gp", ".ogv", ".h264", ".mjpeg"),
)
"""Of files that are taken for videos."""
CAMERA_FPS = 30.0
"""Where a source does not tell its rate."""
TICKS = 90_000
"""Units of time in a second of a written video, as in broadcasting."""
FRAGMENT_SECONDS = 0.5
"""How much of a video may be missing after a crash."""


class Frame(NamedTuple):
    """One picture of a video."""

    index: int
    seconds: float
    """Since the video's start."""
    picture: np.ndarray
    """(height, width, 3) RGB uint8."""


class Video:
    """Frames of a video file, a camera or a stream, read one after the other; memory holds one.

    num_frames is what the file says, 0 where nobody knows; live sources have no end, and time is the clock's.
    """

    def __init__(self, source: str | Path | int, capture: cv2.VideoCapture) -> None:
        self.source, self._capture = source, capture
        fps = capture.get(cv2.CAP_PROP_FPS)
        self.fps = float(fps) if 0 < fps <= 1000 else CAMERA_FPS
        self.num_frames = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self.live = self.num_frames == 0 and not _is_file(source)

    @classmethod
    def open(cls, source: str | Path | int) -> Video:
        """Open a file, a camera (its number) or an address (http://, rtsp://).

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it cannot be read as a video, or the camera or address does not answer.
        """
        if _is_file(source):
            if not Path(source).is_file():
                raise FileNotFoundError(f"video {source} does not exist")
            source = str(source)
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # silent, as `quiet` is; read at the first video
        with quiet():
            capture = cv2.VideoCapture(source)
        if not capture.isOpened():
            what = f"camera {source}" if isinstance(source, int) else str(source)
            raise ValueError(f"{what} cannot be read as a video; check that it is one, and that it is there")
        return cls(source, capture)

    def __enter__(self) -> Video:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None):
        self._capture.release()

    def __iter__(self) -> Iterator[Frame]:
        started, index, last = time.monotonic(), 0, -1.0
        while True:
            with quiet():
                there, picture = self._capture.read()
            if not there:
                return
            seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if self.live:
                seconds = time.monotonic() - started
            elif seconds <= last:  # a container without usable times
                seconds = last + 1 / self.fps
            yield Frame(index, max(0.0, seconds), cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
            index, last = index + 1, seconds


def _is_file(source: str | Path | int) -> TypeGuard[str | Path]:
    return isinstance(source, Path) or (isinstance(source, str) and "://" not in source)


class VideoWriter:
    """Writes an H.264 MP4 (yuv420p) that browsers play.

    While it is written, the file grows by fragments of `FRAGMENT_SECONDS`, so that what a killed process leaves plays
    up to there; `close` makes an ordinary file of it whose index stands at the front. The first picture gives the
    size; odd sides grow by one pixel.

    Args:
        path: of the file; its folders are made.
        fps: the rate to declare; each frame has its own time.
    """

    def __init__(self, path: str | Path, *, fps: float) -> None:
        self.path, self.fps = Path(path), fps
        self._container: Any = None
        self._stream: Any = None
        self._size_wh: tuple[int, int] | None = None
        self._last = -1

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None):
        self.close()

    def write(self, picture: np.ndarray, seconds: float) -> None:
        """Append a picture (height, width, 3) RGB uint8 shown from `seconds` on.

        Raises:
            ValueError: it is no such picture, or its size is not the first one's.
        """
        try:
            picture = checked(picture)
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from None
        height, width = picture.shape[:2]
        if self._size_wh is None:
            self._open(width, height)
        if self._size_wh != (width, height):
            raise ValueError(f"{self.path}: a picture of {width}x{height} in a video of {self._size_wh}")
        import av  # a tenth of a second that pictures do without

        even = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even, np.uint8), format="rgb24")
        frame.pts = max(self._last + 1, round(seconds * TICKS))
        frame.time_base = Fraction(1, TICKS)
        self._container.mux(self._stream.encode(frame))
        self._last = frame.pts

    def close(self) -> None:
        """Finish the file. Without a single picture there is none."""
        if self._container is None:
            return
        container, self._container = self._container, None
        if self._last < 0:  # the first picture could not be written; what is said of it is the error to see
            container.close()
            self.path.unlink(missing_ok=True)
            return
        container.mux(self._stream.encode())
        container.close()
        _move_index_to_front(self.path)

    def _open(self, width: int, height: int) -> None:
        import av

        self._size_wh = width, height
        self.path.parent.mkdir(parents=True, exist_ok=True)
        options = {
            "movflags": "frag_keyframe+empty_moov+default_base_moof",
            "frag_duration": str(round(FRAGMENT_SECONDS * 1e6)),
            "flush_packets": "1",
        }
        self._container = av.open(str(self.path), "w", format="mp4", options=options)
        rate = Fraction(self.fps).limit_denominator(1001)
        # zerolatency: the encoder holds no frames back that a crash would take along.
        encoder = {"preset": "veryfast", "tune": "zerolatency", "crf": "21"}
        self._stream = self._container.add_stream("libx264", rate=rate, options=encoder)
        self._stream.width, self._stream.height = width + width % 2, height + height % 2
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, TICKS)
        self._stream.codec_context.gop_size = max(1, round(self.fps))


def _move_index_to_front(path: Path) -> None:
    """The same packets as an ordinary MP4, put in the file's place."""
    import av

    whole = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with (
            av.open(str(path)) as fragments,
            av.open(str(whole), "w", format="mp4", options={"movflags": "faststart"}) as out,
        ):
            stream = out.add_stream_from_template(fragments.streams.video[0])
            for packet in fragments.demux(fragments.streams.video[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    out.mux(packet)
        os.replace(whole, path)
    finally:
        whole.unlink(missing_ok=True)
