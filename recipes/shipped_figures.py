"""The model card's figures of a small network, on people that it never saw.

python recipes/shipped_figures.py --shared ../shared/data [--weights WEIGHTS] [--decode dark]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from rdpose import evaluation, files, testing
from rdpose.config import Settings
from rdpose.data import annotations, detections
from rdpose.data.people import People
from rdpose.distributed import process
from rdpose.evaluation.pck import THRESHOLD, TORSOS
from rdpose.inference import Inference, open_network
from rdpose.prediction import shipped_weights

CROWDED = 0.1
DETECTED = "coco/person_detection_results/COCO_val2017_detections_nanodet_person.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--weights", type=Path, default=shipped_weights())
    parser.add_argument("--decode", default="quarter", choices=["quarter", "dark", "argmax"])
    options = parser.parse_args()
    network, settings, skeleton = open_network(options.weights)
    test = settings.test.model_copy(update={"decode": options.decode})
    settings = settings.model_copy(update={"test": test, "data": settings.data.model_copy(update={"workers": 0})})
    inference = Inference.of(network, skeleton, test, sigma=settings.model.sigma)
    lsp = options.shared / "lspet"
    lspet = annotations.read(lsp / "annotations/lspet_val.json", lsp / "images", skeleton=skeleton)
    print(f"Leeds Sports val, PCK@{THRESHOLD}: {pck(inference, lspet, settings):.3f}")
    file = options.shared / "coco/annotations/person_keypoints_val2017.json"
    coco = annotations.read(file, options.shared / "coco/images/val2017", skeleton=skeleton)
    found = results(inference, coco, settings)
    print(f"COCO val, given boxes, AP: {evaluation.evaluate(found, file, name='all').figures['AP']:.3f}")
    print(f"crowdIndex > {CROWDED}, AP: {crowded_ap(found, file):.3f}")
    print(f"misassignment: {evaluation.misassignment(found, file).rate:.3f}")
    boxes = detections.read(options.shared / DETECTED, coco, min_score=0.2)
    found = results(
        inference, boxes, settings.model_copy(update={"test": test.model_copy(update={"boxes": "detected"})})
    )
    print(f"COCO val, NanoDet boxes, AP: {evaluation.evaluate(found, file, name='nanodet').figures['AP']:.3f}")


def results(inference: Inference, people: People, settings: Settings) -> list[dict]:
    with process() as here:
        return testing.to_results(people, testing.find(inference, people, settings, here), settings)


def pck(inference: Inference, people: People, settings: Settings) -> float:
    """The share of labelled joints within 0.2 torsos of their place, of joints that the network and the file share."""
    with process() as here:
        found = testing.find(inference, people, settings, here)
    joints, labelled = people.joints[found.rows], people.visible[found.rows] > 0
    torso = np.zeros(len(joints))
    for pair in reversed(TORSOS):
        hip, shoulder = (people.skeleton.joints.index(name) for name in pair)
        both = labelled[:, hip] & labelled[:, shoulder]
        torso = np.where(both, np.linalg.norm(joints[:, hip] - joints[:, shoulder], axis=-1), torso)
    near = np.linalg.norm(found.joints - joints, axis=-1) <= THRESHOLD * torso[:, None]
    measured = labelled & (torso > 0)[:, None]
    return float((near & measured).sum() / measured.sum())


def crowded_ap(found: list[dict], file: Path) -> float:
    content = json.loads(file.read_text())
    ids = {image["id"] for image in content["images"] if image["crowdIndex"] > CROWDED}
    content["images"] = [image for image in content["images"] if image["id"] in ids]
    content["annotations"] = [person for person in content["annotations"] if person["image_id"] in ids]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "crowded.json"
        files.write_json(path, content)
        rows = [row for row in found if row["image_id"] in ids]
        return evaluation.evaluate(rows, path, name="crowded").figures["AP"]


if __name__ == "__main__":
    main()
