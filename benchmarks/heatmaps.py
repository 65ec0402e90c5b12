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
import torch

from rdpose import heatmaps, skeletons

BATCH = 32
COCO = skeletons.get("coco")


def reference_render(joints: np.ndarray, height: int, width: int, sigma: int) -> np.ndarray:
    """Per joint: a square Gaussian, cut where it leaves the map, and pasted."""
    targets = np.zeros((*joints.shape[:2], height, width), np.float32)
    radius = 3 * sigma
    for index in np.ndindex(joints.shape[:2]):
        x, y = (int(value + 0.5) for value in joints[index])
        offset = np.arange(-radius, radius + 1, dtype=np.float32)
        square = np.exp(-(offset**2 + offset[:, None] ** 2) / (2 * sigma**2))
        left, top = max(0, x - radius), max(0, y - radius)
        right, bottom = min(width, x + radius + 1), min(height, y + radius + 1)
        start_x, start_y = left - x + radius, top - y + radius
        part = square[start_y : start_y + bottom - top, start_x : start_x + right - left]
        targets[index][top:bottom, left:right] = part
    return targets


def reference_argmax(maps: np.ndarray) -> np.ndarray:
    """All maps at once, as the family does: (batch, joints, 2)."""
    flat = maps.reshape(*maps.shape[:2], -1)
    best = flat.argmax(2)
    cells = np.stack([best % maps.shape[3], best // maps.shape[3]], axis=-1).astype(np.float32)
    return cells * (flat.max(2) > 0)[..., None]


def reference_quarter(maps: np.ndarray) -> np.ndarray:
    """Then joint by joint a quarter cell towards the larger neighbours."""
    joints, (height, width) = reference_argmax(maps), maps.shape[2:]
    for index in np.ndindex(joints.shape[:2]):
        heatmap, (x, y) = maps[index], joints[index].astype(int)
        if 1 < x < width - 1 and 1 < y < height - 1:
            slope = [heatmap[y, x + 1] - heatmap[y, x - 1], heatmap[y + 1, x] - heatmap[y - 1, x]]
            joints[index] += 0.25 * np.sign(slope)
    return joints


def reference_dark(maps: np.ndarray, sigma: int) -> np.ndarray:
    """Map by map: smooth in a frame of zeros, rescale, logarithm; then joint by joint one Newton step."""
    joints, (height, width), kernel = reference_argmax(maps), maps.shape[2:], {2: 11, 3: 17}[sigma]
    smoothed, inner = np.empty_like(maps), (slice(kernel // 2, -(kernel // 2)),) * 2
    for index in np.ndindex(maps.shape[:2]):
        framed = np.zeros((height + kernel - 1, width + kernel - 1), np.float32)
        framed[inner] = maps[index]
        part = cv2.GaussianBlur(framed, (kernel, kernel), 0)[inner]
        smoothed[index] = part * (maps[index].max() / part.max())
    logs = np.log(np.maximum(smoothed, 1e-10))
    for index in np.ndindex(joints.shape[:2]):
        log, (x, y) = logs[index], joints[index].astype(int)
        if 1 < x < width - 2 and 1 < y < height - 2:
            joints[index] += newton_step(log[y - 2 : y + 3, x - 2 : x + 3])
    return joints


def newton_step(log: np.ndarray) -> np.ndarray:
    slope = np.array([log[2, 3] - log[2, 1], log[3, 2] - log[1, 2]]) / 2
    mixed = (log[3, 3] - log[1, 3] - log[3, 1] + log[1, 1]) / 4
    bend_x, bend_y = (log[2, 4] - 2 * log[2, 2] + log[2, 0]) / 4, (log[4, 2] - 2 * log[2, 2] + log[0, 2]) / 4
    if bend_x * bend_y == mixed**2:
        return np.zeros(2)
    return -np.linalg.inv(np.array([[bend_x, mixed], [mixed, bend_y]])) @ slope


def reference_unflip(maps: np.ndarray) -> np.ndarray:
    """Mirror, exchange pair by pair, move one cell to the right."""
    turned = maps[..., ::-1].copy()
    for left, right in COCO.flip_pairs:
        turned[:, left], turned[:, right] = turned[:, right].copy(), turned[:, left].copy()
    turned[..., 1:] = turned[..., :-1].copy()
    return turned


def race(name: str, reference: Callable[[], np.ndarray], ours: Callable[[], torch.Tensor], seconds: float) -> None:
    """Check that both agree, then time them in turns and print one row."""
    difference = np.abs(reference() - ours().numpy()).max()
    if not difference < 1e-3:
        raise AssertionError(f"{name}: the two sides differ by {difference}")
    times: list[list[float]] = [[], []]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 5:
        for side, function in zip(times, (reference, ours), strict=True):
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
            lambda: reference_render(joints, height, width, sigma),
            lambda: heatmaps.render(ours, valid, height, width, sigma)[0],
        ),
        ("argmax", lambda: reference_argmax(maps), lambda: heatmaps.decode(tensor, "argmax")[0]),
        ("decode, quarter", lambda: reference_quarter(maps), lambda: heatmaps.decode(tensor, "quarter")[0]),
        (
            "decode, DARK",
            lambda: reference_dark(maps, sigma),
            lambda: heatmaps.decode(tensor, "dark", sigma=sigma)[0],
        ),
        ("turn flipped maps", lambda: reference_unflip(maps), lambda: heatmaps.unflip(tensor, order, True)),
        ("floor: write the maps", lambda: np.ones_like(maps), lambda: torch.ones_like(tensor)),
        ("floor: one maximum", lambda: maps.max((2, 3)), lambda: tensor.amax((2, 3))),
    ]
    for row in rows:
        race(*row, seconds=given.seconds)


if __name__ == "__main__":
    main()
