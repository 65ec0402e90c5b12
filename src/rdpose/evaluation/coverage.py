"""Which pictures a results file leaves out: their people count as missed, and a figure does not say so."""

from __future__ import annotations

from pathlib import Path

from rdpose.evaluation.labels import is_labelled
from rdpose.io import files


def left_out(results: Path | str, annotations: Path | str) -> str:
    """A sentence about pictures with labelled people that have no result; empty if there are none.

    Files that are not in COCO's formats are left to `evaluate`, which names what is wrong with them.
    """
    found, truth = files.read_json(results), files.read_json(annotations)
    if not isinstance(found, list) or not isinstance(truth, dict):
        return ""
    labelled = {str(person.get("image_id")) for person in truth.get("annotations", ()) if is_labelled(person)}
    missing = labelled - {str(row.get("image_id")) for row in found if isinstance(row, dict)}
    if not missing:
        return ""
    return (
        f"{results} has no result for {len(missing)} of the {len(labelled)} pictures with labelled people in "
        f"{annotations}; all of these people count as missed"
    )
