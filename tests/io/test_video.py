"""Videos: frames and their times come back, browsers can play what is written, and a crash leaves a playable part."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import pytest

from rdpose.io.video import FRAGMENT_SECONDS, VIDEO_ENDINGS, Video, VideoWriter


def flat(index: int, size_wh: tuple[int, int] = (64, 48)) -> np.ndarray:
    """A picture whose grey tells its number."""
    return np.full((size_wh[1], size_wh[0], 3), 10 + 5 * index % 230, np.uint8)


def write(path: Path, count: int, fps: float = 25.0, **kwargs) -> Path:
    with VideoWriter(path, fps=fps) as writer:
        for index in range(count):
            writer.write(flat(index, **kwargs), index / fps)
    return path


def test_frames_come_back_in_order_with_their_times(tmp_path: Path) -> None:
    with Video.open(write(tmp_path / "a.mp4", 30)) as video:
        assert (video.fps, video.num_frames, video.live) == (25.0, 30, False)
        frames = list(video)
    assert [frame.index for frame in frames] == list(range(30))
    assert np.allclose([frame.seconds for frame in frames], np.arange(30) / 25, atol=1e-3)
    assert all(np.abs(frame.picture.astype(int) - flat(frame.index)).max() <= 4 for frame in frames)


KINDS = {
    ".ts": ("mpegts", "libx264"),
    ".mts": ("mpegts", "libx264"),
    ".m2ts": ("mpegts", "libx264"),
    ".wmv": ("asf", "wmv2"),
    ".flv": ("flv", "flv1"),
    ".3gp": ("3gp", "h263"),
    ".ogv": ("ogg", "libvpx"),
    ".h264": ("h264", "libx264"),
    ".mjpeg": ("mjpeg", "mjpeg"),
}


@pytest.mark.parametrize("ending", KINDS)
def test_files_of_less_common_kinds_are_videos(tmp_path: Path, ending: str) -> None:
    kind, codec = KINDS[ending]
    with av.open(str(tmp_path / f"a{ending}"), "w", format=kind) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = 176, 144  # h263 knows few sizes
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for index in range(20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(flat(index, (176, 144)), format="rgb24")))
        container.mux(stream.encode())
    assert ending in VIDEO_ENDINGS
    with Video.open(tmp_path / f"a{ending}") as video:
        assert video.num_frames in (0, 20)
        frames = list(video)
    assert np.allclose([frame.seconds for frame in frames], np.arange(20) / 25, atol=2e-3)


@pytest.mark.parametrize("kind", ["matroska", "webm"])
def test_a_file_that_does_not_tell_its_length_is_no_camera(tmp_path: Path, kind: str) -> None:
    """As a browser's recorder writes it: nothing at the front is filled in afterwards."""
    codec = {"matroska": "libx264", "webm": "libvpx"}[kind]
    with (tmp_path / "a.mkv").open("wb") as file, av.open(Streamed(file), "w", format=kind) as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(flat(index), format="rgb24")))
        container.mux(stream.encode())
    with Video.open(tmp_path / "a.mkv") as video:
        assert (video.num_frames, video.live) == (0, False)
        assert np.allclose([frame.seconds for frame in video], np.arange(20) / 10, atol=2e-3)


class Streamed:
    """A file that can only grow."""

    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write


def test_colours_come_back(tmp_path: Path) -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:] = (200, 60, 20)
    with VideoWriter(tmp_path / "red.mp4", fps=10) as writer:
        writer.write(picture, 0)
    with Video.open(tmp_path / "red.mp4") as video:
        found = next(iter(video)).picture
    assert np.abs(found.mean((0, 1)) - (200, 60, 20)).max() < 8


def test_browsers_play_it(tmp_path: Path) -> None:
    path = write(tmp_path / "folder" / "a.mp4", 12, size_wh=(63, 47))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == (64, 48)
    data = path.read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")
    assert b"moof" not in data
    assert [file.name for file in path.parent.iterdir()] == ["a.mp4"]


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.15, 0.6, 0.6, 0.9]
    with VideoWriter(tmp_path / "a.mp4", fps=20) as writer:
        for index, seconds in enumerate(times):
            writer.write(flat(index), seconds)
    with Video.open(tmp_path / "a.mp4") as video:
        assert np.allclose([frame.seconds for frame in video], times, atol=2e-3)


def test_a_killed_process_leaves_all_but_the_last_moment(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_video import VideoWriter, flat
writer = VideoWriter(Path(sys.argv[1]), fps=25)
for index in range(100):
    writer.write(flat(index), index / 25)
os.kill(os.getpid(), 9)
"""
    path = tmp_path / "killed.mp4"
    done = subprocess.run([sys.executable, "-c", code, str(path), str(Path(__file__).parent)])
    assert done.returncode == -9
    with av.open(str(path)) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    assert 4 - times[-1] <= FRAGMENT_SECONDS + 0.1


def test_no_picture_no_file(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "none.mp4", fps=25):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("picture", "seconds", "message"),
    [
        (flat(0).astype(np.float32), 0.0, r"a\.mp4: a picture must be .* uint8 array; got float32 \(48, 64, 3\)"),
        (flat(0)[..., 0], 0.0, r"a\.mp4: a picture must be .* got uint8 \(48, 64\)"),
        (flat(0), float("nan"), "cannot convert float NaN"),
    ],
)
def test_the_error_of_a_first_picture_is_the_one_that_is_seen(
    tmp_path: Path, picture: np.ndarray, seconds: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message), VideoWriter(tmp_path / "a.mp4", fps=25) as writer:
        writer.write(picture, seconds)
    assert not list(tmp_path.iterdir())


def test_wrong_sources_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(ValueError, match=r"text\.mp4 cannot be read as a video"):
        Video.open(tmp_path / "text.mp4")
    with pytest.raises(FileNotFoundError, match=r"nothing\.mp4 does not exist"):
        Video.open(str(tmp_path / "nothing.mp4"))
    with pytest.raises(ValueError, match="camera 97 cannot be read"):
        Video.open(97)
    with VideoWriter(tmp_path / "a.mp4", fps=25) as writer:
        writer.write(flat(0), 0)
        with pytest.raises(ValueError, match="a picture of 32x48 in a video of"):
            writer.write(flat(1, (32, 48)), 1)
