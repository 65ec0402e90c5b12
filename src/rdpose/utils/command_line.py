"""What a command line says of errors and of options that it does not have."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any


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
