"""A .onnx or .xml file as a network: one that rdpose wrote, or one of others with a description beside it.

network, settings, skeleton = load("pose.onnx")
"""

from __future__ import annotations

from pathlib import Path

from rdpose.backends import described, engines, exported
from rdpose.backends.described import DescribedNetwork
from rdpose.backends.exported import Exported
from rdpose.config.schema import Settings
from rdpose.skeletons import Skeleton


def load(path: str | Path) -> tuple[Exported | DescribedNetwork, Settings, Skeleton]:
    """A network with the settings and joints that its file carries, or that the description beside it says.

    Raises:
        FileNotFoundError: there is no such file, or nothing describes it.
        ValueError: no engine for it is installed, the file is damaged, or does not fit its description.
    """
    file = Path(path)
    opened = engines.open_file(file)
    return exported.of(opened, file) if opened.header else described.of(opened, file)
