"""Freed memory stays: counted in page faults of a process of its own, which no other load changes."""

from __future__ import annotations

import subprocess
import sys

import pytest

BATCHES = """
import resource, sys
import numpy as np
from rdpose.utils import malloc
if "keep" in sys.argv and not malloc.keep_freed():
    sys.exit("not glibc")
np.ones(1 << 24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    np.ones(1 << 24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(*arguments: str) -> int:
    done = subprocess.run([sys.executable, "-c", BATCHES, *arguments], capture_output=True, text=True, check=False)
    if "not glibc" in done.stderr:
        pytest.skip("this C library keeps what it likes")
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_block_of_128_mb_is_not_fetched_anew() -> None:
    assert page_faults("keep") < page_faults() / 10
