"""What people have as a picture, made RGB: arrays, files, and PIL's images, which are known by what they can do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rdpose.io import images

ImageLike = np.ndarray | str | Path | Any
"""An array (height, width, 3) RGB, (height, width) grey or (height, width, 4) RGBA, uint8; a file; an image of PIL."""
_ORIENTATION = 0x0112
"""EXIF's tag."""
_TURNED = {
    2: lambda picture: picture[:, ::-1],
    3: lambda picture: picture[::-1, ::-1],
    4: lambda picture: picture[::-1],
    5: lambda picture: picture.transpose(1, 0, 2),
    6: lambda picture: np.rot90(picture, -1),
    7: lambda picture: picture[::-1, ::-1].transpose(1, 0, 2),
    8: lambda picture: np.rot90(picture),
}
"""Upright again, by EXIF's orientation; 1 is."""


def as_rgb(image: ImageLike) -> np.ndarray:
    """A picture as (height, width, 3) RGB uint8.

    Files and PIL's images are turned as their EXIF orientation says; transparency is laid over white.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read, or is no picture.
    """
    if isinstance(image, str | Path):
        return images.read(image, upright=True)
    if hasattr(image, "getexif") and hasattr(image, "convert"):
        return _of_pil(image)
    array = np.asarray(image)
    channels = 1 if array.ndim == 2 else array.shape[2] if array.ndim == 3 else 0
    if channels not in (1, 3, 4) or array.dtype != np.uint8 or not array.size:
        raise ValueError(
            f"a picture is (height, width, 3) RGB uint8, a file's name or a PIL image; got shape {array.shape} of "
            f"{array.dtype}: convert it first"
        )
    if channels == 1:
        return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    return images.over_white(array) if channels == 4 else np.ascontiguousarray(array)


def _of_pil(image: Any) -> np.ndarray:
    if image.mode.startswith("I"):  # 16 bits, of which files give the upper ones too
        return as_rgb((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    see_through = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    picture = as_rgb(np.asarray(image.convert("RGBA" if see_through else "RGB")))
    turn = _TURNED.get(image.getexif().get(_ORIENTATION, 1))
    return np.ascontiguousarray(turn(picture)) if turn else picture
