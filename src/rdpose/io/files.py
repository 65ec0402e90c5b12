"""Files that others rely on: written whole or not at all, and read with an error that names the file and the remedy."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

log = logging.getLogger(__name__)


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in `path`'s place; folders are made.

    A reader never sees half a file, and an interruption leaves the old one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    place = path.with_name(f".{path.name}.{secrets.token_hex(8)}{path.suffix}")
    place.touch(exist_ok=False)
    mode = place.stat().st_mode  # as the umask says
    try:
        write(place)
        place.chmod(mode)  # safetensors makes a file of its own, for its owner alone
        os.replace(place, path)
    finally:
        place.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, UTF-8, atomically."""
    write_atomically(path, lambda place: place.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically; NaN is refused."""
    write_text(path, json.dumps(value, allow_nan=False))


def slashes(path: Path | str) -> str:
    """A path with its folders separated as they are here, also where Windows wrote it."""
    return str(path).replace("\\", "/")


def in_a_line(error: Exception) -> str:
    """What a library says is wrong with a file, short enough to stand in a sentence of ours."""
    return " ".join(str(error).split())[:200]


def read_bytes(path: Path | str) -> bytes:
    """The content of a file that must not be empty.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is empty, or a folder.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} does not exist; check the path of the file") from None
    except IsADirectoryError:
        raise ValueError(f"{path} is a folder, not a JSON file; name the file in it") from None
    if not content.strip():
        raise ValueError(f"{path} is empty; fetch or write the file again (`[]` stands for no results)")
    return content


def parse(content: bytes, path: Path | str) -> Any:
    """What the bytes of the file `path` say, or the list of a .jsonl's lines; raises ValueError where it is no JSON."""
    if Path(path).suffix.lower() == ".jsonl":
        return parse_lines(content, path)
    with contextlib.suppress(orjson.JSONDecodeError):  # it knows no NaN, and its errors name no line
        return orjson.loads(content)
    try:
        return json.loads(content)
    except ValueError as error:
        raise ValueError(f"{path} is not a whole JSON file ({error}); fetch or write the file again") from None


def read_json(path: Path | str) -> Any:
    """The content of a JSON file, or the list of a .jsonl's lines; raises as `read_bytes` and `parse` do."""
    return parse(read_bytes(path), path)


def parse_lines(content: bytes, path: Path | str) -> list[Any]:
    """What the lines of the file `path` say, each of them JSON.

    A last line that a killed process has not finished is left out, and told on standard error.

    Raises:
        ValueError: another line is no JSON.
    """
    values, lines = [], content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            values += [json.loads(line)] if line.strip() else []
        except ValueError as error:
            if number < len(lines):
                raise ValueError(
                    f"{path}: line {number} is not JSON ({error}); take it out, or write it again"
                ) from None
            log.warning(f"{path}: the last line is cut off, and left out")
    return values
