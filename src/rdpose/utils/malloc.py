"""Freed memory stays with the process.

glibc hands every block over 32 MB, the size of a batch's features, back to the system as soon as it is free, and gets
it anew, page by page and cleared, for the next batch. Programs that run networks on a processor spend a seventh of
their time so, and up to half (docs/benchmarks.md).
"""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""Of glibc's mallopt(3)."""
TOP_PAD = 64 << 20
"""Bytes by which the heap grows at the least."""


def keep_freed() -> bool:
    """Ask the C library not to give freed memory back, in all of this process; for a program's start, not an import.

    Returns:
        Whether it listens: glibc does, other systems' libraries have no such wish and need none.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl and macOS lack it; Windows takes no None
        return False
    asked = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_TOP_PAD, TOP_PAD))
    return [mallopt(option, value) for option, value in asked] == [1] * len(asked)
