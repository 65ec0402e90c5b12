"""Photographs to results JSON, people found first: `rdpose predict` beside a plain chain of the same two networks.

    python benchmarks/photographs.py                                    # 40 rendered crowds
    python benchmarks/photographs.py ../shared/data/coco/images/val2017 --clock cpu

The chain is written here as small libraries do it: one picture at a time through the detector, one crop at a time
through the network (ONNX Runtime, both), heatmaps read joint by joint. Ours runs the same network in torch, ONNX
Runtime and OpenVINO; the detector is ONNX Runtime's in all of them. Nothing is mirrored. All sides read the same files,
write a results file, and must find the same joints. They take turns.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import reference
from rich.console import Console
from rich.table import Table

from rdpose import detection, geometry
from rdpose.backends import exported
from rdpose.data import synthetic
from rdpose.data.crops import SAME_PERSON_IOU
from rdpose.export import export
from rdpose.inference.estimator import shipped_weights
from rdpose.io import files
from rdpose.predict.run import predict
from rdpose.utils import malloc

PICTURES = 40
NEIGHBOURS_FROM = 0.3
"""Score of the boxes that a crop is told."""


@dataclass
class Side:
    name: str
    run: Callable[[Path], None]
    seconds: list[float] = field(default_factory=list)
    results: list[dict] = field(default_factory=list)


class Chain:
    """One picture and one crop at a time, without suppression of poses: the same boxes, the same network."""

    def __init__(self, network: Path, pictures: list[Path]) -> None:
        self.network, settings, self.skeleton = exported.load(network, engine="onnxruntime")
        self.size, self.sigma = settings.model.image_size, round(settings.model.sigma)
        self.detector, self.pictures = detection.load(), pictures

    def __call__(self, out: Path) -> None:
        found: list[dict] = []
        for path in self.pictures:
            picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
            boxes, scores = self.detector(picture)
            for person, box in enumerate(boxes):
                joints, confidence = self.look(picture, box, boxes[scores >= NEIGHBOURS_FROM])
                found.append(self.row(path, boxes[person], scores[person], joints, confidence))
        files.write_json(out / "results.json", found)

    def look(self, picture: np.ndarray, box: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Joints (K, 2) in the picture and confidence (K,) of the person in one box (4,)."""
        import torch

        center, size = geometry.crop_region(geometry.xyxy_to_xywh(box[None]), self.size[0] / self.size[1])
        transform = geometry.crop_transform(center, size, self.size)[0]
        crop = cv2.warpAffine(picture, transform.astype(np.float64), self.size, flags=cv2.INTER_LINEAR)
        near = others[geometry.iou(box[None], others)[0] < SAME_PERSON_IOU]
        told = [torch.from_numpy(geometry.transform_boxes(transform, boxes)[None]) for boxes in (near, box[None])]
        image = torch.from_numpy(crop).permute(2, 0, 1)[None]
        maps = self.network(image, told[0], told[1][:, 0]).numpy()
        cells = reference.dark(maps, self.sigma)[0]
        back = geometry.invert(transform[None])[0]
        return geometry.apply(back, cells * (self.size[0] / maps.shape[-1])), maps[0].max(axis=(1, 2))

    @staticmethod
    def row(path: Path, box: np.ndarray, score: float, joints: np.ndarray, confidence: np.ndarray) -> dict:
        keypoints = np.column_stack([joints, confidence]).ravel()
        return {"file_name": path.name, "bbox": box.tolist(), "score": float(score), "keypoints": keypoints.tolist()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", nargs="?", type=Path, help="a folder; without one, crowds are rendered")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    options = parser.parse_args()
    malloc.keep_freed()
    clock = time.perf_counter if options.clock == "wall" else time.process_time
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        pictures = sorted((options.pictures or rendered(place)).glob("*.jpg"))
        sides = make_sides(place, pictures)
        for _ in range(options.rounds):
            for side in sides:
                begin = clock()
                side.run(place / "out")
                side.seconds.append(clock() - begin)
                side.results = json.loads((place / "out/results.json").read_bytes())
    show(sides, len(pictures))


def rendered(place: Path) -> Path:
    """A folder of rendered crowds."""
    synthetic.write_dataset(place / "crowds", num_pictures=PICTURES, seed=5, name="crowds", num_people=(2, 5))
    return place / "crowds/images/crowds"


def make_sides(place: Path, pictures: list[Path]) -> list[Side]:
    """The chain, then ours in each engine."""
    weights = shipped_weights()
    export(weights, place / "network.onnx")
    export(weights, place / "network.xml", format="openvino")
    engines = {
        "torch": weights,
        "ONNX Runtime": None,
        "OpenVINO": place / "network.xml",
    }
    ours = [
        Side(f"rdpose predict, {name}", partial(run_ours, pictures=pictures, weights=network))
        for name, network in engines.items()
    ]
    return [Side("a plain chain, ONNX Runtime", Chain(place / "network.onnx", pictures)), *ours]


def run_ours(out: Path, *, pictures: list[Path], weights: Path | None) -> None:
    sources = [str(picture) for picture in pictures]
    predict(sources, out=out, weights=weights, draw=False, flip=False, zoom=(), keep_duplicates=True, overwrite=True)


def show(sides: list[Side], num_pictures: int) -> None:
    table = Table("", "pictures/s", "people/s", "ratio", "keypoints, px apart", title=f"{num_pictures} pictures")
    first = sides[0]
    for side in sides:
        seconds = median(side.seconds)
        people = len(side.results)
        ratio = median(first.seconds) / seconds
        rates = (f"{num_pictures / seconds:.1f}", f"{people / seconds:.0f}", f"{ratio:.2f}")
        table.add_row(side.name, *rates, apart(first.results, side.results))
    Console().print(table)


def apart(first: list[dict], second: list[dict]) -> str:
    """How far keypoints of the same boxes lie apart: 99 of 100 within so many pixels."""
    if len(first) != len(second):
        return f"{len(second)} people instead of {len(first)}"
    joints = [
        np.array([row["keypoints"] for row in rows]).reshape(len(rows), -1, 3)[..., :2] for rows in (first, second)
    ]
    return f"{np.percentile(np.linalg.norm(joints[0] - joints[1], axis=-1), 99):.3f}"


if __name__ == "__main__":
    main()
