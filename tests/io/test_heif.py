"""Telephones' pictures: HEIC and AVIF come upright, and what cannot be read names its remedy."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from rdpose.io import heif, images

SCENE = np.zeros((24, 40, 3), np.uint8)
SCENE[:12, :20], SCENE[12:, 20:] = (255, 0, 0), (0, 0, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_comes_upright(orientation: int) -> None:
    pil, ops = pytest.importorskip("PIL.Image"), pytest.importorskip("PIL.ImageOps")
    exif, file = pil.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    pil.fromarray(SCENE).save(file, "AVIF", quality=95, exif=exif)
    expected = np.asarray(ops.exif_transpose(pil.open(file)))
    for upright in (False, True):
        picture = images.read(file.getvalue(), upright=upright)
        assert picture.shape == expected.shape
        assert np.abs(picture.astype(int) - expected).mean() < 6


def test_heic_comes_upright(golden: Path) -> None:
    pytest.importorskip("pi_heif")
    picture = images.read(golden / "turned.heic")
    assert picture.flags.c_contiguous
    assert np.abs(picture.astype(int) - np.rot90(SCENE, -1)).mean() < 6


def test_heic_without_its_extra_names_it(golden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heif, "reads_heic", lambda: False)
    with pytest.raises(ValueError, match=r"turned\.heic is a HEIC picture, .*: pip install 'rdpose\[heic\]'$"):
        images.read(golden / "turned.heic")
    assert ".heic" in images.PICTURE_ENDINGS
    assert ".heic" not in images.folder_endings()


@pytest.mark.parametrize("kind", ["AVIF", "HEIC"])
def test_half_a_file_is_told(golden: Path, kind: str) -> None:
    if kind == "AVIF":
        file = io.BytesIO()
        pytest.importorskip("PIL.Image").fromarray(SCENE).save(file, "AVIF")
        whole = file.getvalue()
    else:
        pytest.importorskip("pi_heif")
        whole = (golden / "turned.heic").read_bytes()
    assert heif.kind(whole) == kind
    for share in (0.2, 0.9):
        with pytest.raises(ValueError, match=r"given as bytes is damaged or cut off.*; fetch the file again"):
            images.read(whole[: round(share * len(whole))])


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"\0\0\0\x18ftypisom\0\0\0\0isomiso2"])
def test_other_files_are_neither(data: bytes) -> None:
    assert heif.kind(data) is None
