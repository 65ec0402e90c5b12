"""Files of labels, results and boxes: each is opened, parsed and checked for its shape here, and once in a run.

    file = ParsedFile("person_keypoints_val2017.json")       # nothing is opened yet
    people, scores = annotations.read(file, "images"), evaluation.evaluate("results.json", file)

Who owns a run makes the file and passes it on: every reader takes it in the place of a path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from rdpose.io import files

Rows = Sequence[dict[str, Any]]

LISTS = ("images", "annotations", "categories")
_POLYGONS = re.compile(rb'"segmentation":\s*\[[\d.,\s\[\]eE+-]*\](?=\s*[,}])')


class ParsedFile(os.PathLike[str]):
    """A file that is parsed at its first use, and then no more. Readers leave its rows as they are.

    Args:
        path: .json, or .jsonl of a row in each line.
        polygons: keep the lists under `segmentation`. They are most of a COCO file: emptied before the file is parsed,
            they spare half the time and a third of the memory (`benchmarks/annotations.py`).

    Raises, at the first use:
        FileNotFoundError: there is no such file.
        ValueError: it is empty, a folder, no JSON, or of another shape than asked for.
    """

    def __init__(self, path: Path | str, *, polygons: bool = False) -> None:
        self.path, self._polygons = Path(path), polygons

    def __fspath__(self) -> str:
        return str(self.path)

    __str__ = __fspath__

    @cached_property
    def content(self) -> Any:
        content = files.read_bytes(self.path)
        return files.parse(content if self._polygons else _POLYGONS.sub(b'"segmentation":[]', content), self.path)

    def rows(self, what: str) -> Rows:
        """The rows of a file that is a list; `what` it should be, for the message."""
        return checked_rows(self.content, self, what)

    @property
    def images(self) -> Rows:
        return self._lists["images"]

    @property
    def annotations(self) -> Rows:
        return self._lists["annotations"]

    @property
    def categories(self) -> Rows:
        return self._lists["categories"]

    @cached_property
    def _lists(self) -> dict[str, Rows]:
        """The lists of an annotation file by name; `annotations` and `categories` may be missing."""
        content = self.content
        lists = {name: content.get(name) or [] for name in LISTS} if isinstance(content, dict) else {}
        if not lists or not all(map(_are_rows, lists.values())):
            mpii = "; MPII's files, which are lists, are read by the format and metric mpii"
            raise ValueError(
                f"{self} is not in COCO format, an object with the lists {', '.join(LISTS)}"
                + (mpii if isinstance(content, list) else "")
            )
        if not lists["images"]:
            raise ValueError(f"{self} lists no pictures (`images`); is it an annotation file in COCO format?")
        return lists


AnyFile = ParsedFile | Path | str
Source = AnyFile | Rows
"""Of poses: a file (a list in .json; lines in .jsonl, as `predict` leaves them where it is killed), or its rows."""


def opened(source: AnyFile) -> ParsedFile:
    """The file itself, or one of that path."""
    return source if isinstance(source, ParsedFile) else ParsedFile(source)


def name_of(source: Source) -> str:
    """How errors call results."""
    return str(source) if isinstance(source, AnyFile) else "the list of results"


def result_rows(source: Source, keys: Sequence[str] = ("image_id", "keypoints")) -> Rows:
    """The rows of poses, each of which has the keys, and an id of its picture.

    Raises:
        FileNotFoundError, ValueError: as `ParsedFile`; or a row lacks a key.
    """
    name, content = name_of(source), opened(source).content if isinstance(source, AnyFile) else source
    what = "a COCO results file: it is not a list of results with image_id and keypoints; is it an annotation file?"
    rows = checked_rows(content, name, what)
    for index, row in enumerate(rows):
        for key in keys:
            if key not in row:
                needed = f"{', '.join(keys[:-1])} and {keys[-1]}"
                raise ValueError(f"{name}: result {index} has no `{key}`; each needs {needed}, as in COCO's format")
        if row["image_id"] is None or row["image_id"] != row["image_id"]:  # an empty cell of a table is NaN
            raise ValueError(f"{name}: result {index} has the `image_id` {row['image_id']}; ids are numbers or words")
    return rows


def checked_rows(content: Any, name: AnyFile, what: str) -> Rows:
    if not _are_rows(content):
        raise ValueError(f"{name} is not {what}")
    return content


def _are_rows(content: Any) -> bool:
    return isinstance(content, Sequence) and all(isinstance(row, dict) for row in content)
