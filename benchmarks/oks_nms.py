"""OKS suppression, ours beside the HRNet family's loops (written here from its formulas), in one run.

    python benchmarks/oks_nms.py                        # 100,000 poses in 5,000 pictures: the reference takes 15 s
    python benchmarks/oks_nms.py --pictures 500

Prints seconds of processor time (what else the machine does hardly counts) and checks that both keep the same poses.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from rdpose import oks, skeletons

SIGMAS = np.array(skeletons.get("coco").sigmas)


def reference_oks(pose: np.ndarray, others: np.ndarray, area: float, areas: np.ndarray) -> np.ndarray:
    """One pose against others, one after the other."""
    found = np.zeros(len(others))
    for index, other in enumerate(others):
        squared = (other[:, 0] - pose[:, 0]) ** 2 + (other[:, 1] - pose[:, 1]) ** 2
        distance = squared / (2 * SIGMAS) ** 2 / ((area + areas[index]) / 2 + np.spacing(1)) / 2
        found[index] = np.sum(np.exp(-distance)) / len(distance)
    return found


def reference_nms(joints: np.ndarray, scores: np.ndarray, areas: np.ndarray, threshold: float) -> list[int]:
    """One picture: the best stays, what is like it goes, and again."""
    kept, rest = [], np.argsort(-scores, kind="stable")
    while len(rest):
        best, rest = rest[0], rest[1:]
        kept.append(int(best))
        rest = rest[reference_oks(joints[best], joints[rest], areas[best], areas[rest]) <= threshold]
    return kept


def crowds(pictures: int, people: int, copies: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Poses of some people in each picture, each found several times: joints, scores, areas, picture."""
    rng = np.random.default_rng(0)
    shape = (pictures, people, copies)
    size = rng.uniform(60, 200, (pictures, people, 1)) * rng.uniform(0.95, 1.05, shape)
    noise = rng.normal(size=(*shape, 17, 2)) * (rng.choice([0.01, 0.03, 0.1], shape) * size)[..., None, None]
    joints = rng.uniform(0, 500, (pictures, people, 1, 17, 2)) + noise
    num = pictures * people * copies
    return (
        joints.reshape(num, 17, 2),
        rng.uniform(size=num),
        size.ravel() ** 2,
        np.repeat(np.arange(pictures), num // pictures),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--people", type=int, default=5)
    parser.add_argument("--copies", type=int, default=4)
    parser.add_argument("--threshold", type=float, default=0.9)
    options = parser.parse_args()
    joints, scores, areas, image = crowds(options.pictures, options.people, options.copies)

    ours = []
    for _ in range(3):
        start = time.process_time()
        kept = oks.oks_nms(joints, scores, areas, image, SIGMAS, options.threshold)
        ours.append(time.process_time() - start)

    start = time.process_time()
    expected = []
    for rows in np.split(np.arange(len(image)), np.flatnonzero(np.diff(image)) + 1):
        expected += rows[reference_nms(joints[rows], scores[rows], areas[rows], options.threshold)].tolist()
    reference = time.process_time() - start

    assert kept.tolist() == sorted(expected), "the two sides keep different poses"
    print(f"{len(image)} poses in {options.pictures} pictures, {len(kept)} kept by both")
    print(f"reference {reference:.2f} s, rdpose {min(ours):.3f} s: {reference / min(ours):.0f} times faster")


if __name__ == "__main__":
    main()
