"""What reading promises: every kind of picture as RGB uint8, every fault as one sentence, and a quiet stderr."""

from __future__ import annotations

import io
import multiprocessing
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from rdpose.io import images

H, W = 24, 32


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """(H, W, 3) RGB: smooth, so that JPEG keeps it; the upper left is red, the lower right blue."""
    y, x = np.mgrid[:H, :W]
    return np.stack([255 - 8 * x, 4 * y + 60, 7 * x], axis=-1).clip(0, 255).astype(np.uint8)


def encode(extension: str, rgb: np.ndarray, *parameters: int) -> bytes:
    order = {2: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[rgb.ndim if rgb.ndim == 2 else rgb.shape[2]]
    return cv2.imencode(extension, rgb if order is None else cv2.cvtColor(rgb, order), parameters)[1].tobytes()


def with_exif(jpeg: bytes, orientation: int) -> bytes:
    tiff = b"II*\0\x08\0\0\0\x01\0" + b"\x12\x01\x03\0\x01\0\0\0" + bytes([orientation, 0, 0, 0]) + b"\0\0\0\0"
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]


@pytest.mark.parametrize(
    ("extension", "parameters", "tolerance"),
    [
        (".jpg", (cv2.IMWRITE_JPEG_QUALITY, 98), 12),
        (".jpg", (cv2.IMWRITE_JPEG_QUALITY, 98, cv2.IMWRITE_JPEG_PROGRESSIVE, 1), 12),
        (".png", (), 0),
        (".bmp", (), 0),
        (".webp", (cv2.IMWRITE_WEBP_QUALITY, 101), 0),
    ],
)
def test_kinds(scene: np.ndarray, extension: str, parameters: tuple[int, ...], tolerance: int, tmp_path: Path) -> None:
    path = tmp_path / f"scene{extension}"
    path.write_bytes(encode(extension, scene, *parameters))
    for source in (path, str(path), path.read_bytes()):
        picture = images.read(source)
        assert picture.dtype == np.uint8
        assert picture.flags.c_contiguous
        np.testing.assert_allclose(picture.astype(int), scene, atol=tolerance)


def test_grey(scene: np.ndarray) -> None:
    for extension in (".jpg", ".png"):
        picture = images.read(encode(extension, scene[..., 0]))
        assert picture.shape == (H, W, 3)
        assert (picture[..., :1] == picture).all()


def test_16_bits_keep_the_upper_ones(scene: np.ndarray) -> None:
    deep = scene.astype(np.uint16) * 256 + 200
    assert (images.read(encode(".png", deep)) == scene).all()
    assert (images.read(encode(".png", deep[..., 0])) == scene[..., :1]).all()
    opaque = np.dstack([deep, np.full((H, W), 65535, np.uint16)])
    assert (images.read(encode(".png", opaque)) == scene).all()


@pytest.mark.parametrize("extension", [".png", ".webp"])
def test_transparency_lies_over_white(scene: np.ndarray, extension: str) -> None:
    alpha = np.full((H, W, 1), 255, np.uint8)
    alpha[:8], alpha[8:16] = 0, 128
    lossless = (cv2.IMWRITE_WEBP_QUALITY, 101) if extension == ".webp" else ()
    picture = images.read(encode(extension, np.dstack([scene, alpha]), *lossless)).astype(int)
    assert (picture[:8] == 255).all()
    np.testing.assert_allclose(picture[8:16], scene[8:16] * (128 / 255) + 127, atol=1)
    assert (picture[16:] == scene[16:]).all()


def test_cmyk_palette_and_transparent_grey(scene: np.ndarray) -> None:
    image = pytest.importorskip("PIL.Image")

    def saved(picture, kind: str, **options) -> bytes:
        file = io.BytesIO()
        picture.save(file, kind, **options)
        return file.getvalue()

    rgb = image.fromarray(scene)
    cmyk = images.read(saved(rgb.convert("CMYK"), "JPEG", quality=98)).astype(int)
    np.testing.assert_allclose(cmyk, scene, atol=16)
    palette = rgb.quantize(16)
    assert (images.read(saved(palette, "PNG")) == np.asarray(palette.convert("RGB"))).all()
    hollow = images.read(saved(palette, "PNG", transparency=palette.getpixel((0, 0))))
    assert (hollow[0, 0] == 255).all()
    assert (hollow[-1, -1] == np.asarray(palette.convert("RGB"))[-1, -1]).all()
    grey = np.dstack([scene[..., 0], np.zeros((H, W), np.uint8)])
    assert (images.read(saved(image.fromarray(grey, "LA"), "PNG")) == 255).all()


def test_orientation_is_applied_only_when_asked_for(scene: np.ndarray) -> None:
    stored = encode(".jpg", scene, cv2.IMWRITE_JPEG_QUALITY, 98)
    turned = with_exif(stored, 6)  # the top of the scene is at the right of the stored pixels
    as_stored = images.read(stored)
    assert (images.read(turned) == as_stored).all()
    assert (images.read(turned, upright=True) == np.rot90(as_stored, -1)).all()
    assert images.read(turned, upright=True).flags.c_contiguous
    assert (images.read(stored, upright=True) == as_stored).all()


def test_a_picture_is_turned_where_its_annotations_were_made_upright(scene: np.ndarray) -> None:
    stored = encode(".jpg", scene, cv2.IMWRITE_JPEG_QUALITY, 98)
    turned, as_stored = with_exif(stored, 6), images.read(stored)
    assert (images.read(turned, size_wh=(W, H)) == as_stored).all()
    assert (images.read(turned, size_wh=np.array([H, W])) == np.rot90(as_stored, -1)).all()
    assert (images.read(turned, size_wh=(0, 0)) == as_stored).all()
    for picture in (stored, turned):
        with pytest.raises(ValueError, match=rf"is {W}x{H} \(width x height\), its annotations count in 12x{H}: scale"):
            images.read(picture, size_wh=(12, H))


def damaged(scene: np.ndarray) -> dict[str, bytes]:
    noisy = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    jpeg, png, webp, bmp = (encode(extension, noisy) for extension in (".jpg", ".png", ".webp", ".bmp"))
    thumbnail = encode(".jpg", scene)
    body = b"Exif\0\0" + thumbnail
    with_thumbnail = jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]
    wrong_byte = bytearray(png)
    wrong_byte[len(png) // 2] ^= 0xFF
    return {
        "empty": b"",
        "text": b"this is no picture" * 9,
        "html": b"<html>404</html>",
        "two bytes": jpeg[:2],
        "jpeg head": jpeg[:150],
        "jpeg half": jpeg[: len(jpeg) // 2],
        "jpeg without its end": jpeg[:-2],
        "jpeg with a whole thumbnail": with_thumbnail[:-200],
        "jpeg of noise": jpeg[:2] + bytes(noisy[:2].tobytes()),
        "png signature": png[:8],
        "png end alone": png[:8] + png[-12:],
        "png half": png[: len(png) // 2],
        "png without its end": png[:-12],
        "png with a wrong byte": bytes(wrong_byte),
        "webp half": webp[: len(webp) // 2],
        "webp of sixteen bytes": b"RIFF" + (8).to_bytes(4, "little") + b"WEBPVP8X",
        "bmp half": bmp[: len(bmp) // 2],
    }


def test_faults_name_the_file_and_leave_stderr_quiet(
    scene: np.ndarray, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, content in damaged(scene).items():
        path = tmp_path / name.replace(" ", "_")
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"fetch the file again") as error:
            images.read(path)
        assert str(path) in str(error.value), name
        with pytest.raises(ValueError, match="given as bytes"):
            images.read(content)
    assert capfd.readouterr() == ("", "")


def test_bytes_after_the_end_do_no_harm(scene: np.ndarray, capfd: pytest.CaptureFixture[str]) -> None:
    jpeg = encode(".jpg", scene)
    for content in (jpeg + b"\0" * 7, jpeg + jpeg, jpeg + b"a phone's own data", encode(".png", scene) + b"tail"):
        assert images.read(content).shape == (H, W, 3)
    assert capfd.readouterr() == ("", "")


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.jpg does not exist"):
        images.read(tmp_path / "nothing.jpg")
    with pytest.raises(ValueError, match="is a folder"):
        images.read(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"zip .*nothing\.zip does not exist"):
        images.read(tmp_path / "nothing.zip@" / "a.jpg")


def test_folders_as_windows_separates_them(scene: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.png").write_bytes(encode(".png", scene))
    assert images.read(f"{tmp_path}/a\\1.png").shape == (H, W, 3)
    with pytest.raises(FileNotFoundError, match=r"a/2\.png does not exist"):
        images.read(f"{tmp_path}/a\\2.png")


def test_missing_pictures_are_found_before_they_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.png").touch()
    absent = [f"{tmp_path}/a/2.png", f"{tmp_path}/nowhere/1.png", f"{tmp_path}/1.png"]
    there = [f"{tmp_path}/a/1.png", f"{tmp_path}/a\\1.png", f"{tmp_path}/any.zip@/1.png"]
    assert images.missing([*there, *absent]) == absent


@pytest.fixture
def zipped(scene: np.ndarray, tmp_path: Path) -> Path:
    path = tmp_path / "train2017.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("flat.png", encode(".png", scene))
        file.writestr("train2017/inside.png", encode(".png", scene))
        file.writestr("deep/er/one.png", encode(".png", scene))
        file.writestr("bad.jpg", b"\xff\xd8\xff\xd9")
    return path


@pytest.mark.parametrize("member", ["@/flat.png", "@flat.png", "/flat.png", "@/inside.png", "@/deep/er/one.png"])
def test_pictures_in_a_zip(zipped: Path, scene: np.ndarray, member: str) -> None:
    assert (images.read(f"{zipped}{member}") == scene).all()


def test_faults_in_a_zip(zipped: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.jpg is not in .*train2017\.zip"):
        images.read(f"{zipped}@/none.jpg")
    with pytest.raises(ValueError, match=r"train2017\.zip@/bad\.jpg is cut off"):
        images.read(f"{zipped}@/bad.jpg")
    no_zip = zipped.with_name("text.zip")
    no_zip.write_text("text")
    with pytest.raises(ValueError, match=r"text\.zip cannot be read as a zip"):
        images.read(f"{no_zip}@/a.jpg")


def test_a_folder_may_be_called_zip(tmp_path: Path, scene: np.ndarray) -> None:
    (tmp_path / "old.zip").mkdir()
    (tmp_path / "old.zip" / "a.png").write_bytes(encode(".png", scene))
    assert (images.read(tmp_path / "old.zip" / "a.png") == scene).all()


def read_sum(path: str) -> int:
    return int(images.read(path).sum())


def test_forked_workers_read_the_zip_at_the_same_time(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (20, 64, 64, 3), dtype=np.uint8)
    with zipfile.ZipFile(tmp_path / "noise.zip", "w") as file:
        for i, picture in enumerate(noise):
            file.writestr(f"{i}.png", encode(".png", picture))
    paths = [f"{tmp_path}/noise.zip@/{i}.png" for i in range(len(noise))]
    read_sum(paths[0])  # opened before the fork: the workers inherit the handle, and must not use it
    with multiprocessing.get_context("fork").Pool(3) as pool:
        sums = pool.map(read_sum, paths * 5, chunksize=1)
    assert sums == [int(picture.sum()) for picture in noise] * 5


def test_a_zip_is_opened_once(zipped: Path) -> None:
    images.read(f"{zipped}@/flat.png")
    opened = images._open_zip.cache_info().misses
    images.read(f"{zipped}@/inside.png")
    assert images._open_zip.cache_info().misses == opened


def test_real_pictures(shared_data: Path) -> None:
    for path in sorted((shared_data / "samples").rglob("*.jpg")):
        assert images.read(path).shape == cv2.imread(str(path), cv2.IMREAD_IGNORE_ORIENTATION | 1).shape
