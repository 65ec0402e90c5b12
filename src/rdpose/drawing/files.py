"""Picture files, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from rdpose.io import files
from rdpose.io.images import checked

_OPTIONS = {
    ".png": [cv2.IMWRITE_PNG_COMPRESSION, 4],
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 93],
    ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 93],
}


def encode(picture: np.ndarray, ending: str) -> bytes:
    """A picture (height, width, 3) RGB uint8 as the bytes of a file: ending ".png", ".jpg" or ".jpeg".

    Raises:
        ValueError: another ending, or not a picture.
    """
    if ending.lower() not in _OPTIONS:
        raise ValueError(f"cannot write a picture as {ending or 'a file without an ending'!r}: use .png or .jpg")
    bgr = cv2.cvtColor(checked(picture), cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(ending.lower(), bgr, _OPTIONS[ending.lower()])
    if not done:
        raise ValueError(f"OpenCV could not encode a picture of shape {picture.shape} as {ending}")
    return data.tobytes()


def save(path: str | Path, picture: np.ndarray) -> Path:
    """Write a picture (height, width, 3) RGB uint8 as PNG or JPEG, by the name's ending; folders are made.

    Raises:
        ValueError: the ending is neither .png nor .jpg, or it is not a picture.
    """
    path = Path(path)
    try:
        data = encode(picture, path.suffix)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    files.write_atomically(path, lambda place: place.write_bytes(data))
    return path
