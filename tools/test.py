"""Test as in the HRNet family: `python tools/test.py --cfg FILE [KEY value ...]` is `rdpose test FILE ...`."""

from __future__ import annotations

import sys

from rdpose.cli import main
from rdpose.compat.command import arguments

if __name__ == "__main__":
    main(["test", *arguments(sys.argv[1:])])
