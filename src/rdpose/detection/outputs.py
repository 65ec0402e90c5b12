"""What an ONNX detector gave for a picture, read as its description says: tables of boxes and scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from rdpose.detection.description import Description, parse

Outputs = Mapping[str, np.ndarray]
"""By name, each with a batch dimension of 1."""


class Tables(NamedTuple):
    """The described outputs of one picture, float64."""

    boxes: np.ndarray
    """(n, 4), in the network's own form and unit."""
    scores: np.ndarray
    """(n,), or a column for each label."""
    labels: np.ndarray | None
    """(n,), where scores have no column for each label."""


def tables(outputs: Outputs, about: Description) -> Tables:
    """The described tables of outputs that have passed `check`."""
    boxes, scores = (_table(outputs[parse(text)[0]], text, about.transposed) for text in (about.boxes, about.scores))
    if not about.labels:
        return Tables(boxes, scores, None)
    labels = _table(outputs[parse(about.labels)[0]], about.labels, about.transposed)
    return Tables(boxes, scores.reshape(-1), labels.reshape(-1))


def person_scores(found: Tables, about: Description) -> np.ndarray:
    """(n,): how sure each box is to be a person."""
    scores = 1 / (1 + np.exp(-found.scores)) if about.sigmoid else found.scores
    if found.labels is not None:
        return np.where(found.labels == about.person, scores, 0)
    return scores[:, about.person] if scores.ndim == 2 else scores


def check(outputs: Outputs, about: Description, file: str) -> None:
    """Whether a network's outputs are such as its description says.

    Raises:
        ValueError: boxes have not four columns, boxes, scores and labels not as many rows, or the person is no column;
            the message names file, output and shape.
    """
    fault = _fault_of_ranks(outputs, about) or _fault_of_tables(tables(outputs, about), about)
    if fault:
        key, told = fault
        text = getattr(about, key)
        shape = outputs[parse(text)[0]].shape
        rows, columns = shape[-2:][:: -1 if about.transposed else 1] if len(shape) == 3 else (0, 0)
        hint = ": is `transposed` right?" if columns > rows > 0 else ""
        raise ValueError(f"{file}: `{key}: {text}` {told}; the output {parse(text)[0]} is {shape}{hint}")


def _fault_of_ranks(outputs: Outputs, about: Description) -> tuple[str, str] | None:
    """The key of what has too many or too few dimensions, and what is said of it."""
    for key in ("boxes", "scores", "labels"):
        if not (text := getattr(about, key)):
            continue
        name, columns = parse(text)
        wanted = (3,) if key == "boxes" or columns is not None else (2, 3)
        if outputs[name].ndim not in wanted or len(outputs[name]) != 1:
            return key, f"is not (1, n{', columns' if 2 not in wanted else ''})"
    return None


def _fault_of_tables(found: Tables, about: Description) -> tuple[str, str] | None:
    """The key of a table that does not fit the others or the description, and what is said of it."""
    boxes, scores, labels = found
    columns = 1 if scores.ndim == 1 else scores.shape[1]
    if boxes.shape[1] != 4:
        return "boxes", f"has {boxes.shape[1]} columns, and a box has 4"
    if not columns or len(scores) != len(boxes):
        return "scores", f"has {len(scores)} rows of {columns}, `boxes` has {len(boxes)} of 4"
    if labels is not None and len(labels) != len(boxes):
        return "labels", f"gives {len(labels)} labels for {len(boxes)} boxes"
    if labels is None and scores.ndim == 2 and not 0 <= about.person < columns:
        return "scores", f"has {columns} columns, `person: {about.person}` is none of them"
    one_output = parse(about.boxes)[0] == parse(about.scores)[0]
    meant = "transposed" in about.model_fields_set and not about.transposed
    if one_output and columns > len(boxes) > 0 and not meant:
        remedy = "false" if about.transposed else "true, or false if this is meant"
        return "scores", f"has {columns} columns of only {len(boxes)} boxes; write `transposed:` {remedy}"
    return None


def _table(output: np.ndarray, text: str, transposed: bool) -> np.ndarray:
    """The described part of an output (1, n) or (1, n, columns): (n,) or (n, columns) float64."""
    table, columns = output[0].astype(np.float64), parse(text)[1]
    table = table.T if transposed and table.ndim == 2 else table
    return table[:, columns] if columns is not None else table
