"""Files of named folders that look like pictures and that nothing here reads: how many, and of which kinds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rdpose.io import heif, images


def notes(sources: Sequence[str], out: Path) -> Iterator[str]:
    """A sentence for each folder of `sources` that has such files; what lies in `out` does not count."""
    unreadable = {*images.PICTURE_ENDINGS, *images.RAW_ENDINGS} - {*images.folder_endings()}
    for source in sources:
        kinds: Counter[str] = Counter()
        for file in Path(source).rglob("*") if Path(source).is_dir() else ():
            if file.suffix.lower() in unreadable and out.resolve() not in file.resolve().parents:
                kinds[file.suffix.lower()] += 1
        if not kinds:
            continue
        told = ", ".join(f"{number} {ending}" for ending, number in kinds.most_common())
        number = kinds.total()
        files, them = ("file looks like a picture", "it") if number == 1 else ("files look like pictures", "them")
        remedy = heif.REMEDY if kinds.keys() <= {*heif.HEIC_ENDINGS} else f"convert {them} to JPEG"
        yield f"{source}: {number} {files} and cannot be read ({told}): {remedy}"
