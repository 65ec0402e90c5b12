"""Boxes from a file: COCO detections, or COCO annotations, found by a picture's name or number."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from rdpose import geometry
from rdpose.data import categories
from rdpose.detection.detections import Detections, sift
from rdpose.io.files import slashes
from rdpose.io.parsed import ParsedFile
from rdpose.io.video import VIDEO_ENDINGS

Key = int | str
Row = Mapping[str, Any]
PERSON = 1
"""COCO's number for a person, for files that list no categories."""
_IN_ZIP = re.compile(r"^.+?\.zip@", re.IGNORECASE)


class DetectionsFile:
    """A detector that looks up what another one found.

    Rows are found by `file_name`, whole, without its folders or without an ending, or by a numeric `image_id` (785,
    785.0, "000000000785"), which is the number that ends the picture's name (000000000785.jpg is 785), unless the file
    gives this number to another name. A frame of a video is called street.mp4/12: rows may name the video and the frame
    (`file_name`, `image_id`), the frame alone, or the video alone, for boxes that stay.

    Args:
        rows: `{image_id or file_name, bbox (left, top, width, height), score, category_id}`; without a score 1,
            without a category a person.
        names: file names of image ids, as an annotation file gives them; a picture of no such name has no number then.
        people: the category ids of people.
        min_score: boxes below it are left out.
        name: how errors call the file.
    """

    def __init__(
        self,
        rows: Iterable[Row],
        *,
        names: Mapping[int, str] | None = None,
        people: Collection[int] = (PERSON,),
        min_score: float = 0.0,
        name: str = "the file of boxes",
    ) -> None:
        self.name, self._all_named = name, names is not None
        self.ids = {slashes(file_name): _whole(number) for number, file_name in (names or {}).items()}
        of_picture: dict[Key, list[Row]] = defaultdict(list)
        left_out: Counter[str] = Counter()
        for row in rows:
            if "category_id" in row and _whole(row["category_id"]) not in people:
                left_out[f"of category {row['category_id']}"] += 1
            elif row.get("iscrowd"):
                left_out["groups (iscrowd)"] += 1
            else:
                of_picture[_key(row)].append(row)
            number = _whole(row.get("image_id"))
            if "file_name" in row and number is not None and not _is_video(row["file_name"]):
                self.ids[slashes(row["file_name"])] = number
        self.category_id: int = min(people, default=PERSON)
        """The file's number for people, which results give them."""
        self.fault = None if of_picture else _fault(left_out, people)
        self._named = frozenset(self.ids.values())
        self.ids |= {PurePosixPath(name).name: number for name, number in self.ids.items()}
        for key in [key for key in of_picture if isinstance(key, str) and _is_frame(key)]:
            of_picture.setdefault(_without_folders(key), of_picture[key])
        self.min_score = min_score
        self._people = {key: _detections(own) for key, own in of_picture.items()}
        self.names_people: bool = names is not None
        """Whether each box is a labelled person's, as in an annotation file."""
        self._person_ids = {key: _ids(own) for key, own in of_picture.items()} if names is not None else {}

    @classmethod
    def read(cls, path: str | Path, *, min_score: float = 0.0) -> DetectionsFile:
        """Read a list of detections, or an annotation file with `images` and `annotations`.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is not JSON, or not such a file.
        """
        file = ParsedFile(path)
        content = file.content
        try:
            if not isinstance(content, dict):
                return cls(file.rows("a list of objects"), min_score=min_score, name=str(path))
            names = {image["id"]: image["file_name"] for image in file.images}
            people = _people(file.categories, path)
            return cls(file.annotations, names=names, people=people, min_score=min_score, name=str(path))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(
                f"{path} is no file of boxes ({type(error).__name__}: {error}): expected a list of objects with "
                "image_id or file_name, bbox [left, top, width, height] and score, or COCO annotations"
            ) from None

    def __call__(self, picture: np.ndarray, name: str = "") -> Detections:
        """The boxes of the picture or frame called `name`; nobody where the file has none."""
        del picture
        found = self._all(name)
        sure = found.scores >= self.min_score
        return Detections(found.boxes_xyxy[sure], found.scores[sure])

    def _all(self, name: str) -> Detections:
        key = self._find(name)
        return _detections([]) if key is None else self._people[key]

    def person_ids(self, name: str, boxes_xyxy: np.ndarray) -> list[Key | None]:
        """The annotation ids of a picture's boxes (n, 4) as the file gave them; None where it has no id for one."""
        key = self._find(name)
        known = {} if key is None else self._person_ids.get(key, {})
        left = {box: list(ids) for box, ids in known.items()}
        of_boxes = [left.get(box.tobytes()) for box in boxes_xyxy.astype(np.float32)]
        return [ids.pop(0) if ids else None for ids in of_boxes]

    def __contains__(self, name: str) -> bool:
        """Whether the file has boxes of a picture of this name."""
        return self._find(name) is not None

    @property
    def first(self) -> Key:
        """How the file calls the picture of its first person: by a name where it has one, else by a number.

        Raises:
            ValueError: it has nobody.
        """
        key = next(iter(self._people), None)
        if key is None:
            raise ValueError(f"{self.name} has nobody: {self.fault}")
        return next((name for name, number in self.ids.items() if number == key), key)

    def image_id(self, name: str) -> Key | None:
        """The id by which the file knows a picture, if it has one."""
        if (known := next((self.ids[own] for own in _names(name) if own in self.ids), None)) is not None:
            return known
        number = _number(name)
        is_frame = _is_frame(name) or name.isdecimal()
        may_be_anothers = not is_frame and (self._all_named or number in self._named)
        return number if number in self._people and not may_be_anothers else None

    def _find(self, name: str) -> Key | None:
        path = PurePosixPath(name)
        candidates: list[Key | None] = [*_names(name), self.image_id(name)]
        if _is_frame(name):
            candidates = [name, _without_folders(name), *candidates[1:], str(path.parent), path.parent.name]
        return next((key for key in candidates if key in self._people), None)


def _people(listed: Sequence[categories.Category], path: str | Path) -> set[int]:
    """The ids of people; categories without joints that do not say so are taken for COCO's, unless there is but one."""
    if len(listed) != 1 and not any(category.get("keypoints") or categories.is_person(category) for category in listed):
        return {PERSON}
    return categories.people(listed, path)[1] or {PERSON}


def _fault(left_out: Counter[str], people: Collection[int]) -> str:
    """Why a file whose rows are all `left_out`, counted by reason, has nobody."""
    if not left_out:
        return "it is empty, without a single row; run the detector again"
    told = [f"{count} rows are {reason}" for reason, count in left_out.most_common(3)]
    wanted = ", ".join(map(str, sorted(people)))
    return (
        f"{'all ' if len(left_out) == 1 else ''}{', '.join(told)}{', ...' if len(left_out) > 3 else ''}, people are "
        f"{wanted}; write this category_id in people's rows, or none"
    )


def _key(row: Row) -> Key:
    """A row's picture or frame: its number where it has one, else its name; both for a frame of a video."""
    number = _whole(row.get("image_id"))
    if isinstance(number, int) and _is_video(row.get("file_name", "")):
        return f"{row['file_name']}/{number}"
    return number if isinstance(number, int) else slashes(row["file_name"] if number is None else number)


def _whole(value: Any) -> Any:
    """785 for 785.0 (a table's numbers) and "000000000785" too; None for an empty cell's NaN; names stay."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _names(name: str) -> list[str]:
    """What a file may call a picture: with or without its zip, its folders, its ending."""
    path = PurePosixPath(_IN_ZIP.sub("", name))
    without_ending = [] if _is_video(path.stem) else [str(path.parent / path.stem), path.stem]
    return list(dict.fromkeys([name, str(path), path.name, *without_ending]))


def _is_video(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in VIDEO_ENDINGS


def _is_frame(name: str) -> bool:
    """street.mp4/12 is one."""
    return _is_video(PurePosixPath(name).parent.name)


def _without_folders(frame: str) -> str:
    return str(PurePosixPath(*PurePosixPath(frame).parts[-2:]))


def _number(name: str) -> int | None:
    digits = re.search(r"(\d+)$", PurePosixPath(name).stem)
    return int(digits[1]) if digits else None


def _detections(rows: list[Row]) -> Detections:
    """All boxes that have an area and a score, the best first."""
    with np.errstate(invalid="ignore"):  # of infinite numbers, which are left out
        return sift(_boxes_xyxy(rows), [row.get("score", 1.0) for row in rows], min_score=-np.inf)


def _ids(rows: list[Row]) -> dict[bytes, list[Key]]:
    """The ids of the people that have one, by their boxes."""
    ids: dict[bytes, list[Key]] = defaultdict(list)
    for row, box in zip(rows, _boxes_xyxy(rows), strict=True):
        ids[box.tobytes()] += [row["id"]] if "id" in row else []
    return ids


def _boxes_xyxy(rows: list[Row]) -> np.ndarray:
    """(rows, 4) float32."""
    with np.errstate(over="ignore", invalid="ignore"):
        boxes = np.array([row["bbox"] for row in rows], np.float32).reshape(len(rows), 4)
        return geometry.xywh_to_xyxy(boxes)
