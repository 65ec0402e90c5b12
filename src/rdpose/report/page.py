"""The report's page: one HTML file that holds its style, charts and pictures, and needs no script."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources

import numpy as np

from rdpose.data.people import People
from rdpose.evaluation import Scores
from rdpose.report import charts, errors
from rdpose.report.analysis import Analysis
from rdpose.report.cases import Case
from rdpose.report.charts import Line
from rdpose.report.matching import RECALLS, THRESHOLDS

SHOWN_THRESHOLDS = ((0.5, ""), (0.75, "7 3"), (0.95, "2 3"))
"""OKS of the drawn precision-recall curves, and their dashes."""


@dataclass(frozen=True)
class Content:
    """What goes onto the page: one or two results."""

    title: str
    scores: Sequence[Scores]
    analyses: Sequence[Analysis]
    truth: People
    cases: Mapping[str, Sequence[Case]]
    footer: str


def render(content: Content) -> str:
    """The page's HTML."""
    style = resources.files("rdpose.report").joinpath("style.css").read_text(encoding="utf-8")
    people, pictures = int(content.truth.labelled.sum()), content.truth.num_images
    names = [analysis.name for analysis in content.analyses]
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(content.title)}</title><style>{style}</style></head>"
    )
    body = [
        f'<h1>{escape(content.title)}</h1><p class="soft">{people} people in {pictures} pictures</p>',
        charts.legend(names) if len(names) > 1 else "",
        f'<div class="cards">{"".join(_cards(content))}</div>',
        *_cases(content.cases),
        f"<footer>{escape(content.footer)}</footer>",
    ]
    return f"{head}<body>{''.join(body)}</body></html>\n"


def _table(scores: Sequence[Scores]) -> str:
    """Figures down, results across, which fits a phone; of two results the better figure is bold."""
    heads = "".join(f'<th class="name">{escape(score.name)}</th>' for score in scores)
    rows = [f"<tr><th></th>{heads}{'<th>change</th>' if len(scores) == 2 else ''}</tr>"]
    for name in scores[0].figures:
        values = [score.figures[name] for score in scores]
        cells = [_cell(value, len(values) > 1 and value == max(values)) for value in values]
        if len(values) == 2:
            cells.append(f'<td class="soft">{values[1] - values[0]:+.3f}</td>')
        rows.append(f"<tr><td>{escape(name)}</td>{''.join(cells)}</tr>")
    notes = "".join(f'<p class="soft">{escape(note)}</p>' for note in dict.fromkeys(s.note for s in scores) if note)
    table = f"<table>{''.join(rows)}</table>"
    return _section("The table", "Shares of 1; -1 where there is nobody to find.", table + notes)


def _cell(value: float, best: bool) -> str:
    return f"<td{' class=best' if best else ''}>{value:.3f}</td>"


def _cards(content: Content) -> list[str]:
    analyses, truth = content.analyses, content.truth
    return [
        _table(content.scores),
        _section("Precision and recall", _told_of_curves(), _precision_recall(analyses)),
        _section("AP at each OKS", "In per cent; how strict a likeness is asked for.", _over_thresholds(analyses)),
        _section("AP by size", "Size is the root of the person's area; number of people in grey.", _sizes(analyses)),
        _section("AP by crowd", "Pictures by their crowd index (CrowdPose); people in grey.", _crowds(analyses)),
        _section("AP of each joint", "Each joint as a finding of its own.", _joints(analyses, truth)),
        _section("Confusion with neighbours", _TOLD_OF_NEIGHBOURS, _neighbours(analyses)),
        _section("What errors cost", "Points of AP won if all errors of a kind were put right.", _gains(analyses)),
        *_error_cards(analyses, truth),
    ]


_TOLD_OF_NEIGHBOURS = (
    "Per cent. Misassigned: poses nearer, by OKS, to another person than to the one whose box was given. "
    "Swapped: joints on another person."
)
_NOBODY = "There are no results, so there are no joints to judge."
_WANTED_UNKNOWN = "whom its results looked for is not in the file (annotation_id)."


def _told_of_curves() -> str:
    names = {"": "solid", "7 3": "dashed", "2 3": "dotted"}
    return "OKS " + ", ".join(f"{threshold} {names[dash]}" for threshold, dash in SHOWN_THRESHOLDS) + "."


def _precision_recall(analyses: Sequence[Analysis]) -> str:
    curves = []
    for series, analysis in enumerate(analyses):
        for threshold, dash in SHOWN_THRESHOLDS:
            precision = analysis.all.precision_at(threshold)
            reached = np.flatnonzero(precision > 0)
            last = int(reached[-1]) + 1 if len(reached) else 1
            name = f"{analysis.name}, OKS {threshold}: AP {precision.mean():.3f}"
            curves.append(Line(name, RECALLS[:last].tolist(), precision[:last].tolist(), series, dash))
    return charts.lines(curves, x_title="recall", y_title="precision")


def _over_thresholds(analyses: Sequence[Analysis]) -> str:
    names = [f"OKS {threshold:.2f}" for threshold in THRESHOLDS]
    return charts.bars(names, [analysis.all.precision.mean(axis=1).tolist() for analysis in analyses])


def _joints(analyses: Sequence[Analysis], truth: People) -> str:
    return charts.bars(_joint_names(truth), [analysis.by_joint.tolist() for analysis in analyses])


def _joint_names(truth: People) -> list[str]:
    return [name.replace("_", " ") for name in truth.skeleton.joints]


def _sizes(analyses: Sequence[Analysis]) -> str:
    return _levels([analysis.by_size for analysis in analyses])


def _crowds(analyses: Sequence[Analysis]) -> str:
    return _levels([analysis.by_crowd for analysis in analyses])


def _levels(levels: Sequence[list]) -> str:
    names, first = [name for name, _ in levels[0]], levels[0]
    return charts.bars(
        names, [[curves.ap for _, curves in level] for level in levels], notes=[str(c.num_people) for _, c in first]
    )


def _neighbours(analyses: Sequence[Analysis]) -> str:
    told = [analysis.misassigned for analysis in analyses]
    rates = [[math.nan if pair is None or not pair[1] else pair[0] / pair[1]] for pair in told]
    swapped = [errors.shares(analysis.kinds.reshape(-1, 1))[0, errors.SWAP] for analysis in analyses]
    values = [[*rate, float(swap)] for rate, swap in zip(rates, swapped, strict=True)]
    top = max([0.1, *(value for row in values for value in row if not math.isnan(value))])
    counts = [
        f"{analysis.name}: {pair[0]} of {pair[1]} poses." if pair else f"{analysis.name}: {_WANTED_UNKNOWN}"
        for analysis, pair in zip(analyses, told, strict=True)
    ]
    chart = charts.bars(["misassigned", "swapped"], values, top=top)
    return f'{chart}<p class="soft">{escape(" ".join(counts))}</p>'


def _error_cards(analyses: Sequence[Analysis], truth: People) -> list[str]:
    cards = []
    for analysis in analyses:
        total = errors.shares(analysis.kinds.reshape(-1, 1))
        shares = np.concatenate([total, errors.shares(analysis.kinds)])
        names = ["all joints", *_joint_names(truth)]
        told = ", ".join(f"{kind} {100 * share:.1f} %" for kind, share in zip(errors.KINDS, total[0], strict=True))
        told = f"{told}. Joints of the people who were found, after Ronchi & Perona."
        told = told if (analysis.kinds >= 0).any() else _NOBODY
        chart = charts.legend(errors.KINDS, "k") + charts.stacks(names, shares.tolist(), errors.KINDS)
        title = "Kinds of error" + (f": {analysis.name}" if len(analyses) > 1 else "")
        cards.append(_section(title, told, chart))
    return cards


def _gains(analyses: Sequence[Analysis]) -> str:
    values = [analysis.gains[errors.JITTER :].tolist() for analysis in analyses]
    return charts.bars(errors.KINDS[errors.JITTER :], values, top=max([0.1, *(max(row) for row in values)]))


def _cases(groups: Mapping[str, Sequence[Case]]) -> list[str]:
    """A section for each group of people."""
    sections = []
    for name, cases in groups.items():
        figures = "".join(f'<div class="case"><div>{_figures(case)}</div></div>' for case in cases)
        told = "Neighbours are grey; joints that are hidden, or that the network is unsure of, are hollow."
        sections.append(_section(name, told, f'<div class="cases">{figures}</div>', wide=True))
    return sections


def _figures(case: Case) -> str:
    return "".join(
        f'<figure><img loading="lazy" alt="{escape(f"{case.title}: {caption}")}" src="{address}">'
        f"<figcaption>{escape(caption if i else case.title)}</figcaption></figure>"
        for i, (caption, address) in enumerate(case.pictures)
    )


def _section(title: str, told: str, content: str, *, wide: bool = False) -> str:
    kind = ' class="wide"' if wide else ""
    return f'<section{kind}><h2>{escape(title)}</h2><p class="soft">{escape(told)}</p>{content}</section>'
