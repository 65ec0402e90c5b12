"""What the readers share: columns, ids, boxes."""

from __future__ import annotations

import numpy as np
import pytest

from rdpose.data import tables


def test_columns_and_their_defaults() -> None:
    rows = [{"a": 1, "b": None}, {"a": 2}]
    assert tables.column(rows, "a", np.int64, "f").tolist() == [1, 2]
    assert tables.column(rows, "b", np.float32, "f", default=3).tolist() == [3, 3]
    assert tables.column([], "a", np.int64, "f").shape == (0,)
    with pytest.raises(ValueError, match="f: row 0 has no `b`"):
        tables.column(rows, "b", np.float32, "f")
    for value in ([5], "five", {}):
        with pytest.raises(ValueError, match="f: `a` holds"):
            tables.column([{"a": value}], "a", np.int64, "f")


@pytest.mark.parametrize(
    ("wanted", "ids", "expected"),
    [([7, 9, 8, 3], [9, 7, 1], [1, 0, -1, -1]), ([1], [], [-1]), ([], [1], []), ([10], [9], [-1])],
)
def test_rows_of_ids(wanted: list[int], ids: list[int], expected: list[int]) -> None:
    assert tables.find_rows(np.array(wanted, dtype=int), np.array(ids, dtype=int)).tolist() == expected


def test_boxes_of_pictures_of_known_and_unknown_size() -> None:
    box = np.array([[50, 50, 100, 100], [50, 50, 100, 100], [-20, 0, 10, 10], [-5, 0, 10, 10]], dtype=float)
    size = np.array([[80, 60], [0, 0], [80, 60], [80, 60]])
    expected = [[50, 50, 29, 9], [50, 50, 99, 99], [0, 0, 0, 0], [0, 0, 9, 9]]
    assert tables.clip_to_pictures(box, size).tolist() == expected
