"""Figures of one network on one benchmark: those of the table, and those along the robustness curves.

Keys are `benchmark/condition/measure`. Conditions end in the number that they vary: "box noise 0.12".
"""

from __future__ import annotations

import torch

from rdpose.config.schema import Settings
from rdpose.data.crops import PictureCrops
from rdpose.robustness.benchmarks import Benchmark
from rdpose.robustness.looking import PoseNetwork, has_anchor, knows_boxes, look
from rdpose.robustness.measures import measure, measure_by_hidden_share

TABLE_NOISE = (0.0, 0.12)
CURVE_NOISE = (0.06, 0.18, 0.24)
NEIGHBOUR_NOISE = (0.12, 0.24)
ANCHOR_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


def table_figures(network: PoseNetwork, benchmark: Benchmark, settings: Settings) -> dict[str, float]:
    """True boxes, and boxes with 12 % noise."""
    return _with_box_noise(network, benchmark, settings, TABLE_NOISE)


def curve_figures(network: PoseNetwork, benchmark: Benchmark, settings: Settings) -> dict[str, float]:
    """What the table leaves out: more box noise, hidden joints, missing and noisy neighbours, wrong anchors."""
    return (
        _with_box_noise(network, benchmark, settings, CURVE_NOISE)
        | _with_other_boxes(network, benchmark, settings)
        | _with_wrong_anchors(network, benchmark, settings)
    )


def _with_box_noise(
    network: PoseNetwork, benchmark: Benchmark, settings: Settings, levels: tuple[float, ...]
) -> dict[str, float]:
    figures = {}
    for level in levels:
        seen = look(network, crops_of(benchmark, settings, level))[0]
        figures |= _named(benchmark, f"box noise {level:.2f}", measure(benchmark, seen, settings))
        if level == 0:
            for condition, measures in measure_by_hidden_share(benchmark, seen).items():
                figures |= _named(benchmark, condition, measures)
    return figures


def _with_other_boxes(network: PoseNetwork, benchmark: Benchmark, settings: Settings) -> dict[str, float]:
    """Missing and noisy boxes around the true crop; a network that takes no notice of boxes is looked at once."""
    true = crops_of(benchmark, settings, 0.0)
    nobody, unknown = torch.zeros_like(true.neighbours), torch.zeros_like(true.box)
    changed = {
        "neighbours withheld": true._replace(neighbours=nobody),
        "own box withheld": true._replace(box=unknown),
        "all boxes withheld": true._replace(neighbours=nobody, box=unknown),
    }
    for level in NEIGHBOUR_NOISE:
        changed[f"neighbour noise {level:.2f}"] = benchmark.with_noisy_neighbours(true, level)
    if not knows_boxes(network):
        same = measure(benchmark, look(network, true)[0], settings)
        return {key: value for name in changed for key, value in _named(benchmark, name, same).items()}
    figures = {}
    for name, crops in changed.items():
        figures |= _named(benchmark, name, measure(benchmark, look(network, crops)[0], settings))
    return figures


def _with_wrong_anchors(network: PoseNetwork, benchmark: Benchmark, settings: Settings) -> dict[str, float]:
    """The anchor forced a share of the way towards the nearest other person's centre."""
    if not has_anchor(network):
        return {}
    crops = crops_of(benchmark, settings, 0.0)
    goal = benchmark.nearest_centers[crops.index.numpy()]
    figures = {}
    for share, seen in zip(ANCHOR_SHARES, look(network, crops, goal=goal, shares=ANCHOR_SHARES), strict=True):
        figures |= _named(benchmark, f"wrong anchor {share:.2f}", measure(benchmark, seen, settings))
    return figures


def crops_of(benchmark: Benchmark, settings: Settings, box_noise: float) -> PictureCrops:
    """The benchmark's crops as the settings' network takes them."""
    model, most = settings.model, settings.data.max_neighbours
    return benchmark.crops(
        model.image_size, most, box_noise=box_noise, convention=model.geometry, padding=model.padding
    )


def _named(benchmark: Benchmark, condition: str, measures: dict[str, float]) -> dict[str, float]:
    return {f"{benchmark.name}/{condition}/{name}": value for name, value in measures.items()}
