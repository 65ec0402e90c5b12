"""Files of named folders and zips that look like pictures and that nothing here reads: how many, and of which kinds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rdpose.io import heif, images


def notes(sources: Sequence[str], out: Path) -> Iterator[str]:
    """A sentence for each folder or zip of `sources` that has such files; what lies in `out` does not count."""
    for source in sources:
        kinds = Counter(Path(name).suffix.lower() for name in _unreadable(Path(source), out))
        if not kinds:
            continue
        told = ", ".join(f"{number} {ending}" for ending, number in kinds.most_common())
        number = kinds.total()
        files, them = ("file looks like a picture", "it") if number == 1 else ("files look like pictures", "them")
        remedy = heif.REMEDY if kinds.keys() <= {*heif.HEIC_ENDINGS} else f"convert {them} to JPEG"
        yield f"{source}: {number} {files} and cannot be read ({told}): {remedy}"


def _unreadable(source: Path, out: Path) -> list[str]:
    """Names of these files in a folder or zip."""
    in_zip = source.suffix.lower() == ".zip" and source.is_file()
    if not in_zip and not source.is_dir():
        return []
    endings = {*images.PICTURE_ENDINGS, *images.RAW_ENDINGS} - {*images.folder_endings()}
    if in_zip:
        return images.names_in_zip(source, endings)
    files = (file for file in source.rglob("*") if file.suffix.lower() in endings)
    return [file.name for file in files if out.resolve() not in file.resolve().parents]
