"""rdpose: top-down human pose estimation for crowded pictures.

    estimator = rdpose.load()                   # the bundled network and detector
    poses = estimator("street.jpg")             # a file, a PIL image, or (height, width, 3) RGB uint8 -> Poses
    picture = rdpose.draw("street.jpg", poses)

Importing it is quick: torch comes in with the first network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rdpose.inference.estimator import PoseEstimator, load
    from rdpose.structures import Poses, draw
    from rdpose.utils.malloc import keep_freed

__all__ = ["PoseEstimator", "Poses", "draw", "keep_freed", "load"]

_HOMES = {
    "PoseEstimator": "inference.estimator",
    "Poses": "structures",
    "draw": "structures",
    "keep_freed": "utils.malloc",
    "load": "inference.estimator",
}


def __getattr__(name: str) -> Any:
    """Bring in a public name when it is asked for, and keep it."""
    from importlib import import_module, metadata

    if name == "__version__":
        return metadata.version("rdpose")
    if name not in _HOMES:
        raise AttributeError(f"module 'rdpose' has no attribute {name!r}")
    value = getattr(import_module(f"rdpose.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
