"""COCO-format annotation files -> People: COCO, CrowdPose, OCHuman, PoseTrack18, AIC and people's own.

What files leave out or get wrong has one meaning each: no `area` (CrowdPose) is 0.53 x the box's; no `keypoints` is
a person without labels; which joints are labelled is told by their flags, and `num_keypoints` alone whether a person
counts in figures (CrowdPose: people with one or two labelled joints have 0); `ignore` makes a crowd of someone without
labels, others count, as in pycocotools' figures; no `annotations` (COCO test-dev) is pictures without people; a picture
without `width` and `height` does not clip its boxes.
`data.candidates` tells what `candidates` are.

Left out, and counted in `People.skipped`: annotations of other categories, of pictures that the file does not list,
without a box, or with one that is empty or outside its picture; and labels whose place is not a number.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rdpose import geometry, skeletons
from rdpose.data import candidates, categories
from rdpose.data.people import NO_BOX, NO_PLACE, People, assemble, reorder
from rdpose.data.tables import boxes, clip_to_pictures, column, find_rows, ids
from rdpose.geometry import AREA_OF_BOX
from rdpose.io.parsed import ParsedFile, Rows
from rdpose.skeletons import Skeleton


def read(file: ParsedFile, images_dir: Path | str, *, skeleton: Skeleton | None = None) -> People:
    """Reads a COCO-format file; `data.annotations.read` says what comes back and what is raised."""
    path, images = file.path, _images(file.images, file.path)
    category, category_ids = categories.people(file.categories, path)
    own = skeletons.from_category(category, name=path.stem) if category.get("keypoints") else None
    if own is None and skeleton is None:
        raise ValueError(f"{path} does not name its joints (`keypoints` of a category); name a skeleton, such as coco")
    wanted = skeleton or own
    assert wanted is not None
    rows, image_index, skipped = _rows_of_people(file.annotations, images["image_id"], category_ids, path)
    box = boxes(rows, path)
    clipped = clip_to_pictures(box, images["image_size"][image_index])
    kept = geometry.valid_boxes(clipped)
    skipped[NO_BOX] = int((~kept).sum())
    rows = [row for row, keep in zip(rows, kept, strict=True) if keep]
    joints, visible, skipped[NO_PLACE] = _joints(rows, own or wanted, path)
    peaks = candidates.read(rows, own or wanted, path)
    if own is not None and own.joints != wanted.joints:
        columns = _columns(wanted, own, path)
        joints, visible = reorder(joints, visible, columns)
        peaks = None if peaks is None else candidates.reorder(peaks, columns)
    return assemble(
        **images,
        **_person_columns(rows, box[kept], visible, path),
        **({} if peaks is None else {"candidates": peaks}),
        image_index=image_index[kept],
        box_xywh=clipped[kept],
        joints=joints,
        visible=visible,
        image_root=images_dir,
        skeleton=wanted,
        category_ids=tuple(sorted(category_ids)) or (1,),
        skipped={reason: count for reason, count in skipped.items() if count},
    )


def _images(rows: Rows, path: Path | str) -> dict[str, np.ndarray]:
    """The columns of pictures; one that is listed twice is taken once."""
    identity, names = ids(rows, "id", path), column(rows, "file_name", np.str_, path)
    size = np.stack([column(rows, key, np.int32, path, default=0) for key in ("width", "height")], axis=-1)
    _, first, inverse = np.unique(identity, return_index=True, return_inverse=True)
    clash = np.flatnonzero(names[first][inverse] != names)
    if len(clash):
        raise ValueError(f"{path} gives the picture id {identity[clash[0]]} to several files; ids must be unique")
    crowd_index = column(rows, "crowdIndex", np.float64, path, default=np.nan)
    columns = {"image_id": identity, "image_name": names, "image_size": size, "crowd_index": crowd_index}
    kept = np.sort(first)
    return {name: values[kept] for name, values in columns.items()}


def _rows_of_people(
    rows: Rows, image_id: np.ndarray, category_ids: set[int], path: Path | str
) -> tuple[list[dict[str, Any]], np.ndarray, dict[str, int]]:
    """The annotations of people in listed pictures, their pictures' rows, and how many were passed over and why."""
    image_index = find_rows(ids(rows, "image_id", path), image_id)
    category = column(rows, "category_id", np.int64, path, default=min(category_ids, default=1))
    person = np.isin(category, list(category_ids)) if category_ids else np.ones(len(rows), dtype=bool)
    kept = person & (image_index >= 0)
    skipped = {
        "of another category": int((~person).sum()),
        "of a picture that the file does not list": int((person & (image_index < 0)).sum()),
    }
    return [row for row, keep in zip(rows, kept, strict=True) if keep], image_index[kept], skipped


def _joints(rows: Rows, skeleton: Skeleton, path: Path | str) -> tuple[np.ndarray, np.ndarray, int]:
    """Joints (n, K, 2) and visible (n, K) in the file's own order, flags outside 0 to 2 cut to it; and how many labels
    have no place."""
    expected, unlabelled = 3 * skeleton.num_joints, [0] * (3 * skeleton.num_joints)
    flat = [row.get("keypoints") or unlabelled for row in rows]
    wrong = next((i for i, numbers in enumerate(flat) if len(numbers) != expected), None)
    if wrong is not None:
        raise ValueError(
            f"{path}: annotation {rows[wrong].get('id', wrong)} has {len(flat[wrong]) / 3:g} joints where the "
            f"skeleton {skeleton.name} has {skeleton.num_joints}; name the skeleton that the file uses"
        )
    try:
        table = np.array(flat, dtype=np.float32).reshape(-1, skeleton.num_joints, 3)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: a `keypoints` holds something else than numbers ({error})") from None
    meant = table[..., 2] > 0
    labelled = meant & np.isfinite(table).all(axis=-1)
    visible = np.where(labelled, np.clip(table[..., 2], 1, 2), 0).astype(np.uint8)
    joints = np.where(labelled[..., None], table[..., :2], 0).astype(np.float32)
    return joints, visible, int((meant & ~labelled).sum())


def _columns(wanted: Skeleton, own: Skeleton, path: Path | str) -> np.ndarray:
    columns = wanted.columns_in(own)
    if (columns < 0).all():
        raise ValueError(
            f"{path} has none of the joints of the skeleton {wanted.name}: it names {', '.join(own.joints)}; "
            f"rename them in its categories, or read the file with its own skeleton"
        )
    return columns


def _person_columns(rows: Rows, box_xywh: np.ndarray, visible: np.ndarray, path: Path | str) -> dict[str, np.ndarray]:
    """What is known of people besides box and joints; the area of a file without one is a share of the box's."""
    area = column(rows, "area", np.float32, path, default=0)
    ignored = np.array([bool(row.get("ignore")) for row in rows], dtype=bool)
    return {
        "area": np.where(area > 0, area, AREA_OF_BOX * box_xywh[:, 2] * box_xywh[:, 3]),
        "person_id": ids(rows, "id", path),
        "crowd": np.array([bool(row.get("iscrowd")) for row in rows], dtype=bool) | (ignored & ~visible.any(axis=1)),
        "counted": column(rows, "num_keypoints", np.int64, path, default=1) > 0,
    }
