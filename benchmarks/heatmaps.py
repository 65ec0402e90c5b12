"""Heatmaps, ours beside the HRNet family's per-joint loops (written here from its formulas), in one run.

    python benchmarks/heatmaps.py                             # 64 x 48, sigma 2
    python benchmarks/heatmaps.py --height 96 --width 72 --sigma 3

Prints medians in seconds per 1,000 people of 17 joints, in batches of 32, and checks that both sides agree.
Both sides take turns, so that whatever else the machine does burdens both.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import cv2
import numpy as np
import reference
import torch

from rdpose import heatmaps, skeletons

BATCH = 32
COCO = skeletons.get("coco")


def race(name: str, loops: Callable[[], np.ndarray], ours: Callable[[], torch.Tensor], seconds: float) -> None:
    """Check that both agree, then time them in turns and print one row."""
    difference = np.abs(loops() - ours().numpy()).max()
    if not difference < 1e-3:
        raise AssertionError(f"{name}: the two sides differ by {difference}")
    times: list[list[float]] = [[], []]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 5:
        for side, function in zip(times, (loops, ours), strict=True):
            begin = time.perf_counter()
            function()
            side.append((time.perf_counter() - begin) * 1000 / BATCH)
    theirs, mine = (median(side) for side in times)
    print(f"{name:<22}{theirs:>12.4f}{mine:>12.4f}{theirs / mine:>9.1f}x{difference:>14.1e}", flush=True)


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description="heatmaps: ours beside the HRNet family's loops")
    parser.add_argument("--height", type=int, default=64)
    parser.add_argument("--width", type=int, default=48)
    parser.add_argument("--sigma", type=int, default=2, choices=(2, 3))
    parser.add_argument("--threads", type=int, default=1, help="for both sides; the loops are Python's")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each row")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    cv2.setNumThreads(given.threads)
    height, width, sigma = given.height, given.width, given.sigma

    random = np.random.default_rng(0)
    joints = random.uniform(0, [width - 1, height - 1], (BATCH, COCO.num_joints, 2)).astype(np.float32)
    ours, valid = torch.from_numpy(joints), torch.ones(BATCH, COCO.num_joints, dtype=torch.bool)
    clean = heatmaps.render(ours, valid, height, width, sigma)[0]
    # What a network leaves between the joints: small, positive, never flat.
    tensor = clean + torch.from_numpy(random.uniform(0, 0.05, clean.shape).astype(np.float32))
    maps, order = tensor.numpy(), torch.from_numpy(COCO.flip_order)

    print(f"seconds per 1,000 people, {height} x {width}, sigma {sigma}, {given.threads} threads")
    print(f"{'':<22}{'reference':>12}{'ours':>12}{'ratio':>10}{'difference':>14}")
    rows: list[tuple[str, Callable[[], np.ndarray], Callable[[], torch.Tensor]]] = [
        (
            "draw targets",
            lambda: reference.render(joints, height, width, sigma),
            lambda: heatmaps.render(ours, valid, height, width, sigma)[0],
        ),
        ("argmax", lambda: reference.argmax(maps), lambda: heatmaps.decode(tensor, "argmax")[0]),
        ("decode, quarter", lambda: reference.quarter(maps), lambda: heatmaps.decode(tensor, "quarter")[0]),
        (
            "decode, DARK",
            lambda: reference.dark(maps, sigma),
            lambda: heatmaps.decode(tensor, "dark", sigma=sigma)[0],
        ),
        ("turn flipped maps", lambda: reference.unflip(maps), lambda: heatmaps.unflip(tensor, order, True)),
        ("floor: write the maps", lambda: np.ones_like(maps), lambda: torch.ones_like(tensor)),
        ("floor: one maximum", lambda: maps.max((2, 3)), lambda: tensor.amax((2, 3))),
    ]
    for row in rows:
        race(*row, seconds=given.seconds)


if __name__ == "__main__":
    main()
