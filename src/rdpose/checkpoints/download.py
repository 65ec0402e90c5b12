"""Fetching one file: with a progress bar, from where the last attempt stopped, and only whole and unharmed."""

from __future__ import annotations

import hashlib
import re
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from rdpose.utils.progress import Bar

MEGABYTE = 1_000_000
TIMEOUT_SECONDS = 30.0


def fetch(address: str, path: Path, *, sha256: str = "") -> Path:
    """Fetch a file to `path`; what arrived so far is kept in `path`.part, and a later call goes on from there.

    Args:
        address: http or https.
        sha256: hexadecimal digits that the file's hash must begin with; empty is not checked.

    Returns:
        `path`. A file that is there already and has the hash is not fetched again.

    Raises:
        ValueError: the server does not answer, the connection broke, the file is not the one that the hash tells, or
            another file is in its place.
    """
    if urlsplit(address).scheme not in ("http", "https"):
        raise ValueError(f"{address} is no web address; it must begin with http:// or https://")
    if path.exists():
        _check(path, sha256, f"{path} is there, but is another file; remove it to fetch {address}")
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    try:
        _receive(address, part, path.name)
    except (URLError, HTTPException, OSError) as error:
        raise ValueError(
            f"{address} could not be fetched ({error}); try again, or put the file at {path} yourself"
        ) from None
    try:
        _check(part, sha256, f"what came from {address} is not the file that its name tells, and was removed")
    except ValueError:
        part.unlink()
        raise
    return part.replace(path)


def _receive(address: str, part: Path, title: str) -> None:
    """Write what is missing to `part`."""
    begin = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "rdpose"} | ({"Range": f"bytes={begin}-"} if begin else {})
    try:
        with urlopen(Request(address, headers=headers), timeout=TIMEOUT_SECONDS) as response:
            if response.status != 206 or not _begins_at(response, begin):
                begin = 0  # the server sends the whole file
            _copy(response, part, begin, title)
    except HTTPError as error:
        if error.code != 416 or not begin:  # 416: nothing lies beyond what is here
            raise


def _begins_at(response: HTTPResponse, begin: int) -> bool:
    return re.match(rf"bytes {begin}-", response.headers.get("Content-Range", "")) is not None


def _copy(response: HTTPResponse, part: Path, begin: int, title: str) -> None:
    length = response.headers.get("Content-Length")
    total = begin + int(length) if length else 0
    with part.open("ab" if begin else "wb") as file, Bar(title, total=-(-total // MEGABYTE), unit="MB") as bar:
        bar.skip(begin // MEGABYTE)
        while piece := response.read(MEGABYTE):
            file.write(piece)
            bar.advance()
    if part.stat().st_size < total:
        raise ConnectionError(f"the connection ended after {part.stat().st_size:,} of {total:,} bytes, which are kept")


def _check(path: Path, sha256: str, otherwise: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(sha256):
        raise ValueError(f"{otherwise} (sha256 {found[: len(sha256)]}, expected {sha256})")
