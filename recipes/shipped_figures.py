"""The model card's figures of a small network, on people that it never saw.

python recipes/shipped_figures.py --shared ../shared/data [--weights WEIGHTS] [--decode dark] [--no-zoom]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import from_behind

from rdpose import evaluation, robustness
from rdpose.data import annotations, detections
from rdpose.data.people import People
from rdpose.engine import tester
from rdpose.evaluation import coco, pck
from rdpose.inference.estimator import shipped_weights
from rdpose.skeletons import COCO_17
from rdpose.utils import malloc

CROWDED = 0.1
DETECTED = "coco/person_detection_results/COCO_val2017_detections_nanodet_person.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--weights", type=Path, default=shipped_weights())
    parser.add_argument("--decode", choices=["quarter", "dark", "argmax"], help="instead of what the weights say")
    parser.add_argument("--no-zoom", action="store_true", help="without a second look")
    options = parser.parse_args()
    malloc.keep_freed()
    changes: dict[str, object] = {"decode": options.decode} if options.decode else {}
    changes |= {"zoom": ()} if options.no_zoom else {}
    lsp = options.shared / "lspet"
    lspet = annotations.read(lsp / "annotations/lspet_val.json", lsp / "images", skeleton=COCO_17)
    found, _ = tester.find_by(options.weights, lspet, **changes)
    print(f"Leeds Sports val, PCK@{pck.THRESHOLD}: {shared_pck(found, lspet):.1f} %")
    print(*by_view(found, lspet), sep="\n")
    file = options.shared / "coco/annotations/person_keypoints_val2017.json"
    images = options.shared / "coco/images/val2017"
    val = annotations.read(file, images, skeleton=COCO_17)
    found = results(options.weights, val, **changes)
    print(f"COCO val, given boxes, AP: {evaluation.evaluate(found, file, name='all').figures['AP']:.3f}")
    print(f"crowdIndex > {CROWDED}, AP: {crowded_ap(found, file, images):.3f}")
    print(f"misassignment: {evaluation.misassignment(found, file).rate:.3f}")
    boxes = detections.read(options.shared / DETECTED, val, min_score=0.2)
    found = results(options.weights, boxes, boxes="detected", **changes)
    print(f"COCO val, NanoDet boxes, AP: {evaluation.evaluate(found, file, name='nanodet').figures['AP']:.3f}")


def results(weights: Path, people: People, **changes: object) -> list[dict]:
    found, settings = tester.find_by(weights, people, **changes)
    return tester.to_results(people, found, settings)


def shared_pck(found: tester.Found, people: People) -> float:
    """PCK in per cent over the labelled joints that the network and the file share."""
    truth, visible = people.joints[found.rows], people.visible[found.rows]
    return pck.share(*pck.compare(found.joints, truth, visible, people.skeleton, "this network"))


def by_view(found: tester.Found, people: People) -> list[str]:
    """PCK of people facing the camera, from behind, upside down, and how many the mirrored names would match better."""
    people, order = people.select(found.rows), list(people.skeleton.flip_order)
    whole, upright, behind = from_behind.views(people)
    (right, labelled), (swapped, _) = (
        pck.compare(joints, people.joints, people.visible, people.skeleton, "this network")
        for joints in (found.joints, found.joints[:, order])
    )
    taken = (swapped & labelled).sum(axis=1) > (right & labelled).sum(axis=1)
    groups = {"facing": upright & ~behind, "from behind": upright & behind, "upside down": whole & ~upright}
    return [
        f"  {name}: {pck.share(right[who], labelled[who]):.1f} %; left found right {taken[who].sum()} of {who.sum()}"
        for name, who in groups.items()
    ]


def crowded_ap(found: list[dict], file: Path, images: Path) -> float:
    crowded = robustness.read("crowded", file, images, skeleton=COCO_17, min_crowd_index=CROWDED)
    return coco.figures(crowded.truth, coco.load_results(found, crowded.truth), image_ids=crowded.image_ids)[0]


if __name__ == "__main__":
    main()
