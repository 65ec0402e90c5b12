"""One live line on a terminal, a plain line every so often elsewhere: what is done, how fast, how long still.

All of it goes to standard error, so that standard output holds results alone (`rdpose test ... > table.md`).
"""

from __future__ import annotations

import sys
import time
from functools import cache
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PLAIN_SECONDS = 20.0
"""Seconds between lines where the output is not a terminal."""


class Bar:
    """A progress bar over `total` units.

    with Bar("training", total=1000, unit="crops") as bar:
        bar.advance(32, note="loss 0.41")

    Args:
        title: what is going on.
        total: how many units there are; 0 where nobody knows.
        unit: their name.
        quiet: say nothing (processes other than the main one).
    """

    def __init__(self, title: str, *, total: int, unit: str, quiet: bool = False) -> None:
        self.title, self.total, self.unit, self.quiet = title, total, unit, quiet
        self.done, self.since_start, self.note = 0, 0, ""
        self.started = self.said = time.monotonic()
        self.live: Progress | None = None

    def __enter__(self) -> Bar:
        if not self.quiet and sys.stderr.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(self.unit))
            rest = (TextColumn("{task.fields[speed]}"), TimeRemainingColumn(), TextColumn("{task.fields[note]}"))
            # What is printed meanwhile is lifted above the line, unless it goes to a file.
            self.live = Progress(*columns, *rest, console=_console(), redirect_stdout=sys.stdout.isatty())
            self.task = self.live.add_task(self.title, total=self.total or None, speed="", note="")
            self.live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None):
        if self.live:
            self.live.stop()
        elif not self.quiet and kind is None:
            self._say()

    def skip(self, count: int) -> None:
        """Count what an earlier run has done; it does not enter the speed."""
        self.done += count
        if self.live:
            self.live.update(self.task, completed=self.done)

    def advance(self, count: int = 1, note: str | None = None) -> None:
        """Count what was done, and say how it goes."""
        self.done, self.since_start = self.done + count, self.since_start + count
        self.note = self.note if note is None else note
        if self.live:
            self.live.update(self.task, completed=self.done, speed=self._speed(), note=self.note)
        elif not self.quiet and time.monotonic() - self.said > PLAIN_SECONDS:
            self._say()

    def say(self, line: str) -> None:
        """A line that stays, above the live one."""
        if self.live:
            self.live.console.print(line, markup=False, highlight=False, soft_wrap=True)
        elif not self.quiet:
            print(line, file=sys.stderr, flush=True)

    def _speed(self) -> str:
        return f"{self._rate():.1f} {self.unit}/s"

    def _rate(self) -> float:
        return self.since_start / max(1e-9, time.monotonic() - self.started)

    def _say(self) -> None:
        self.said = time.monotonic()
        share, left = f"{self.done} {self.unit}", ""
        if self.total:
            share = f"{self.done}/{self.total} {self.unit}"
            left = f", {clock((self.total - self.done) / self._rate())} left" if self.since_start else ""
        print(f"{self.title}: {share}, {self._speed()}{left} {self.note}".rstrip(), file=sys.stderr, flush=True)


@cache
def _console() -> Console:
    """One for all bars: a test's bar stands below its training's."""
    return Console(stderr=True)


def clock(seconds: float) -> str:
    """12:05 or 1:02:05."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
