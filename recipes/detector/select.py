"""Box AP on the pictures that are set aside to choose settings of the person detector with.

selection = Selection.load(Path("data/detector/labels/select.json"))
print(selection.measure(detector))                      # {"coco": 0.41, "fused": 0.44, "made": 0.50, "mean": 0.45}
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from recipes.detector.data import Labelled, read
from recipes.detector.measure import box_ap, fit, to_picture
from recipes.detector.nanodet import NanoDet, decode

from rdpose.io import files

GROUPS = {"coco": ("coco", "coco_more"), "fused": ("street", "actions"), "made": ("rendered_select", "pasted_select")}
SURE = 0.5
"""Chance from which on a labelled box must be found; others are ignored."""


@dataclass(frozen=True)
class Selection:
    """Labelled pictures and the source of each."""

    pictures: list[Labelled]
    sources: list[str]

    @classmethod
    def load(cls, table: Path) -> Selection:
        rows = files.read_json(table)
        return cls([read(row) for row in rows], [row["source"] for row in rows])

    def measure(self, detector: NanoDet) -> dict[str, float]:
        """Box AP of each group of sources and their mean."""
        found = self.find_all(detector)
        scores = {name: self.group_ap(found, names) for name, names in GROUPS.items()}
        return scores | {"mean": float(np.mean(list(scores.values())))}

    def find_all(self, detector: NanoDet) -> list[np.ndarray]:
        """For each picture (n, 5): boxes in its pixels and scores, after suppression."""
        found = []
        with torch.no_grad():
            for picture in self.pictures:
                fitted = fit(picture.rgb)
                boxes, scores = decode(*detector(torch.from_numpy(fitted)), detector.cells(*fitted.shape[2:]))
                found.append(
                    to_picture(boxes[0].numpy(), scores[0].numpy(), picture.rgb.shape[1::-1], fitted.shape[:1:-1])
                )
        return found

    def group_ap(self, found: list[np.ndarray], sources: tuple[str, ...]) -> float:
        """COCO's AP on the pictures of some sources."""
        chosen = [i for i, source in enumerate(self.sources) if source in sources]
        rows = [row for i in chosen for row in _truth(i, self.pictures[i])]
        table = {
            "images": [{"id": i} for i in chosen],
            "annotations": [row | {"id": number} for number, row in enumerate(rows, start=1)],
            "categories": [{"id": 1, "name": "person"}],
        }
        return box_ap(table, {i: found[i] for i in chosen})[0]


def _truth(image_id: int, picture: Labelled) -> list[dict]:
    sure = picture.people[picture.people[:, 4] >= SURE, :4]
    rest = np.concatenate((picture.people[picture.people[:, 4] < SURE, :4], picture.ignore))
    return [
        {
            "image_id": image_id,
            "category_id": 1,
            "bbox": _xywh(box),
            "area": float((box[2:] - box[:2]).prod()),
            "iscrowd": crowd,
        }
        for crowd, boxes in ((0, sure), (1, rest))
        for box in boxes
    ]


def _xywh(box: np.ndarray) -> list[float]:
    return [float(box[0]), float(box[1]), float(box[2] - box[0]), float(box[3] - box[1])]
