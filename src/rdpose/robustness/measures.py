"""Measures of what was seen on a benchmark.

- AP: COCO's, boxes given. It does not ask in whose box a pose was found: two people whose poses are swapped score 1.
- misassigned: share of the people with a neighbour whose pose is, by OKS, more like a neighbour's than theirs, as
  `evaluation.misassignment` counts them.
- accuracy: share of the people whose pose has an OKS above a threshold to their own, mean over .50, .55, ... .95. It
  is AP without the ranking of people by confidence, and exists for any part of the people.
- anchor: share of the people with a labelled neighbour for whom the centre (mean of the labelled joints) nearest to the
  anchor is their own. Silhouettes would be stricter, but most real people here have none.
"""

from __future__ import annotations

import numpy as np

from rdpose.config.schema import Settings
from rdpose.data.people import OCCLUDED
from rdpose.engine import tester
from rdpose.evaluation import coco
from rdpose.evaluation.misassignment import Likeness
from rdpose.evaluation.misassignment import likeness as likeness_to_people
from rdpose.oks import THRESHOLDS
from rdpose.robustness.benchmarks import Benchmark
from rdpose.robustness.looking import Seen

HIDDEN_EDGES = (0.0, 0.1, 0.3, 0.5, 0.7, 1.0)
"""Edges of the bins of the share of a person's labelled joints that is occluded."""


def measure(benchmark: Benchmark, seen: Seen, settings: Settings) -> dict[str, float]:
    """AP, misassigned, accuracy, and anchor where the network has one; a figure that nobody counts for is left out."""
    figures = {"AP": average_precision(benchmark, seen, settings)} | _shares(likeness(benchmark, seen))
    if seen.anchor is not None and np.isfinite(benchmark.nearest_centers[seen.rows]).any():
        figures["anchor"] = anchor_rate(benchmark, seen)
    return figures


def measure_by_hidden_share(benchmark: Benchmark, seen: Seen) -> dict[str, dict[str, float]]:
    """Accuracy and misassigned of the people in each bin of `HIDDEN_EDGES`, by the bin's middle; empty ones left out.

    The middle is written as in "hidden 0.2".
    """
    visible = benchmark.people.visible[seen.rows]
    share = (visible == OCCLUDED).sum(axis=1) / np.maximum((visible > 0).sum(axis=1), 1)
    bins = np.digitize(share, HIDDEN_EDGES[1:-1])
    alike = likeness(benchmark, seen)
    middles = np.add(HIDDEN_EDGES[:-1], HIDDEN_EDGES[1:]) / 2
    return {
        f"hidden {middle:.2f}": _shares(Likeness(*(column[bins == number] for column in alike)))
        for number, middle in enumerate(middles)
        if (bins == number).any()
    }


def likeness(benchmark: Benchmark, seen: Seen) -> Likeness:
    """OKS of each pose to its own person and to the neighbours."""
    return likeness_to_people(seen.joints, seen.rows, benchmark.people)


def right(alike: Likeness) -> np.ndarray:
    """(n, len(THRESHOLDS)) bool: whose pose is near enough to the own, by each threshold; the mean is accuracy."""
    return alike.to_own[:, None] >= THRESHOLDS


def _shares(alike: Likeness) -> dict[str, float]:
    shares = {"accuracy": float(right(alike).mean())}
    if alike.with_neighbour.any():
        shares["misassigned"] = float(alike.misassigned[alike.with_neighbour].mean())
    return shares


def average_precision(benchmark: Benchmark, seen: Seen, settings: Settings) -> float:
    """COCO's AP over the benchmark's pictures."""
    found = tester.Found(seen.rows, seen.joints, seen.confidence)
    truth = benchmark.truth
    rows = tester.to_results(benchmark.people, found, settings)
    return coco.figures(truth, coco.load_results(rows, truth), image_ids=benchmark.image_ids)[0]


def anchor_rate(benchmark: Benchmark, seen: Seen) -> float:
    """How often the centre nearest to the anchor is the own one, among people with a labelled neighbour."""
    assert seen.anchor is not None
    nearer_than_others, counted = 0, 0
    for row, anchor in zip(seen.rows, seen.anchor, strict=True):
        others = np.linalg.norm(benchmark.centers[benchmark.people.others_in_picture(int(row))] - anchor, axis=1)
        if np.isfinite(others).any():
            counted += 1
            nearer_than_others += np.linalg.norm(benchmark.centers[row] - anchor) <= np.nanmin(others)
    return float(nearer_than_others / counted)
