"""Which pictures a results file leaves out: their people count as missed, and a figure does not say so."""

from __future__ import annotations

import numpy as np

from rdpose.data.tables import find_rows, ids
from rdpose.evaluation.labels import is_labelled
from rdpose.io.parsed import AnyFile, opened, result_rows


def left_out(results: AnyFile, annotations: AnyFile) -> str:
    """A sentence about pictures with labelled people that have no result; empty if there are none.

    MPII's files are of people, not of pictures, and have none.
    """
    found, truth = opened(results), opened(annotations)
    if ".mat" in (found.path.suffix, truth.path.suffix) or isinstance(truth.content, list):
        return ""
    people = [person for person in truth.annotations if is_labelled(person)]
    labelled = np.unique(ids(people, "image_id", truth.path))
    seen = np.unique(ids(result_rows(found), "image_id", found.path))
    if not (missing := int((find_rows(labelled, seen) < 0).sum())):
        return ""
    return (
        f"{results} has no result for {missing} of the {len(labelled)} pictures with labelled people in "
        f"{annotations}; all of these people count as missed"
    )
