"""Detected boxes (a list in COCO results format) -> People without labels, in the pictures of an annotation file.

truth = annotations.read("annotations/person_keypoints_val2017.json", "images/val2017")
people = detections.read("person_detection_results/COCO_val2017_detections_AP_H_56_person.json", truth)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rdpose import geometry
from rdpose.data.people import People, assemble
from rdpose.data.tables import boxes, clip_to_pictures, column, find_rows, ids
from rdpose.io.parsed import ParsedFile, Rows


def read(path: Path | str, images: People, *, min_score: float = 0.0) -> People:
    """Reads boxes `{image_id, category_id, bbox (left, top, width, height), score}`.

    Boxes are taken as the detector gave them, not clipped, as in the HRNet family.

    Args:
        path: the file.
        images: whose pictures, skeleton and number for a person are meant; its people play no part.
        min_score: boxes below it are left out.

    Returns:
        A person for each box, `person_id` being the row in the file. Left out, and counted in `skipped`: other
        categories, scores below `min_score` or not a number, pictures that `images` does not have, and boxes that are
        empty or outside their picture.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is empty, not JSON, not such a list, or `images` are of several sources, whose ids may repeat.
    """
    rows = _rows(path, images)
    image_index = find_rows(ids(rows, "image_id", path), images.image_id)
    score = column(rows, "score", np.float32, path)
    box = boxes(rows, path)
    category = column(rows, "category_id", np.int64, path, default=images.category_id)
    inside = geometry.valid_boxes(clip_to_pictures(box, images.image_size[image_index]))
    kept, skipped = _sift(
        {
            "of another category": np.isin(category, images.category_ids),
            f"with a score below {min_score:g}": score >= min_score,
            "of a picture that is not asked for": image_index >= 0,
            "empty or outside its picture": inside & geometry.valid_boxes(box),
        },
        len(rows),
    )
    return assemble(
        image_index=image_index[kept],
        box_xywh=box[kept],
        score=score[kept],
        person_id=np.flatnonzero(kept),
        image_id=images.image_id,
        image_name=images.image_name,
        image_size=images.image_size,
        crowd_index=images.crowd_index,
        image_root=images.image_roots[0],
        skeleton=images.skeleton,
        category_ids=images.category_ids,
        skipped=skipped,
    )


def _rows(path: Path | str, images: People) -> Rows:
    rows = ParsedFile(path).rows("a list of detections with image_id, category_id, bbox and score")
    if len(images.image_roots) > 1:
        raise ValueError(
            f"{path}: the boxes of one file belong to one source; read them before putting sources together"
        )
    return rows


def _sift(tests: dict[str, np.ndarray], num_rows: int) -> tuple[np.ndarray, dict[str, int]]:
    """(rows,) bool: what passes all tests; and how many rows each test, named by what it removes, took out first."""
    kept, skipped = np.ones(num_rows, dtype=bool), {}
    for reason, passed in tests.items():
        if removed := int((kept & ~passed).sum()):
            skipped[reason] = removed
        kept &= passed
    return kept, skipped
