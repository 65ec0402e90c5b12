"""What the ablation found, as tables in Markdown, one JSON file, and curves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from rdpose.io import files
from rdpose.robustness import Comparison, compare

REFERENCE = "plain"
TABLES = (
    ("AP, true boxes", "box noise 0.00", "AP"),
    ("AP, boxes with 12 % noise", "box noise 0.12", "AP"),
    ("Misassignment, true boxes", "box noise 0.00", "misassigned"),
    ("Misassignment, boxes with 12 % noise", "box noise 0.12", "misassigned"),
    ("AP, neighbours' boxes withheld", "neighbours withheld", "AP"),
    ("Misassignment, neighbours' boxes withheld", "neighbours withheld", "misassigned"),
    ("Misassignment, own box withheld", "own box withheld", "misassigned"),
    ("Misassignment, 24 % noise on neighbours only", "neighbour noise 0.24", "misassigned"),
    ("Anchor on the right person, true boxes", "box noise 0.00", "anchor"),
    ("Anchor on the right person, boxes with 12 % noise", "box noise 0.12", "anchor"),
)
CURVES = (
    ("box noise", "AP", "box noise, share of the box"),
    ("box noise", "misassigned", "box noise, share of the box"),
    ("hidden", "accuracy", "hidden share of the person"),
    ("wrong anchor", "AP", "anchor forced towards the neighbour"),
)


class Row(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...


Figures = dict[str, dict[int, dict[str, float]]]
"""row -> seed -> figure -> value."""


def write(out: Path, rows: Sequence[Row]) -> None:
    """table.md, figures.json and curves.png of the runs that are finished."""
    figures = read_figures(out)
    shown = [row for row in rows if row.name in figures]
    files.write_json(out / "figures.json", figures)
    text = "\n\n".join(tables(figures, shown)) + "\n"
    files.write_text(out / "table.md", text)
    if REFERENCE in figures:
        files.write_atomically(out / "curves.png", lambda place: draw_curves(figures, shown, place))


def read_figures(out: Path) -> Figures:
    figures: Figures = {}
    for path in sorted((out / "figures").glob("[!.]*.json")):
        name, _, seed = path.stem.rpartition("-")
        figures.setdefault(name, {})[int(seed)] = json.loads(path.read_text())
    return figures


def tables(figures: Figures, rows: Sequence[Row]) -> Iterable[str]:
    """A table for each measure, columns are benchmarks, with the difference to the reference in brackets."""
    yield (
        "Mean ± standard deviation over seeds; in brackets the paired difference to plain with its 95 % t-interval, "
        "bold where it leaves zero out."
    )
    yield cost_table(figures, rows)
    for title, condition, measure in TABLES:
        columns = benchmarks(figures, condition, measure)
        if not columns:
            continue
        lines = [[title, *columns], ["---"] * (len(columns) + 1)]
        for row in rows:
            cells = [cell(figures, row.name, f"{name}/{condition}/{measure}") for name in columns]
            if any(cells):
                lines.append([row.title, *cells])
        yield markdown(lines)


def cost_table(figures: Figures, rows: Sequence[Row]) -> str:
    lines = [["row", "seeds", "parameters", "multiply-adds of a crop", "to plain"], ["---"] * 5]
    base = next(iter(figures.get(REFERENCE, {}).values()), None)
    for row in rows:
        one = next(iter(figures[row.name].values()))
        more = f"{one['cost/multiply-adds'] / base['cost/multiply-adds'] - 1:+.2%}" if base else ""
        numbers = [f"{one['cost/parameters']:,.0f}", f"{one['cost/multiply-adds']:,.0f}"]
        lines.append([row.title, str(len(figures[row.name])), *numbers, more])
    return markdown(lines)


def benchmarks(figures: Figures, condition: str, measure: str) -> list[str]:
    """Those that have a figure, in the order of the files."""
    parts = [key.split("/") for seeds in figures.values() for one in seeds.values() for key in one]
    return list(dict.fromkeys(part[0] for part in parts if part[1:] == [condition, measure]))


def cell(figures: Figures, row: str, key: str) -> str:
    """A figure as a table shows it; empty where no run has it."""
    own, reference = by_seed(figures, row, key), by_seed(figures, REFERENCE, key)
    return describe(compare(own, {} if row == REFERENCE else reference)) if own else ""


def by_seed(figures: Figures, row: str, key: str) -> dict[int, float]:
    return {seed: one[key] for seed, one in figures.get(row, {}).items() if key in one}


def describe(found: Comparison) -> str:
    text = f"{found.mean:.3f}" + ("" if found.spread is None else f" ± {found.spread:.3f}")
    if found.difference is None:
        return text
    difference = f"{found.difference:+.3f}"
    if found.half_width is not None:
        low, high = found.difference - found.half_width, found.difference + found.half_width
        difference += f" [{low:+.3f}, {high:+.3f}]"
    return f"{text} (**{difference}**)" if found.is_sure else f"{text} ({difference})"


def markdown(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def draw_curves(figures: Figures, rows: Sequence[Row], path: Path) -> None:
    """A row of panels for each benchmark with curves; lines are means, bands the range over seeds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = benchmarks(figures, "box noise 0.24", "AP")
    shape = {"figsize": (4 * len(CURVES), 3 * len(names)), "layout": "constrained", "squeeze": False}
    figure, panels = pyplot.subplots(len(names), len(CURVES), **shape)
    for name, line in zip(names, panels, strict=True):
        for panel, (condition, measure, label) in zip(line, CURVES, strict=True):
            for number, row in enumerate(rows):
                x, y = curve(figures, row.name, name, condition, measure)
                if len(x):
                    panel.plot(x, y.mean(axis=0), color=f"C{number}", label=row.title, marker=".", linewidth=1.2)
                    panel.fill_between(x, y.min(axis=0), y.max(axis=0), color=f"C{number}", alpha=0.15, linewidth=0)
            panel.set(title=f"{name}: {measure}", xlabel=label)
            panel.grid(alpha=0.3)
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    figure.savefig(path, dpi=110, format="png")
    pyplot.close(figure)


def curve(figures: Figures, row: str, name: str, condition: str, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """Places (n,) and values (seeds, n) of the figures `name/condition <number>/measure`.

    A network without an anchor does not change with it: its line is level.
    """
    runs = list(figures[row].values())
    start, end = f"{name}/{condition} ", f"/{measure}"
    places = sorted(float(k[len(start) : -len(end)]) for k in runs[0] if k.startswith(start) and k.endswith(end))
    if condition == "wrong anchor" and not places:
        level = np.array([[run[f"{name}/box noise 0.00/{measure}"]] for run in runs])
        return np.array([0.0, 1.0]), np.repeat(level, 2, axis=1)
    values = [[run[f"{start}{place:.2f}{end}"] for place in places] for run in runs]
    return np.array(places), np.array(values).reshape(len(runs), len(places))
