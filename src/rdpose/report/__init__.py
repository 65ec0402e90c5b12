"""A report on one or two results files: one HTML page that tells where the errors are, and shows them.

write([Path("results.json")], Path("person_keypoints_val2017.json"), Path("images/val2017"), Path("report.html"))
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rdpose import evaluation
from rdpose.data import annotations as annotation_files
from rdpose.data.people import People
from rdpose.evaluation import Scores
from rdpose.io import files
from rdpose.report import cases, page
from rdpose.report.analysis import Analysis, analyse
from rdpose.skeletons import CROWDPOSE_14, Skeleton

__all__ = ["Analysis", "analyse", "write"]


def write(
    results: Sequence[Path], annotations: Path, images: Path | None, out: Path, *, skeleton: Skeleton | None = None
) -> Path:
    """Write the report on one results file, or on two side by side.

    Args:
        results: COCO results files, one or two.
        annotations: the annotation file that they belong to; with CrowdPose's joints, CrowdPose's figures are given.
        images: folder or zip of the pictures; None leaves out the cases.
        out: the HTML file; folders are made.
        skeleton: the joints with their sigmas; left out, those that the annotations name.

    Raises:
        FileNotFoundError, ValueError: a file is missing or not what it should be, it labels nobody, or there are not
            one or two results.
    """
    if not 1 <= len(results) <= 2:
        raise ValueError(f"a report is made of one results file, or of two side by side; got {len(results)}")
    labels = _labels(results)
    truth = annotation_files.read(annotations, images or "", skeleton=skeleton)
    if not truth.labelled.any():
        raise ValueError(f"{annotations} labels nobody: a report needs people to compare the results with")
    metric = "crowdpose" if truth.skeleton.joints == CROWDPOSE_14.joints else "coco"
    scores: list[Scores] = [
        evaluation.evaluate(path, annotations, metric=metric, skeleton=skeleton, name=label)
        for path, label in zip(results, labels, strict=True)
    ]
    analyses = [analyse(path, truth, name=label) for path, label in zip(results, labels, strict=True)]
    content = page.Content(
        title=" and ".join(labels) + f" on {Path(annotations).stem}",
        scores=scores,
        analyses=analyses,
        truth=truth,
        cases={} if images is None else _cases(analyses, truth),
        footer=f"Written by rdpose from {', '.join(str(path) for path in results)} and {annotations}.",
    )
    files.write_text(Path(out), page.render(content))
    return Path(out)


def _labels(results: Sequence[Path]) -> list[str]:
    """The files' names, with their folders where two have one name."""
    stems = [Path(path).stem for path in results]
    return stems if len(set(stems)) == len(stems) else [str(Path(path).with_suffix("")) for path in results]


def _cases(analyses: Sequence[Analysis], truth: People) -> dict[str, list[cases.Case]]:
    chosen = cases.choose(analyses, truth)
    return {group: [cases.draw(int(person), analyses, truth) for person in people] for group, people in chosen.items()}
