"""Pictures from disk, in a folder or in a zip: (height, width, 3) RGB uint8, or an error that says why.

picture = images.read("images/val2017/000000000785.jpg")
picture = images.read("images/val2017.zip@/000000000785.jpg")     # DATA_FORMAT: zip of the HRNet family
"""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import ArrayLike

from rdpose.io import heif
from rdpose.io.files import slashes
from rdpose.io.opencv import quiet

PICTURE_ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", *heif.HEIC_ENDINGS),
    *(".bmp", ".tif", ".tiff", ".gif", ".jp2", ".ppm", ".pgm"),
)
"""Of files that are taken for pictures; those of other endings are read where they are named."""
RAW_ENDINGS = (
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw"),
    *(".jxl", ".psd", ".svg", ".xcf"),
)
"""Of pictures that nothing here reads: cameras' raw files, and some programs'."""
_JPEG, _PNG, _WEBP = b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"WEBP"
_SHORTEST_WEBP = 21
"""Bytes up to and with the flags of its first chunk."""
_JPEG_END, _JPEG_SCAN = b"\xff\xd9", 0xDA
_IN_ZIP = re.compile(r"(.+?\.zip)[@/\\]+(.+)", re.IGNORECASE)


def read(source: Path | str | bytes, *, upright: bool = False, size_wh: ArrayLike = (0, 0)) -> np.ndarray:
    """Reads a picture.

    Grey becomes RGB, CMYK is converted, 16 bits become 8 (the upper ones), transparency is laid over white (PNG, WebP).
    Of a GIF the first picture is read; TIFF, HEIC and AVIF always come upright. HEIC needs the extra `heic`.

    Args:
        source: a file, a file in a zip (`pictures.zip@name.jpg`, `pictures.zip/name.jpg`), or a file's content.
        upright: turn the picture as its EXIF orientation says. Off by default: COCO's annotations count the stored
            pixels. A transparent picture stays as it is stored.
        size_wh: (width, height) in which annotations count, 0 where they do not say; where only the upright picture
            has this size, it is turned.

    Returns:
        (height, width, 3) RGB uint8, contiguous.

    Raises:
        FileNotFoundError: there is no such file, zip, or file in the zip.
        ValueError: the content is empty, cut off, damaged, or no picture; or it is of another size than `size_wh`.
    """
    data, name = (source, "a picture given as bytes") if isinstance(source, bytes) else (load(source), str(source))
    if heif.kind(data):
        picture = _from_telephone(data, name)
        return picture if _is_of(size_wh, picture) else _turned(data, picture, size_wh, name)
    fault = _fault(data)
    picture = None if fault else _decode(data, upright)
    if picture is None:
        reason = fault or "is damaged or of an unknown kind (JPEG, PNG, WebP, AVIF, HEIC, BMP, TIFF and GIF are read)"
        raise ValueError(f"{name} {reason}; fetch the file again or take it off the list")
    return picture if _is_of(size_wh, picture) else _turned(data, picture, size_wh, name)


def _from_telephone(data: bytes, name: str) -> np.ndarray:
    try:
        picture = heif.decode(data)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None
    return over_white(picture) if picture.shape[2] == 4 else picture


def _is_of(size_wh: ArrayLike, picture: np.ndarray) -> bool:
    width, height = np.asarray(size_wh).tolist()
    return not (width and height) or (height, width) == picture.shape[:2]


def _turned(data: bytes, picture: np.ndarray, size_wh: ArrayLike, name: str) -> np.ndarray:
    """The picture as its EXIF orientation says, for annotations made in a program that shows it so."""
    upright = _decode(data, upright=True)
    if upright is None or not _is_of(size_wh, upright):
        stored, asked = ("x".join(map(str, size)) for size in (picture.shape[1::-1], np.asarray(size_wh).tolist()))
        raise ValueError(
            f"{name} is {stored} (width x height), its annotations count in {asked}: scale their joints and boxes with "
            "`width` and `height`, or fetch the picture that was annotated"
        )
    return upright


def load(path: Path | str) -> bytes:
    """The content of a file in a folder or in a zip; raises as `read` does."""
    in_zip = _IN_ZIP.fullmatch(str(path))
    if in_zip and not os.path.isdir(in_zip[1]):
        return _load_from_zip(*in_zip.groups())
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        if (here := slashes(path)) != str(path):
            return load(here)
        raise FileNotFoundError(f"picture {path} does not exist; check the folder of pictures") from None
    except IsADirectoryError:
        raise ValueError(f"{path} is a folder, not a picture; name a file in it") from None


def missing(paths: Iterable[str]) -> list[str]:
    """Of pictures in folders, those that are not there; each folder is listed once. In zips nothing is looked for."""
    found: dict[str, set[str]] = {}
    absent = []
    for path in paths:
        folder, name = os.path.split(slashes(path))
        if folder not in found:
            entries = os.scandir(folder) if os.path.isdir(folder) else ()
            found[folder] = {entry.name for entry in entries if entry.is_file()}
        if name not in found[folder] and not _IN_ZIP.fullmatch(path):
            absent.append(path)
    return absent


def folder_endings() -> tuple[str, ...]:
    """Of a folder's or a zip's files that are taken for pictures; HEIC's only where they can be read."""
    left_out = () if heif.reads_heic() else heif.HEIC_ENDINGS
    return tuple(ending for ending in PICTURE_ENDINGS if ending not in left_out)


def names_in_zip(archive: Path | str, endings: Iterable[str] | None = None) -> list[str]:
    """The pictures of a zip by their names in it, sorted; what a Mac puts beside them (`._1.jpg`) is none.

    `endings` are those of `folder_endings` by default.

    Raises:
        FileNotFoundError: there is no such zip.
        ValueError: it cannot be read as one.
    """
    names, wanted = sorted(_zip(str(archive)).NameToInfo), tuple(folder_endings() if endings is None else endings)
    return [name for name in names if _is_picture_of_zip(PurePosixPath(name), wanted)]


def _is_picture_of_zip(path: PurePosixPath, endings: tuple[str, ...]) -> bool:
    lies_inside = not path.is_absolute() and ".." not in path.parts
    return lies_inside and path.suffix.lower() in endings and not path.name.startswith("._")


def _load_from_zip(archive: str, member: str) -> bytes:
    """A zip made of a folder holds the folder's name, one made inside it does not: both are found."""
    file, full = _zip(archive), f"{Path(archive).stem}/{member}"
    try:
        return file.read(member if member in file.NameToInfo else full)
    except KeyError:
        raise FileNotFoundError(f"picture {member} is not in {archive}; check the zip's list of files") from None
    except (zipfile.BadZipFile, zlib.error, RuntimeError) as error:  # the last: encrypted, or packed in an unknown way
        raise ValueError(f"{archive} cannot be read as a zip ({error}); fetch the file again") from None


def _zip(archive: str) -> zipfile.ZipFile:
    try:
        return _open_zip(archive, os.getpid())
    except FileNotFoundError:
        raise FileNotFoundError(f"zip {archive} does not exist; check the folder of pictures") from None
    except zipfile.BadZipFile as error:
        raise ValueError(f"{archive} cannot be read as a zip ({error}); fetch the file again") from None


@lru_cache(maxsize=8)
def _open_zip(archive: str, process: int) -> zipfile.ZipFile:
    """One handle for each process: forked workers that shared one would share its place in the file."""
    return zipfile.ZipFile(archive)


def _decode(data: bytes, upright: bool) -> np.ndarray | None:
    buffer = np.frombuffer(data, np.uint8)
    try:
        with quiet():
            if _has_alpha(data):
                return _without_alpha(cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED))
            return cv2.imdecode(buffer, cv2.IMREAD_COLOR_RGB | (0 if upright else cv2.IMREAD_IGNORE_ORIENTATION))
    except cv2.error:
        return None


def _without_alpha(picture: np.ndarray | None) -> np.ndarray | None:
    """What OpenCV has read unchanged, of 8 or 16 bits -> (h, w, 3) RGB uint8."""
    if picture is None:
        return None
    if picture.dtype == np.uint16:
        picture = (picture >> 8).astype(np.uint8)
    if picture.ndim == 2 or picture.shape[2] != 4:
        return cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB if picture.ndim == 2 else cv2.COLOR_BGR2RGB)
    return over_white(cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA))


def over_white(picture: np.ndarray) -> np.ndarray:
    """(h, w, 4) RGBA uint8 -> (h, w, 3) RGB uint8: color x alpha + white x (1 - alpha)."""
    color, alpha = picture[..., :3].astype(np.uint16), picture[..., 3:].astype(np.uint16)
    return ((color * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _has_alpha(data: bytes) -> bool:
    """Of a file that `_fault` finds nothing wrong with."""
    if data.startswith(_PNG):
        return data[25] in (4, 6) or data.find(b"tRNS", 0, data.find(b"IDAT")) >= 0
    if data[8:12] == _WEBP:
        return data[12:16] == b"VP8L" or (data[12:16] == b"VP8X" and bool(data[20] & 0x10))
    return False


def _fault(data: bytes) -> str | None:
    """What is wrong with a file, found before a decoder fills the missing part with grey or prints a complaint."""
    if not data:
        return "is empty"
    if data.startswith(_JPEG):
        return None if _jpeg_ends(data) else "is cut off: its JPEG data do not end"
    if data.startswith(_PNG):
        return None if _png_is_whole(data) else "is cut off or damaged: a part of its PNG data is missing or wrong"
    if data[8:12] == _WEBP and max(int.from_bytes(data[4:8], "little") + 8, _SHORTEST_WEBP) > len(data):
        return "is cut off: its WebP data do not end"
    return None


def _jpeg_ends(data: bytes) -> bool:
    """Whether an end marker follows the first scan (an embedded thumbnail before it has an end of its own)."""
    at = len(_JPEG)
    while 0 <= (at := data.find(b"\xff", at)) < len(data) - 3:
        marker = data[at + 1]
        if marker == _JPEG_SCAN:
            return data.endswith(_JPEG_END) or data.find(_JPEG_END, at) > 0
        if marker == 0xFF:  # padding before a marker
            at += 1
        elif marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:  # markers without content
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False


def _png_is_whole(data: bytes) -> bool:
    chunks = list(_png_chunks(data))
    return chunks[:1] == [b"IHDR"] and b"IEND" in chunks


def _png_chunks(data: bytes) -> Iterator[bytes]:
    """The kinds of a PNG's chunks, up to the first that is cut off or fails its checksum."""
    at, view = len(_PNG), memoryview(data)
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(view[at : at + 4], "big")
        if zlib.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            return
        yield bytes(view[at + 4 : at + 8])
        at = end + 4


def checked(picture: np.ndarray) -> np.ndarray:
    """The picture itself if it is (height, width, 3) uint8.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        found = f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else type(picture).__name__
        raise ValueError(f"a picture must be a (height, width, 3) RGB uint8 array; got {found}")
    return np.ascontiguousarray(picture)
