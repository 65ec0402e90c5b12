"""HEIC and AVIF, telephones' pictures: what their container says, and their pixels the way up that it says.

HEIC needs the extra `heic` (pi-heif); AVIF is OpenCV's, which leaves the turning to us.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Literal

import cv2
import numpy as np

from rdpose.io.files import in_a_line
from rdpose.io.opencv import quiet

HEIC_ENDINGS = (".heic", ".heif", ".hif")
REMEDY = "pip install 'rdpose[heic]'"
_FETCH = "; fetch the file again or take it off the list"
_AVIF = frozenset((b"avif", b"avis"))
_HEIC = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))


def kind(data: bytes) -> Literal["AVIF", "HEIC"] | None:
    """Which of the two a file's content is, by the brands of its first box."""
    if data[4:8] != b"ftyp":
        return None
    first = data[8 : int.from_bytes(data[:4], "big")]
    brands = {first[at : at + 4] for at in range(0, len(first), 4)}
    return "AVIF" if brands & _AVIF else "HEIC" if brands & _HEIC else None


def reads_heic() -> bool:
    """Whether the extra `heic` is installed."""
    return find_spec("pi_heif") is not None


def decode(data: bytes) -> np.ndarray:
    """The picture of a file's content, upright: (height, width, 3) RGB uint8, or (height, width, 4) RGBA.

    Raises:
        ValueError: it is damaged, or no decoder is installed; the sentence goes on after the file's name.
    """
    return _heic(data) if kind(data) == "HEIC" else _avif(data)


def _heic(data: bytes) -> np.ndarray:
    if not reads_heic():
        raise ValueError(f"is a HEIC picture, which needs an extra: {REMEDY}")
    try:
        picture = np.asarray(importlib.import_module("pi_heif").open_heif(data))
    except Exception as error:  # of many classes
        raise ValueError(f"is damaged or cut off ({in_a_line(error)}){_FETCH}") from None
    return picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)


def _avif(data: bytes) -> np.ndarray:
    if not cv2.haveImageWriter("a.avif"):
        raise ValueError("is an AVIF picture, which this OpenCV cannot read: pip install -U opencv-python-headless")
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    with quiet():
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if picture is None:
        raise ValueError(f"is damaged or cut off{_FETCH}")
    properties = data[: max(data.find(b"mdat"), 0) or len(data)]
    if (at := properties.find(b"irot")) >= 0:  # quarter turns against the clock
        picture = np.rot90(picture, properties[at + 4] & 3)
    if (at := properties.find(b"imir")) >= 0:  # then a mirror: 0 swaps top and bottom, 1 left and right
        picture = picture[:, ::-1] if properties[at + 4] & 1 else picture[::-1]
    return np.ascontiguousarray(picture)
