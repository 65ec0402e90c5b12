"""How long 150,000 annotated people take to load, what they weigh, and what it costs workers to share them.

    python benchmarks/annotations.py [--people 150000] [--workers 2]

Times are CPU seconds. The file is made here: the size of COCO train2017's person keypoints, polygons included. The
reference is a list of one dictionary per person with its own small arrays, built as the HRNet family builds it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import pickle
import tempfile
import time
from pathlib import Path

import numpy as np

from rdpose import geometry, skeletons
from rdpose.data import annotations


def write_file(path: Path, num_people: int, rng: np.random.Generator) -> None:
    """A COCO-format file: 2.3 people a picture, a third of them without labels, a polygon of 30 corners each."""
    num_images = max(int(num_people / 2.3), 1)
    joints = skeletons.COCO_17
    category = {"id": 1, "name": "person", "keypoints": list(joints.joints), "skeleton": []}
    images = [{"id": i, "file_name": f"{i:012d}.jpg", "width": 640, "height": 480} for i in range(num_images)]
    place = rng.integers(0, num_images, num_people).tolist()
    box = np.round(rng.uniform([0, 0, 20, 40], [400, 300, 200, 170], (num_people, 4)), 2).tolist()
    flags = rng.integers(0, 3, (num_people, 17)) * (rng.random((num_people, 1)) < 0.67)
    points = rng.integers(1, 480, (num_people, 17, 2)) * (flags[..., None] > 0)
    labels = np.concatenate([points, flags[..., None]], axis=-1).reshape(num_people, 51).tolist()
    polygons = np.round(rng.uniform(0, 480, (num_people, 60)), 2).tolist()
    rows = [
        {
            "id": i,
            "image_id": place[i],
            "category_id": 1,
            "iscrowd": 0,
            "area": 9000.5,
            "bbox": box[i],
            "keypoints": labels[i],
            "num_keypoints": 17,
            "segmentation": [polygons[i]],
        }
        for i in range(num_people)
    ]
    path.write_text(json.dumps({"images": images, "annotations": rows, "categories": [category]}))


def read_as_list(path: Path) -> list[dict[str, object]]:
    """The reference: one dictionary and three small arrays per person, filled joint by joint."""
    content = json.loads(path.read_bytes())
    names = {image["id"]: image["file_name"] for image in content["images"]}
    people = []
    for row in content["annotations"]:
        joints, visible = np.zeros((17, 3)), np.zeros((17, 3))
        for joint in range(17):
            joints[joint, :2] = row["keypoints"][3 * joint : 3 * joint + 2]
            visible[joint, :2] = min(row["keypoints"][3 * joint + 2], 1)
        center, scale = geometry.crop_region(row["bbox"], 0.75)
        person = {"image": f"images/{names[row['image_id']]}", "center": center, "scale": scale}
        people.append(person | {"joints_3d": joints, "joints_3d_vis": visible})
    return people


def private_kilobytes() -> int:
    """Memory that this process shares with nobody (Linux)."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty")))


def _walk(_: int) -> int:
    """What a forked worker comes to own by looking at everybody once."""
    before = private_kilobytes()
    total = 0.0
    for person in _shared:
        total += sum(float(column.ravel()[0]) for column in person)
    return private_kilobytes() - before


_shared: object = ()


class Columns:
    """Everybody's joints and centre, from columns."""

    def __init__(self, people: annotations.People) -> None:
        self.people = people

    def __iter__(self):
        for row in range(len(self.people)):
            yield self.people.joints[row], self.people.box_xywh[row]


class Listed:
    """The same from a list of dictionaries."""

    def __init__(self, people: list[dict[str, object]]) -> None:
        self.people = people

    def __iter__(self):
        for person in self.people:
            yield person["joints_3d"], person["center"]


def shared_cost(people: object, workers: int) -> float:
    """Megabytes that each of some forked workers comes to own."""
    global _shared
    _shared = people
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        return max(pool.map(_walk, range(workers), chunksize=1)) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=150_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.json"
        write_file(path, options.people, np.random.default_rng(0))
        print(f"file: {options.people:,} people, {path.stat().st_size / 2**20:.0f} MB, {os.cpu_count()} cores")
        start = time.process_time()
        json.loads(path.read_bytes())
        print(f"JSON alone          {time.process_time() - start:6.2f} s")
        start = time.process_time()
        people = annotations.read(path, "images")
        seconds = time.process_time() - start
        size = len(pickle.dumps(people)) / 2**20
        print(f"columns             {seconds:6.2f} s   {size:4.0f} MB pickled", end="   ")
        print(f"{shared_cost(Columns(people), options.workers):5.0f} MB more in each worker")
        start = time.process_time()
        listed = read_as_list(path)
        seconds = time.process_time() - start
        size = len(pickle.dumps(listed)) / 2**20
        print(f"list of dictionaries{seconds:6.2f} s   {size:4.0f} MB pickled", end="   ")
        print(f"{shared_cost(Listed(listed), options.workers):5.0f} MB more in each worker")


if __name__ == "__main__":
    main()
