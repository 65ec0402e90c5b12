"""Labels near what a network finds, so that its AP is neither 0 nor 1."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


def label_near(labels: Path, results: Path) -> None:
    """Move the labels of a file to what results found of each person, off by some 5 % of the person's size."""
    content = json.loads(labels.read_text())
    found = {row["annotation_id"]: row["keypoints"] for row in json.loads(results.read_text())}
    rng = np.random.default_rng(0)
    for row in content["annotations"]:
        table = np.array(found[row["id"]]).reshape(-1, 3)
        table[:, :2] += rng.normal(0, 0.05 * row["area"] ** 0.5, (len(table), 2))
        row["keypoints"] = np.where([True, True, False], table, 2).ravel().tolist()
    labels.write_text(json.dumps(content))
