"""A report on one or two results files: one HTML page that tells where the errors are, and shows them.

write([Path("results.json")], Path("person_keypoints_val2017.json"), Path("images/val2017"), Path("report.html"))
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from rdpose import evaluation
from rdpose.data import annotations as annotation_files
from rdpose.data.people import People
from rdpose.evaluation import Scores
from rdpose.io import files
from rdpose.io.parsed import ParsedFile
from rdpose.report import cases, page
from rdpose.report.analysis import Analysis, analyse
from rdpose.skeletons import CROWDPOSE_14, Skeleton

__all__ = ["Analysis", "analyse", "write"]


def write(
    results: Sequence[Path],
    annotations: Path,
    images: Path | None,
    out: Path,
    *,
    skeleton: Skeleton | None = None,
    names: Sequence[str] | None = None,
) -> Path:
    """Write the report on one results file, or on two side by side.

    Args:
        results: COCO results files, one or two.
        annotations: the annotation file that they belong to; with CrowdPose's joints, CrowdPose's figures are given.
        images: folder or zip of the pictures; None leaves out the cases.
        out: the HTML file; folders are made.
        skeleton: the joints with their sigmas; left out, those that the annotations name.
        names: how the page calls each results file; left out, by the parts of their paths that differ.

    Raises:
        FileNotFoundError, ValueError: a file is missing or not what it should be, it labels nobody, or there are not
            one or two different results with a name for each.
    """
    if not 1 <= len(results) <= 2:
        raise ValueError(f"a report is made of one results file, or of two side by side; got {len(results)}")
    labels = _labels(results) if names is None else _checked(names, results)
    file, found = ParsedFile(annotations), [ParsedFile(path) for path in results]
    truth = annotation_files.read(file, images or "", skeleton=skeleton)
    if not truth.labelled.any():
        raise ValueError(f"{annotations} labels nobody: a report needs people to compare the results with")
    metric = "crowdpose" if truth.skeleton.joints == CROWDPOSE_14.joints else "coco"
    measure = evaluation.against(file, metric=metric, skeleton=skeleton)
    scores: list[Scores] = [measure(source, name=label) for source, label in zip(found, labels, strict=True)]
    analyses = [analyse(source, truth, name=label) for source, label in zip(found, labels, strict=True)]
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
    """The files' names; where two have one name, the folders that differ: out/plain/results and out/ours/results are
    `plain` and `ours`."""
    paths = [Path(path).absolute().with_suffix("").parts for path in results]
    if len({path[-1] for path in paths}) == len(paths):
        return [path[-1] for path in paths]
    if paths[0] == paths[1]:
        raise ValueError(f"{results[0]} is named twice: a report sets two different results files side by side")
    shortest = min(map(len, paths))
    start = min(_num_alike(*paths), shortest - 1)
    same = min(_num_alike(*(path[::-1] for path in paths)), shortest - 1 - start)
    return ["/".join(path[start : len(path) - same]) for path in paths]


def _num_alike(first: Sequence[str], second: Sequence[str]) -> int:
    """How many parts two paths begin with that are the same."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


def _checked(names: Sequence[str], results: Sequence[Path]) -> list[str]:
    if len(names) != len(results) or len(set(names)) != len(names) or not all(names):
        raise ValueError(f"names are {list(names)}: give another name to each of {len(results)} results files")
    return list(names)


def _cases(analyses: Sequence[Analysis], truth: People) -> dict[str, list[cases.Case]]:
    chosen = cases.choose(analyses, truth)
    return {group: [cases.draw(int(person), analyses, truth) for person in people] for group, people in chosen.items()}
