"""Annotation files -> People, in COCO's format or in the HRNet family's MPII format.

people = annotations.read("annotations/person_keypoints_val2017.json", "images/val2017")
people = annotations.read("annot/valid.json", "images", format="mpii")
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rdpose.data import coco, mpii
from rdpose.data.people import People
from rdpose.io.parsed import AnyFile, opened
from rdpose.skeletons import Skeleton


def read(
    source: AnyFile,
    images_dir: Path | str,
    *,
    skeleton: Skeleton | None = None,
    format: Literal["coco", "mpii"] = "coco",
) -> People:
    """Reads an annotation file.

    Args:
        source: the file, or its path.
        images_dir: folder or zip that the file's picture names are relative to.
        skeleton: the joints wanted, found by name among the file's own; None: as the file says.
        format: `coco` (COCO, CrowdPose, OCHuman, PoseTrack18, own sets; see `data.coco`) or `mpii` (see `data.mpii`).

    Returns:
        The file's pictures, and its people with a box. People without a labelled joint are there too, since they are
        somebody's neighbours; `People.trainable` leaves them out.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is empty, not of the format, lists no pictures, or its joints do not fit the skeleton.
    """
    return {"coco": coco, "mpii": mpii}[format].read(opened(source), images_dir, skeleton=skeleton)
