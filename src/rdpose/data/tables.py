"""What the readers of annotation files share: rows as columns, ids, boxes; errors name the file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from rdpose import geometry
from rdpose.io.parsed import Rows

_NUMBER = re.compile(r"\s*[+-]?\d+\s*")


def column(rows: Rows, key: str, dtype: DTypeLike, path: Path | str, *, default: Any = None) -> np.ndarray:
    """(rows,) numbers or words under `key`; `default`, unless None, stands where a row lacks it or holds null.

    Raises:
        ValueError: a row has no such key and there is no default, or holds something else than expected.
    """
    values = [row.get(key) for row in rows]
    if default is not None:
        values = [default if value is None else value for value in values]
    elif None in values:
        raise ValueError(f"{path}: row {values.index(None)} has no `{key}`; each row needs one")
    try:
        array = np.array(values, dtype=dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{path}: `{key}` holds something else than {np.dtype(dtype).name} ({error})") from None
    if array.shape != (len(rows),):
        raise ValueError(f"{path}: `{key}` holds lists; each row needs one value")
    return array


def ids(rows: Rows, key: str, path: Path | str, *, default: Any = None) -> np.ndarray:
    """(rows,) ids under `key`: int64 where all are numbers, words otherwise (UUIDs); `default` as in `column`.

    Raises:
        ValueError: as `column`.
    """
    values = [row.get(key) for row in rows]
    words = [value for value in values if isinstance(value, str)] if str in set(map(type, values)) else []
    dtype = np.int64 if all(map(_NUMBER.fullmatch, words)) else np.str_
    return column(rows, key, dtype, path, default=default)


def boxes(rows: Rows, path: Path | str) -> np.ndarray:
    """(rows, 4) float64 `bbox`es; not a number where a row has none, or fewer or more than four numbers."""
    missing = [np.nan] * 4
    found = [row.get("bbox") for row in rows]
    try:
        filled = [box if isinstance(box, list) and len(box) == 4 else missing for box in found]
        return np.array(filled, dtype=np.float64).reshape(-1, 4)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: a `bbox` holds something else than numbers ({error})") from None


def find_rows(wanted: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """(n,) int64: where each of `wanted` (n,) stands in the unique `ids` (m,), -1 where it does not.

    Ids are numbers or words; a number is found among words as it is written.
    """
    if wanted.dtype.kind != ids.dtype.kind:
        wanted, ids = wanted.astype(np.str_), ids.astype(np.str_)
    order = np.argsort(ids, kind="stable")
    place = np.minimum(np.searchsorted(ids, wanted, sorter=order), max(len(ids) - 1, 0))
    return np.where(ids[order[place]] == wanted, order[place], -1) if len(ids) else np.full(len(wanted), -1)


def clip_to_pictures(box_xywh: np.ndarray, size_wh: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) cut to pictures of size (n, 2): (n, 4) float32, zero sized where nothing is left.

    A size of 0 is unknown and cuts nothing on the right and below. The family's rule alone would bring a box from
    beyond the left or upper edge back into the picture.
    """
    clipped = geometry.clip_boxes(box_xywh, np.where(size_wh > 0, size_wh, np.inf))
    inside = (box_xywh[:, :2] + box_xywh[:, 2:] > 0).all(axis=-1, keepdims=True)
    return np.where(inside, clipped, 0).astype(np.float32)
