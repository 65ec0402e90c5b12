"""Several pictures in one: rows and columns with titles and margins, as in the figure of a paper."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from rdpose.drawing.canvas import text_size, write
from rdpose.io.images import checked

PAPER = 255
INK = (30, 30, 36)


def panel(
    rows: Sequence[Sequence[np.ndarray]],
    titles: Sequence[str] = (),
    *,
    cell_height: int | None = None,
) -> np.ndarray:
    """One white picture with all others in rows, scaled to one height and centred in their columns.

    Args:
        rows: pictures (height, width, 3) RGB uint8 of any sizes; rows may differ in length.
        titles: over the columns.
        cell_height: pixels, of every picture; the tallest picture's height, and at least 160, if None.

    Raises:
        ValueError: there is no picture, or more titles than columns.
    """
    pictures = [[checked(picture) for picture in row] for row in rows if len(row)]
    columns = max(map(len, pictures), default=0)
    if not columns or len(titles) > columns:
        raise ValueError(
            f"a panel needs a picture, and no more titles than columns; got {len(titles)} titles of {columns} columns"
        )
    height = cell_height or max(160, *(picture.shape[0] for row in pictures for picture in row))
    cells = [[_to_height(picture, height) for picture in row] for row in pictures]
    widths = [max(row[i].shape[1] for row in cells if i < len(row)) for i in range(columns)]
    margin, letter = max(height // 24, 6), float(np.clip(height / 24, 9, 28))
    heading = round(2.4 * letter) if any(titles) else 0
    page = _blank(margin + heading + len(cells) * (height + margin), margin + sum(widths) + margin * columns)
    lefts = margin + np.concatenate([[0], np.cumsum(np.array(widths) + margin)[:-1]])
    for title, left, width in zip(titles, lefts, widths, strict=False):
        _title(page, title, left, margin + heading - 0.9 * letter, width, letter)
    for i, row in enumerate(cells):
        top = margin + heading + i * (height + margin)
        for cell, left, width in zip(row, lefts, widths, strict=False):
            at = left + (width - cell.shape[1]) // 2
            page[top : top + height, at : at + cell.shape[1]] = cell
    return page


def _blank(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), PAPER, dtype=np.uint8)


def _to_height(picture: np.ndarray, height: int) -> np.ndarray:
    if picture.shape[0] == height:
        return picture
    width = max(round(picture.shape[1] * height / picture.shape[0]), 1)
    grows = height > picture.shape[0]
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC if grows else cv2.INTER_AREA)


def _title(page: np.ndarray, text: str, left: float, baseline: float, width: float, letter: float) -> None:
    """Text in the middle of `width` pixels, made smaller where it does not fit."""
    letter *= min(1.0, width / max(text_size(text, letter)[0], 1))
    space = width - text_size(text, letter)[0]
    write(page, text, (left + space / 2, baseline), INK, letter)
