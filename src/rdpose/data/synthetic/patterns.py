"""Patterns of fabrics, as bands and patches that are cut to the outline of a body part."""

from __future__ import annotations

import math

import numpy as np

MAX_REPEATS = 14


def bands(outline: np.ndarray, along: tuple[float, float], pattern: str, step: float) -> np.ndarray:
    """(m, 4, 2) float32 quadrilaterals over the outline (n, 2), every `step` pixels; the caller cuts them to it.

    along: the direction, of any length, across which hoops lie and which stripes follow.
    """
    axes = _axes(along)
    projected = outline @ axes.T
    (u_low, v_low), (u_high, v_high) = projected.min(0).tolist(), projected.max(0).tolist()
    step = max(step, (u_high - u_low) / MAX_REPEATS, (v_high - v_low) / MAX_REPEATS)
    us, vs = np.arange(u_low, u_high, step), np.arange(v_low, v_high, step)
    if pattern == "hoops":
        quads = _quads(us, us + 0.5 * step, v_low, v_high)
    elif pattern == "stripes":
        quads = _quads(u_low, u_high, vs, vs + 0.45 * step)
    elif pattern == "checks":
        width = 0.3 * step
        quads = np.concatenate([_quads(us, us + width, v_low, v_high), _quads(u_low, u_high, vs, vs + width)])
    elif pattern == "block":
        quads = _quads(np.array([(u_low + u_high) / 2]), u_high, v_low, v_high)
    else:
        us, vs, width = np.repeat(us, len(vs)), np.tile(vs, len(us)), 0.5 * step
        quads = _quads(us, us + width, vs, vs + width)
    return quads @ axes.astype(np.float32)


def _axes(along: tuple[float, float]) -> np.ndarray:
    """(2, 2) unit rows: along and across; straight down where `along` has no length."""
    x, y = along
    length = math.hypot(x, y)
    x, y = (x / length, y / length) if length > 1e-6 else (0.0, 1.0)
    return np.array([[x, y], [-y, x]])


def _quads(
    u_low: float | np.ndarray, u_high: float | np.ndarray, v_low: float | np.ndarray, v_high: float | np.ndarray
) -> np.ndarray:
    """(m, 4, 2) float32 corners in order, from scalars and at least one (m,) array."""
    quads = np.empty((max(np.size(value) for value in (u_low, v_low)), 4, 2), np.float32)
    quads[:, 0, 0] = quads[:, 3, 0] = u_low
    quads[:, 1, 0] = quads[:, 2, 0] = u_high
    quads[:, 0, 1] = quads[:, 1, 1] = v_low
    quads[:, 2, 1] = quads[:, 3, 1] = v_high
    return quads
