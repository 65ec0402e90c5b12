"""Scores: the figures of an evaluation, which print themselves as the field's table and go into JSON as they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Scores:
    """Named figures in the order of the field's tables.

    AP and AR are shares of 1, PCK and PCKh per cent, as the field prints them. A figure that does not exist (AP of
    large people where there are none) is -1, as in COCO; none is ever NaN.
    """

    name: str
    """What was measured: the first column of the table."""
    figures: dict[str, float]
    note: str = ""
    """What a reader must know to compare the figures, in a sentence."""

    def __post_init__(self) -> None:
        assert all(math.isfinite(value) for value in self.figures.values()), self.figures

    @property
    def main(self) -> float:
        """The figure by which networks are ranked: AP, or the mean over joints of PCK and PCKh."""
        return self.figures["AP"] if "AP" in self.figures else self.figures["Mean"]

    def __str__(self) -> str:
        return table([self])

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it: `{name, figures, note}`."""
        return {"name": self.name, "figures": dict(self.figures), "note": self.note}


def table(rows: Sequence[Scores]) -> str:
    """Scores of equal figures as one Markdown table, with their notes below it."""
    heads = list(rows[0].figures)
    if any(list(row.figures) != heads for row in rows):
        raise ValueError("scores of different metrics do not fit one table; print one for each metric")
    lines = [["Arch", *heads], ["---"] * (len(heads) + 1)]
    lines += [[row.name, *(f"{value:.3f}" for value in row.figures.values())] for row in rows]
    notes = dict.fromkeys(row.note for row in rows if row.note)
    return "\n".join(["| " + " | ".join(line) + " |" for line in lines] + [f"({note})" for note in notes])
