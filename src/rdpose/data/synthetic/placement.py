"""Who takes part in a scene and where they stand: a row of people, each over its neighbour by a wanted share."""

from __future__ import annotations

import numpy as np

from rdpose.data.synthetic.actors import Actor, act
from rdpose.data.synthetic.clothing import sample_clothes, sample_outfit
from rdpose.data.synthetic.figures import Figure, pose_figure, sample_build
from rdpose.data.synthetic.poses import sample_pose

NEARER_IS_LARGER = 0.22
"""How much larger the nearest of a row appears than the farthest."""


def sample_cast(
    rng: np.random.Generator, count: int, size_wh: tuple[int, int], overlap: float, variety: float
) -> list[Actor]:
    """`count` people from the farthest to the nearest, each with a good part of the body in the picture.

    overlap: the share of the narrower of two neighbours that lies over the other's width, 0..1.
    """
    teams = [sample_clothes(rng) for _ in range(2)] if rng.random() < 0.2 else [None]
    figures = [pose_figure(sample_build(rng), sample_pose(rng, variety)) for _ in range(count)]
    outfits = [sample_outfit(rng, teams[rng.integers(len(teams))]) for _ in range(count)]
    depth = rng.permutation(count) / max(count - 1, 1)  # 0 far, 1 near
    sizes = np.array([figure.build.stature for figure in figures]) * (1 + NEARER_IS_LARGER * (depth - 0.5))
    scales, offsets = _stand(rng, figures, sizes, depth, size_wh, overlap)
    order = np.argsort(depth).tolist()
    return [act(figures[i], outfits[i], scale=float(scales[i]), offset=offsets[i]) for i in order]


def _stand(
    rng: np.random.Generator,
    figures: list[Figure],
    sizes: np.ndarray,
    depth: np.ndarray,
    size_wh: tuple[int, int],
    overlap: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels per standing height (n,), and where each pelvis is (n, 2), of a row that fits the picture."""
    width, height = size_wh
    extents = np.array([_extent(figure) for figure in figures])  # (n, low or high, x or y)
    spans = (extents[:, 1] - extents[:, 0]) * sizes[:, None]
    shifts = np.minimum(spans[:-1, 0], spans[1:, 0]) * overlap * 0.95
    lefts = np.concatenate([[0], np.cumsum(spans[:-1, 0] - shifts)])
    row, tallest = (lefts + spans[:, 0]).max(), spans[:, 1].max()
    scale = min(height * rng.uniform(0.6, 1.25) / tallest, width * rng.uniform(0.85, 1.08) / row)
    lefts = (width - scale * row) * rng.uniform(0.1, 0.9) + scale * lefts
    tops = _ground(rng, height, scale * tallest) + height * 0.07 * (depth - 0.5) - scale * spans[:, 1]
    widths = scale * spans[:, 0]
    lefts = np.clip(lefts, -0.35 * widths, width - 0.65 * widths)
    corners = np.stack([lefts, np.minimum(tops, 0.6 * height)], 1)
    scales = scale * sizes
    return scales, corners - scales[:, None] * extents[:, 0]


def _ground(rng: np.random.Generator, height: int, tallest: float) -> float:
    """Where feet stand: anywhere that leaves the tallest head in the picture; feet may be below its edge."""
    top = rng.uniform(0.01, max(0.06, 1.02 - tallest / height)) * height
    return float(top + tallest)


def _extent(figure: Figure) -> tuple[np.ndarray, np.ndarray]:
    margin = 0.03  # limbs are thicker than their bones
    return figure.points[:, :2].min(0) - margin, figure.points[:, :2].max(0) + margin
