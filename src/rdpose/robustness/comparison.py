"""Trainings of several seeds compared: mean, spread, and the paired difference to a reference with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Comparison:
    """One figure of one configuration."""

    mean: float
    spread: float | None
    """Standard deviation over seeds; None for a single one."""
    difference: float | None = None
    """Mean over the common seeds of (own - the reference's of that seed); None without common seeds."""
    half_width: float | None = None
    """Of the difference's 95 % t-interval; None below two common seeds."""

    @property
    def is_sure(self) -> bool:
        """Whether the interval of the difference leaves zero out."""
        return self.difference is not None and self.half_width is not None and abs(self.difference) > self.half_width


def compare(own: Mapping[int, float], reference: Mapping[int, float]) -> Comparison:
    """Compare figures by seed; `own` has at least one."""
    values = np.array([own[seed] for seed in sorted(own)])
    spread = float(values.std(ddof=1)) if len(values) > 1 else None
    common = sorted(own.keys() & reference.keys())
    if not common:
        return Comparison(float(values.mean()), spread)
    differences = np.array([own[seed] - reference[seed] for seed in common])
    half_width = None
    if len(common) > 1:
        error = differences.std(ddof=1) / np.sqrt(len(common))
        half_width = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(common) - 1) * error)
    return Comparison(float(values.mean()), spread, float(differences.mean()), half_width)
