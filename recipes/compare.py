"""Two trained networks on the benchmarks of crowds, and how sure the difference is for these pictures.

    python recipes/compare.py PLAIN.safetensors RDPOSE.safetensors --data data --out output/compare.md

For networks that took too long to train for several seeds: intervals come from drawing the pictures again, and say
nothing of another training. DATA, and how the networks are tested, as for recipes/ablation.py; everybody counts.
"Accuracy" is the difference (`rdpose.robustness.measures`), "to gain" what accuracy the reference would gain if those
whom it misassigns were found as well as everybody else: about what correcting whole misassigned poses could give.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from ablation_benchmarks import load, read_benchmarks

from rdpose import robustness
from rdpose.config.schema import Settings
from rdpose.io import files
from rdpose.robustness import Benchmark, measures
from rdpose.robustness.comparison import CONFIDENCE
from rdpose.robustness.figures import TABLE_NOISE, crops_of
from rdpose.robustness.looking import Seen
from rdpose.utils import malloc

WRONG = "misassigned"
DRAWS = 2000
"""Of pictures, with replacement."""
COLUMNS = ("benchmark", "people", "box noise", "AP", "AP", "misassigned", "misassigned", "ratio", "95 %")
COLUMNS += ("accuracy", "95 %", "to gain")
HIDDEN_COLUMNS = ("benchmark", "hidden share of the joints", "misassigned", "misassigned")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, nargs=2, help="the reference's, then the other's")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path("output/compare.md"))
    parser.add_argument("--people", type=int, help="look at so many people of each benchmark only")
    options = parser.parse_args(arguments)
    malloc.keep_freed()
    networks = [load(path) for path in options.weights]
    lines = [f"Each time {options.weights[0]}, then {options.weights[1]}.", ""]
    lines += [in_columns(COLUMNS), in_columns(["---"] * len(COLUMNS))]
    hidden = ["", "By how much of a person is hidden, true boxes (the middle of each group).", ""]
    hidden += [in_columns(HIDDEN_COLUMNS), in_columns(["---"] * len(HIDDEN_COLUMNS))]
    for benchmark in read_benchmarks(options.data, options.people):
        for noise in TABLE_NOISE:
            seen = [robustness.look(network, crops_of(benchmark, settings, noise))[0] for network, settings in networks]
            lines.append(row(benchmark, noise, seen, networks[0][1]))
            hidden += hidden_rows(benchmark, seen) if noise == 0 else []
            print(lines[-1], flush=True)
    files.write_text(options.out, "\n".join(lines + hidden) + "\n")


def row(benchmark: Benchmark, noise: float, seen: list[Seen], settings: Settings) -> str:
    """A line of the table: what both networks saw with boxes of that noise."""
    aps = [measures.average_precision(benchmark, one, settings) for one in seen]
    alike = [measures.likeness(benchmark, one) for one in seen]
    pictures = benchmark.people.image_index[seen[0].rows]
    crowded = alike[0].to_neighbour >= 0
    wrong = np.stack([one.misassigned for one in alike])[:, crowded]
    right = np.stack([measures.right(one).mean(axis=1) for one in alike])
    cells = [benchmark.name, str(len(pictures)), f"{noise:.2f}", *(f"{ap:.3f}" for ap in aps)]
    cells += [f"{one.sum() / max(len(one), 1):.3f}" for one in wrong]
    cells += [*estimate(wrong, pictures[crowded], ratio, ".2f"), *estimate(right, pictures, difference, "+.3f")]
    cells.append(f"{to_gain(right[0], alike[0]):+.3f}")
    return in_columns(cells)


def to_gain(right: np.ndarray, alike: measures.Likeness) -> float:
    """What the mean of `right` (people,) would gain if those who are misassigned had the mean of the others."""
    others = ~alike.misassigned
    return float(right[others].mean() - right.mean()) if others.any() else float("nan")


def hidden_rows(benchmark: Benchmark, seen: list[Seen]) -> list[str]:
    """A line for each group of people who are hidden about as much and have a labelled neighbour."""
    first, second = (measures.measure_by_hidden_share(benchmark, one) for one in seen)
    return [
        in_columns(
            [benchmark.name, name.removeprefix("hidden "), *(f"{one[name][WRONG]:.3f}" for one in (first, second))]
        )
        for name in first
        if WRONG in first[name]
    ]


def in_columns(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def ratio(sums: np.ndarray, _count: np.ndarray | int) -> np.ndarray:
    """Infinite where the reference made no error, but the other did; 1 where neither did."""
    return np.where(sums[0] > 0, sums[1] / np.maximum(sums[0], 1), np.where(sums[1] > 0, np.inf, 1.0))


def difference(sums: np.ndarray, count: np.ndarray | int) -> np.ndarray:
    return (sums[1] - sums[0]) / count


def estimate(values: np.ndarray, pictures: np.ndarray, of: Callable[..., np.ndarray], form: str) -> list[str]:
    """`of` (sums (2, ...), people (...)) for values (2, people), and where it lies when pictures are drawn again."""
    here = of(values.sum(axis=1), values.shape[1])
    _, place = np.unique(pictures, return_inverse=True)
    rng, number = np.random.default_rng(0), place.max() + 1
    times = rng.multinomial(number, np.full(number, 1 / number), size=DRAWS)
    sums = np.stack([np.bincount(place, one, number) for one in values]) @ times.T
    found = of(sums, np.bincount(place, minlength=number) @ times.T)
    low = np.quantile(found, (1 - CONFIDENCE) / 2, method="lower")
    high = np.quantile(found, (1 + CONFIDENCE) / 2, method="higher")
    return [f"{here:{form}}", f"{low:{form}} to {high:{form}}"]


if __name__ == "__main__":
    main()
