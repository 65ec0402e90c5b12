"""OpenCV without what it prints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cv2.utils import logging


@contextmanager
def quiet() -> Iterator[None]:
    """Keep back what OpenCV would print about a source that fails: our errors say it."""
    level = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(level)
