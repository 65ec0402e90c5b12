"""Train as in the HRNet family: `python tools/train.py --cfg FILE [KEY value ...]` is `rdpose train FILE ...`."""

from __future__ import annotations

import sys

from rdpose.cli import main
from rdpose.compat.command import arguments

if __name__ == "__main__":
    main(["train", *arguments(sys.argv[1:])])
