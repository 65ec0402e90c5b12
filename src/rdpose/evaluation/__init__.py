"""A results file and an annotation file -> Scores, which print themselves. Nothing here knows a network.

scores = evaluate("results.json", "person_keypoints_val2017.json")
print(scores)                       # the field's table
scores.figures["AP"]
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rdpose.evaluation import coco, crowdpose, labels, mpii, pck
from rdpose.evaluation.coverage import left_out
from rdpose.evaluation.misassignment import Misassignment, misassignment
from rdpose.evaluation.scores import Scores, table
from rdpose.io.parsed import AnyFile, Source, name_of, opened
from rdpose.skeletons import Skeleton

__all__ = ["METRICS", "Misassignment", "Scores", "Source", "against", "evaluate", "left_out", "misassignment", "table"]

METRICS: dict[str, tuple[Callable[..., Any], Callable[..., Scores]]] = {
    "coco": (coco.read_truth, coco.measure),
    "ochuman": (coco.read_truth, coco.measure),
    "crowdpose": (crowdpose.read_truth, crowdpose.measure),
    "crowdpose-published": (crowdpose.read_truth, crowdpose.measure_published),
    "mpii": (mpii.read_truth, mpii.measure),
    "pck": (labels.read, pck.measure),
}
"""Name -> what reads the truth, and what measures results against it. OCHuman is measured as COCO is;
`crowdpose-published` cuts the crowd index as its tool does."""


def against(annotations: AnyFile, *, metric: str = "coco", skeleton: Skeleton | None = None) -> Callable[..., Scores]:
    """`measure(results, name=...)` against a truth that is read here, once for all results; as in `evaluate`."""
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}; there are {', '.join(METRICS)}")
    read, measure = METRICS[metric]
    return partial(measure, truth=read(opened(annotations), skeleton=skeleton))


def evaluate(
    results: Source,
    annotations: AnyFile,
    *,
    metric: str = "coco",
    skeleton: Skeleton | None = None,
    name: str | None = None,
) -> Scores:
    """Measure results against annotations.

    Args:
        results: a file in COCO's results format, or its rows.
        annotations: the set's own file.
        metric: one of `METRICS`.
        skeleton: the joints of the results, with their OKS sigmas; left out, those that the annotations name.
        name: the first column of the table; left out, the file's name.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: the metric is unknown, or a file is not what it should be; the message names it.
    """
    label = name or (Path(results).stem if isinstance(results, AnyFile) else name_of(results))
    return against(annotations, metric=metric, skeleton=skeleton)(results, name=label)
