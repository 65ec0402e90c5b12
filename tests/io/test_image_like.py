"""Arrays, files and PIL's images become the same picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from rdpose.io import image_like, images

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (30, 40, 3), np.uint8)
GREY, ALPHA = RGB[..., 0], RNG.integers(0, 256, (30, 40, 1), np.uint8)


@pytest.fixture
def pil() -> Any:
    return pytest.importorskip("PIL.Image")


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (RGB, RGB),
        (RGB[:, ::-1], RGB[:, ::-1]),
        (RGB.tolist(), None),
        (GREY, np.dstack([GREY] * 3)),
        (GREY[..., None], np.dstack([GREY] * 3)),
        (np.dstack([RGB, ALPHA * 0]), np.full_like(RGB, 255)),
        (np.dstack([RGB, ALPHA * 0 + 255]), RGB),
        (RGB / 255, None),
        (RGB[..., :2], None),
        (RGB[:0], None),
        (np.zeros(3, np.uint8), None),
        (None, None),
    ],
)
def test_arrays(image: Any, expected: np.ndarray | None) -> None:
    if expected is None:
        with pytest.raises(ValueError, match=r"^a picture is \(height, width, 3\) RGB uint8, .*; got shape"):
            image_like.as_rgb(image)
    else:
        found = image_like.as_rgb(image)
        assert np.array_equal(found, expected)
        assert found.flags.c_contiguous


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pil_images_are_turned_as_files_are(pil, tmp_path: Path, orientation: int) -> None:
    exif = pil.Exif()
    exif[0x0112] = orientation
    for name, tolerance in (("a.png", 0), ("a.jpg", 12)):
        pil.fromarray(RGB).save(tmp_path / name, exif=exif)
        file = image_like.as_rgb(tmp_path / name)
        assert np.array_equal(file, image_like.as_rgb(str(tmp_path / name)))
        with pil.open(tmp_path / name) as image:
            found = image_like.as_rgb(image).astype(int)
        assert found.shape == file.shape
        assert np.abs(found - file).max() <= tolerance


@pytest.mark.parametrize("mode", ["RGBA", "LA", "L", "1", "P", "CMYK", "I;16"])
def test_pil_images_of_many_modes_are_as_their_files(pil, tmp_path: Path, mode: str) -> None:
    if mode == "I;16":
        image = pil.fromarray(GREY.astype(np.uint16) * 256 + 77)
    else:
        image = pil.fromarray(np.dstack([RGB, ALPHA])).convert("RGB" if mode in ("P", "CMYK") else "RGBA").convert(mode)
    name = tmp_path / f"a.{'tif' if mode == 'CMYK' else 'png'}"
    image.save(name)
    if mode == "CMYK":
        assert np.array_equal(image_like.as_rgb(image), np.asarray(image.convert("RGB")))
    else:
        assert np.array_equal(image_like.as_rgb(image), images.read(name))


def test_a_palette_may_be_see_through(pil, tmp_path: Path) -> None:
    image = pil.fromarray(RGB).quantize(8)
    image.save(tmp_path / "a.png", transparency=3)
    with pil.open(tmp_path / "a.png") as read:
        assert np.array_equal(image_like.as_rgb(read), images.read(tmp_path / "a.png"))


def test_files_that_are_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.jpg does not exist"):
        image_like.as_rgb(tmp_path / "nothing.jpg")
    cv2.imwrite(str(tmp_path / "a.png"), RGB)
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:99])
    with pytest.raises(ValueError, match=r"a\.png is cut off"):
        image_like.as_rgb(tmp_path / "a.png")
