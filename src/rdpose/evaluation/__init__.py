"""A results file and an annotation file -> Scores, which print themselves. Nothing here knows a network.

scores = evaluate("results.json", "person_keypoints_val2017.json")
print(scores)                       # the field's table
scores.figures["AP"]
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rdpose.evaluation import coco, crowdpose, mpii, pck
from rdpose.evaluation.coverage import left_out
from rdpose.evaluation.misassignment import Misassignment, misassignment
from rdpose.evaluation.results import Source, name_of
from rdpose.evaluation.scores import Scores, table
from rdpose.skeletons import Skeleton

__all__ = ["METRICS", "Misassignment", "Scores", "Source", "evaluate", "left_out", "misassignment", "table"]

METRICS: dict[str, Callable[..., Scores]] = {
    "coco": coco.evaluate,
    "ochuman": coco.evaluate,
    "crowdpose": crowdpose.evaluate,
    "crowdpose-published": crowdpose.evaluate_published,
    "mpii": mpii.evaluate,
    "pck": pck.evaluate,
}
"""Name -> evaluation. OCHuman is measured as COCO is; `crowdpose-published` cuts the crowd index as its tool does."""


def evaluate(
    results: Source,
    annotations: Path | str,
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
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}; there are {', '.join(METRICS)}")
    label = name or (Path(results).stem if isinstance(results, (Path, str)) else name_of(results))
    return METRICS[metric](results, annotations, name=label, skeleton=skeleton)
