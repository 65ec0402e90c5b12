"""Charts as SVG text: lines, bars, stacked bars. They take their colours and fonts from the page's style sheet.

Every chart is 360 units wide, the width of a phone, and scales with the page; letters are 11 units high. The nth series
has the class `s{n}`. Each mark tells its value in a <title>, which browsers show at the pointer and read aloud.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 360, 270
"""Of a chart; the height is that of curves, others are as high as they have rows."""
ROW = 20


@dataclass(frozen=True)
class Line:
    """A curve: its points' x and y, its colour by series, and how it is dashed."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    series: int = 0
    dash: str = ""


def lines(curves: Sequence[Line], *, x_title: str, y_title: str) -> str:
    """Curves over the unit square, with a grid and the axes' names."""
    left, top, right, bottom = 44, 8, WIDTH - 10, HEIGHT - 34
    parts = []
    for i in range(6):
        value = i / 5
        x, y = left + value * (right - left), bottom - value * (bottom - top)
        parts.append(f'<path class="grid" d="M{x:.1f} {top}V{bottom}M{left} {y:.1f}H{right}"/>')
        parts.append(_text(x, bottom + 14, f"{value:.1f}", "middle") + _text(left - 5, y + 4, f"{value:.1f}", "end"))
    for curve in curves:
        places = [
            f"{left + x * (right - left):.1f} {bottom - y * (bottom - top):.1f}"
            for x, y in zip(curve.x, curve.y, strict=True)
        ]
        title = f"<title>{escape(curve.name)}</title>"
        dash = f' stroke-dasharray="{curve.dash}"' if curve.dash else ""
        parts.append(f'<path class="line s{curve.series}"{dash} d="M{"L".join(places)}">{title}</path>')
    parts.append(_text((left + right) / 2, HEIGHT - 4, x_title, "middle"))
    parts.append(
        f'<g transform="rotate(-90 8 {(top + bottom) / 2})">{_text(8, (top + bottom) / 2, y_title, "middle")}</g>'
    )
    return _svg(parts, HEIGHT, f"{y_title} over {x_title}")


def bars(
    names: Sequence[str], values: Sequence[Sequence[float]], *, notes: Sequence[str] = (), top: float = 1.0
) -> str:
    """Horizontal bars: for each name one bar of every series, with its value; NaN leaves a dash.

    Args:
        values: (series, names) numbers from 0 to `top`.
        notes: after each name, in grey, such as the number of people.
    """
    pairs = list(zip(names, notes or [""] * len(names), strict=True))
    count, label = len(values), _label_width([f"{name} {note}" for name, note in pairs])
    thick = 13 if count == 1 else 12
    pitch, room = count * thick + 8, WIDTH - label - 40
    parts = []
    for i, (name, note) in enumerate(pairs):
        y = i * pitch + 4
        middle = y + count * thick / 2 + 4
        parts.append(_text(0, middle, name) + (_text(label - 6, middle, note, "end", "note") if note else ""))
        for series, row in enumerate(values):
            value, at = row[i], y + series * thick
            length = 0.0 if math.isnan(value) else max(value / top, 0) * room
            told = "–" if math.isnan(value) else f"{100 * value:.1f}"
            title = f"{name}: {told}"
            parts.append(_bar(f"s{series}", label, at, length, thick - 2, title))
            parts.append(_text(label + length + 4, at + thick / 2 + 3, told))
    return _svg(parts, len(names) * pitch + 4, "bars")


def stacks(names: Sequence[str], shares: Sequence[Sequence[float]], kinds: Sequence[str]) -> str:
    """One bar of full length for each name, cut by shares (names, kinds) that sum to 1; parts have the class `k{n}`."""
    label = _label_width([f"{name} " for name in names])
    room, parts = WIDTH - label, []
    for i, (name, row) in enumerate(zip(names, shares, strict=True)):
        y, x = i * ROW, float(label)
        parts.append(_text(0, y + 13, name))
        for k, share in enumerate(row):
            if math.isnan(share):
                continue
            title = f"{name}, {kinds[k]}: {100 * share:.1f} %"
            parts.append(_bar(f"k{k}", x, y + 2, share * room, ROW - 5, title))
            x += share * room
    return _svg(parts, len(names) * ROW, "shares of " + ", ".join(kinds))


def legend(names: Sequence[str], prefix: str = "s") -> str:
    """Coloured names, as HTML, for the classes `s{n}` or `k{n}`."""
    items = "".join(f'<span><i class="{prefix}{i}"></i>{escape(name)}</span>' for i, name in enumerate(names))
    return f'<p class="legend">{items}</p>'


def _label_width(texts: Sequence[str]) -> int:
    """Units for the longest label; a letter of this size is about 5.9 wide."""
    return round(max(map(len, texts), default=0) * 5.9) + 14


def _bar(style: str, x: float, y: float, width: float, height: float, title: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect class="{style}" {place}><title>{escape(title)}</title></rect>'


def _text(x: float, y: float, text: str, anchor: str = "start", style: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}"{place}{kind}>{escape(text)}</text>'


def _svg(parts: Sequence[str], height: float, told: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(told)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )
