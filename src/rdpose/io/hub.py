"""Files of the Hugging Face hub: looked for on this machine first, and asked for once, with the true reason told."""

from __future__ import annotations

import importlib
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

TIMEOUT_SECONDS = 20
"""For the hub's first answer."""

Found = TypeVar("Found")


def read(name: str, opened: Callable[[bool], Found]) -> Found:
    """What `opened(local)` makes of a folder's files or of the hub's; what was fetched once is not asked for again.

    Args:
        name: a folder, or `owner/name` at the hub.
        opened: reads the files; with True it must not ask the hub.

    Raises:
        OSError, ValueError: as `opened`; or the hub cannot be reached, or has nothing public of this name.
    """
    if Path(name).is_dir():
        return opened(True)
    try:
        return opened(True)
    except (OSError, ValueError):
        _ask(name)
    return opened(False)


def _ask(name: str) -> None:
    """Ask once whether the hub has a network, where transformers would go on asking for minutes."""
    hub = importlib.import_module("huggingface_hub.constants")
    if hub.HF_HUB_OFFLINE:
        raise ValueError("it was not fetched before, and HF_HUB_OFFLINE forbids to fetch it")
    request = urllib.request.Request(f"{hub.ENDPOINT}/{name}/resolve/main/config.json", method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS).close()
    except urllib.error.HTTPError as error:
        if error.code in (401, 404):
            raise ValueError(f"{hub.ENDPOINT} has no public network of this name") from None
        raise ValueError(f"{hub.ENDPOINT} answers {error.code} {error.reason}; try again later") from None
    except OSError as error:
        raise ValueError(f"{hub.ENDPOINT} cannot be reached: {getattr(error, 'reason', error)}") from None
