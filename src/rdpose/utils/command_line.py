"""The arguments that several commands take, the messages that they show, and what is said of unknown options."""

from __future__ import annotations

import difflib
import logging
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

Config = Annotated[Path, typer.Argument(help="Settings file, ours or the HRNet family's.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="key=value, or KEY value as in the HRNet family.")]
Sources = Annotated[list[str], typer.Argument(help="Pictures, folders, zips, patterns, videos, camera numbers, URLs.")]
DetectorName = Annotated[
    str | None,
    typer.Option(
        help="Instead of the bundled detector: dfine, rtdetr, a hub name, a folder, a file .onnx; or whole: each "
        "picture is one person."
    ),
]
Backbone = Annotated[
    str | None, typer.Option(help="The backbone of your own that the weights are built on: package.module:factory.")
]
MinScore = Annotated[float, typer.Option(help="Skip boxes with a lower score.")]
KeepDuplicates = Annotated[
    bool, typer.Option("--keep-duplicates", help="Keep poses of different boxes that are the same person.")
]


class _Messages(logging.Handler):
    """Bare messages on what is standard error at the time: a live line stands in its place, and tests do."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr)


_MESSAGES = _Messages()


def show_messages() -> None:
    """Show what the package logs. In other programs Python shows the warnings, unless they set up logging."""
    logger = logging.getLogger("rdpose")
    logger.setLevel(logging.INFO)
    logger.addHandler(_MESSAGES)  # once, however often it is asked


def sentence(error: Exception) -> str:
    """An error's own words; a loader's worker wraps them in its traceback."""
    wrapped = re.search(r"Original Traceback.*\n\w*(?:Error|Exception)\w*: (.*)", str(error), re.DOTALL)
    return wrapped.group(1).strip() if wrapped else str(error)


def refuse_options(name: str, items: Iterable[str], command: Any) -> None:
    """Options among the overrides of a command, which takes what it does not know for an override.

    Raises:
        ValueError: there is one; the command's nearest is named.
    """
    for item in items:
        if not re.match("--?[a-zA-Z]", item):
            continue
        given = item.partition("=")[0]
        known = [option for param in command.params for option in param.opts if option.startswith("-")]
        near = difflib.get_close_matches(given, known, 1)
        remedy = f"did you mean {near[0]}?" if near else f"`rdpose {name} --help` lists those that there are"
        raise ValueError(f"rdpose {name} has no option {given}; {remedy}")
