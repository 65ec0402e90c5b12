"""A window that shows a camera or a video while it runs."""

from __future__ import annotations

import os
import re
import sys

import cv2
import numpy as np

TITLE = "rdpose"
_ENDS = {ord("q"), 27}
"""The keys q and Esc."""


def check() -> None:
    """Whether a window can be opened here.

    Raises:
        ValueError: OpenCV has no windows, or there is no screen.
    """
    if re.search(r"GUI:\s+NONE", cv2.getBuildInformation()):
        raise ValueError(
            "--show needs windows, which opencv-python-headless does not have: "
            "pip uninstall opencv-python-headless, then pip install opencv-python"
        )
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ValueError("--show needs a screen, and DISPLAY names none: leave it out and look at the written video")


def show(picture: np.ndarray) -> bool:
    """Put a picture (height, width, 3) RGB uint8 into the window; False where people ended it by q or Esc."""
    cv2.imshow(TITLE, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return cv2.waitKey(1) & 0xFF not in _ENDS


def close() -> None:
    """Close the window."""
    cv2.destroyAllWindows()
