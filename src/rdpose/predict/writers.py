"""Results as they come: one JSON line for each person at once, one COCO results file at the end."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from rdpose.io import files

PICTURES_RESULTS = "results.json"
"""The file of all pictures; a video has its own."""


class ResultsFile:
    """A COCO results file that grows.

    Until it is closed, results stand in `NAME.jsonl`, a line each, and are on their way to the disk as soon as they
    are added: a killed process loses none of them. Closing makes the list `NAME.json` of them, line by line.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.lines = path, path.with_suffix(".jsonl")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = self.lines.open("w", encoding="utf-8")

    def __enter__(self) -> ResultsFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None):
        self.close()

    def add(self, results: Iterable[dict[str, Any]]) -> None:
        """Append results of one picture."""
        self._file.writelines(json.dumps(result, allow_nan=False) + "\n" for result in results)
        self._file.flush()

    def close(self) -> None:
        """Write the list, and remove the lines."""
        self._file.close()
        files.write_atomically(self.path, self._write_list)
        self.lines.unlink()

    def _write_list(self, place: Path) -> None:
        with self.lines.open(encoding="utf-8") as lines, place.open("w", encoding="utf-8") as file:
            separator = "[\n"
            for line in lines:
                file.write(separator + line.rstrip("\n"))
                separator = ",\n"
            file.write("[]\n" if separator == "[\n" else "\n]\n")


def places(folder: Path, name: str, *, is_picture: bool) -> tuple[Path, Path]:
    """Where the drawn picture or video goes, and its results; those of all pictures go into one file."""
    if is_picture:
        return picture_place(folder, name), folder / PICTURES_RESULTS
    place = video_place(folder, name)
    return place, place.with_suffix(".json")


def check_free(folder: Path, name: str, *, is_picture: bool, draw: bool) -> None:
    """Whether nothing would be overwritten by the results of `name`, or by its drawn picture or video.

    Raises:
        ValueError: a file is there already; the message names it.
    """
    drawn, results = places(folder, name, is_picture=is_picture)
    remedy = "add --overwrite, or name another folder by --out"
    if results.with_suffix(".jsonl").exists():
        raise ValueError(f"{results.with_suffix('.jsonl')} has the results of a run that was cut short: {remedy}")
    for place in (results, drawn) if draw else (results,):
        if place.exists():
            raise ValueError(f"{place} is there already: {remedy}")


def picture_place(folder: Path, name: str) -> Path:
    """Where the picture drawn over `name` goes: its own name if that is a JPEG's or PNG's, else with .jpg added."""
    kept = Path(name).suffix.lower() in (".jpg", ".jpeg", ".png")
    return folder / (name if kept else f"{name}.jpg")


def video_place(folder: Path, name: str) -> Path:
    """Likewise for a video, which becomes an MP4."""
    return folder / (name if Path(name).suffix.lower() == ".mp4" else f"{name}.mp4")
