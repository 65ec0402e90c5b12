"""What the ablation measures on, and how it takes a network for that; `compare.py` does the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch

from rdpose import robustness, skeletons
from rdpose.checkpoints import load as weight_files
from rdpose.config import loading
from rdpose.config.schema import Settings
from rdpose.io.parsed import ParsedFile
from rdpose.robustness import Benchmark
from rdpose.robustness.looking import PoseNetwork
from rdpose.utils import distributed

SHARED = Path(__file__).with_name("ablation.yaml")
"""Settings that rows which branch have in common; everybody is tested by them."""
LEVELS = ("none", "some", "heavy")


def load(weights: Path) -> tuple[PoseNetwork, Settings]:
    """A network as it is measured: the ablation's test settings, the memory layout that convolutions are fast in."""
    network, settings, _ = weight_files.load_network(weights)
    settings = settings.model_copy(update={"test": loading.load(SHARED).test})
    return distributed.place(network, torch.device("cpu")), settings


def read_benchmarks(data: Path, max_people: int | None) -> list[Benchmark]:
    """All benchmarks whose files are there.

    Raises:
        FileNotFoundError: there is none.
    """
    places: dict[str, tuple[Path, str, float | None]] = {
        f"{kind} {level}": (data / "sets" / kind, level, None) for kind in ("rendered", "pasted") for level in LEVELS
    }
    places |= {"coco": (data / "coco", "val2017", None), "coco crowded": (data / "coco", "val2017", 0.1)}
    read: Callable[..., Benchmark] = robustness.read
    found, missing, opened = [], [], cache(ParsedFile)
    for name, (folder, part, crowd_index) in places.items():
        path = folder / f"annotations/person_keypoints_{part}.json"
        if not path.exists():
            missing.append(name)
            continue
        limits = {"min_crowd_index": crowd_index, "max_people": max_people}
        found.append(read(name, opened(path), folder / "images" / part, skeleton=skeletons.COCO_17, **limits))
    if not found:
        raise FileNotFoundError(f"there is no benchmark in {data}; make them by recipes/make_sets.py")
    if missing:
        print(f"left out, as {data} does not hold them: {', '.join(missing)}")
    return found
