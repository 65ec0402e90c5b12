"""What people name to be looked at: pictures, folders, patterns, videos, cameras, addresses."""

from __future__ import annotations

import glob
import os
import re
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath

import numpy as np

from rdpose.io import images
from rdpose.io.images import PICTURE_ENDINGS
from rdpose.io.video import VIDEO_ENDINGS
from rdpose.predict import unread, writers

TIMEOUT_SECONDS = 20
_IN_ZIP = re.compile(r"\.zip[@/\\]", re.IGNORECASE)
_IN_THE_WAY = "results in {} would take the place of their pictures; name another folder by --out"


@dataclass(frozen=True)
class Input:
    """One picture or video.

    name: how results call it, a file name with the folders that tell it apart from the others.
    source: a path, an address, or a camera's number.
    """

    name: str
    source: str | int

    @property
    def is_picture(self) -> bool:
        return isinstance(self.source, str) and _ending(self.source) not in VIDEO_ENDINGS and not self.is_stream

    @property
    def is_stream(self) -> bool:
        """An address that names no picture."""
        return isinstance(self.source, str) and _is_address(self.source) and _ending(self.source) not in PICTURE_ENDINGS

    def read(self) -> np.ndarray:
        """The picture, upright, (height, width, 3) RGB uint8.

        Raises:
            OSError, ValueError: as `images.read`, or the address does not answer.
        """
        assert isinstance(self.source, str)
        if not _is_address(self.source):
            return _read_file(self.source)
        try:
            with urllib.request.urlopen(self.source, timeout=TIMEOUT_SECONDS) as answer:
                content = answer.read()
        except (OSError, HTTPException) as error:
            raise ValueError(f"{self.source} cannot be fetched ({error}); check the address") from None
        try:
            return images.read(content, upright=True)
        except ValueError as error:
            raise ValueError(f"{self.source}: {error}") from None


def _read_file(source: str) -> np.ndarray:
    try:
        return images.read(source, upright=True)
    except ValueError as error:
        if _ending(source) in PICTURE_ENDINGS:
            raise
        raise ValueError(f"{error}; if it is a video, name it as one ({', '.join(VIDEO_ENDINGS)})") from None


def find(sources: Sequence[str], *, out: Path, draw: bool = True) -> list[Input]:
    """Everything that `sources` name, in their order, files of a folder or zip by name; what lies in `out` is left out.

    Args:
        draw: whether drawn pictures and videos will be written to `out`, beside the results.

    Raises:
        FileNotFoundError: a file, or any file of a pattern, does not exist.
        ValueError: a folder has neither pictures nor videos, a zip no pictures or is none, or a result would take its
            source's place, or another's.
    """
    found: list[tuple[str | int, Path | None]] = []
    for source in sources:
        if source.isdigit() and not Path(source).exists():
            found.append((int(source), None))
        elif _is_address(source):
            found.append((source, None))
        else:
            found += [(str(file), folder) for folder, file in _files(source, out)]
    folders = [os.path.abspath(folder) for _, folder in found if folder]
    root = Path(os.path.commonpath(folders)) if folders else Path()
    inputs = [Input(_name(source, root), source) for source, _ in found]
    _refuse_doubles(inputs, out, draw=draw)
    if any(isinstance(one.source, str) and Path(one.source).resolve() == (out / one.name).resolve() for one in inputs):
        raise ValueError(_IN_THE_WAY.format(out))
    return inputs


def _files(source: str, out: Path) -> Iterator[tuple[Path, Path]]:
    """(folder, file) of all that a path or a pattern names."""
    path = Path(source)
    if path.is_dir():
        endings = images.folder_endings() + VIDEO_ENDINGS
        files = [file for file in sorted(path.rglob("*")) if file.suffix.lower() in endings]
        if not files:
            nothing = f"neither pictures ({', '.join(PICTURE_ENDINGS)}) nor videos ({', '.join(VIDEO_ENDINGS)})"
            raise ValueError("; ".join([f"folder {source} has {nothing}", *unread.notes([source], out)]))
        yield from ((path, file) for file in _outside(files, out))
    elif path.suffix.lower() == ".zip" and path.is_file():
        yield from ((path.parent, Path(f"{path}@{name}")) for name in _in_zip(path))
    elif path.exists() or _IN_ZIP.search(source):
        yield path.parent, path
    elif glob.has_magic(source):
        files = [Path(name) for name in sorted(glob.glob(source, recursive=True))]
        files = [file for file in files if file.is_file()]
        if not files:
            raise FileNotFoundError(f"no file is called as in {source}")
        yield from ((file.parent, file) for file in _outside(files, out))
    else:
        raise FileNotFoundError(
            f"{source} does not exist: name a picture, a folder, a pattern, a video, a camera's number or an address"
        )


def _outside(files: Sequence[Path], out: Path) -> list[Path]:
    """Those that do not lie in the folder of results, which an earlier run may have filled."""
    place = out.resolve()
    others = [file for file in files if place not in file.resolve().parents]
    if not others:
        raise ValueError(_IN_THE_WAY.format(out))
    return others


def _in_zip(archive: Path) -> list[str]:
    names = images.names_in_zip(archive)
    if not names:
        nothing = f"{archive} has no pictures ({', '.join(images.folder_endings())}); unpack it where it holds videos"
        raise ValueError("; ".join([nothing, *unread.notes([str(archive)], Path())]))
    return names


def _name(source: str | int, root: Path) -> str:
    if isinstance(source, int):
        return f"camera{source}"
    if _is_address(source):
        parts = urllib.parse.urlsplit(source)
        return PurePosixPath(urllib.parse.unquote(parts.path)).name or parts.hostname or "stream"
    return Path(os.path.abspath(source)).relative_to(root).as_posix()


def _refuse_doubles(inputs: Iterable[Input], out: Path, *, draw: bool) -> None:
    names: dict[str, Input] = {}
    of: dict[Path, Input] = {}
    for one in inputs:
        if (other := names.setdefault(one.name, one)) is not one:
            raise ValueError(f"{other.source} and {one.source} would both be called {one.name}; run them one by one")
        drawn, results = writers.places(out, one.name, is_picture=one.is_picture)
        for place in (drawn, results) if draw else (results,):
            other = of.setdefault(place, one)
            if other is not one and not (place.suffix == ".json" and one.is_picture and other.is_picture):
                raise ValueError(
                    f"{other.source} and {one.source} would both be written to {place}; run them one by one"
                )


def _is_address(source: str) -> bool:
    return "://" in source


def _ending(source: str) -> str:
    path = urllib.parse.urlsplit(source).path if _is_address(source) else source
    return PurePosixPath(path).suffix.lower()
