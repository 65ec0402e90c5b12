"""The HRNet family's command line (`--cfg FILE --modelDir DIR KEY value ...`) as the arguments of ours."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

from rdpose.compat.settings import split_overrides

log = logging.getLogger(__name__)

_FOLDERS = {
    "modelDir": ("OUTPUT_DIR", "results and weights go below this folder"),
    "logDir": ("LOG_DIR", "accepted; logs lie in the run's folder"),
    "dataDir": ("DATA_DIR", "the data set's and the weights' paths are below this folder"),
}


def arguments(argv: Sequence[str]) -> list[str]:
    """`[CONFIG, override, ...]` for the rdpose command; options that only it knows (`--resume`) are handed on.

    Every `KEY value` becomes `KEY=value`, so that a value such as -1 is no option.
    """
    parser = argparse.ArgumentParser(
        usage="%(prog)s --cfg FILE [--modelDir DIR] [--logDir DIR] [--dataDir DIR] [KEY value ...] [key=value ...]",
        allow_abbrev=False,
    )
    parser.add_argument("--cfg", required=True, metavar="FILE", help="settings, ours or of the HRNet family")
    for name, (_, description) in _FOLDERS.items():
        parser.add_argument(f"--{name}", default="", metavar="DIR", help=description)
    parser.add_argument("--prevModelDir", default="", metavar="DIR", help="accepted; --resume continues a run")
    options, rest = parser.parse_known_args(argv)
    if options.prevModelDir:
        log.warning("--prevModelDir has no meaning here: --resume continues a run in its own folder")
    try:
        ours, theirs = split_overrides(rest)
    except ValueError as error:
        parser.error(str(error))
    folders = {key: getattr(options, name) for name, (key, _) in _FOLDERS.items() if getattr(options, name)}
    return [options.cfg, *ours, *(f"{key}={value}" for key, value in (theirs | folders).items())]
