"""The HRNet family's loops over joints, written from its formulas: what the benchmarks race against."""

from __future__ import annotations

import cv2
import numpy as np

from rdpose import skeletons

COCO = skeletons.get("coco")


def render(joints: np.ndarray, height: int, width: int, sigma: int) -> np.ndarray:
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


def argmax(maps: np.ndarray) -> np.ndarray:
    """All maps at once, as the family does: (batch, joints, 2)."""
    flat = maps.reshape(*maps.shape[:2], -1)
    best = flat.argmax(2)
    cells = np.stack([best % maps.shape[3], best // maps.shape[3]], axis=-1).astype(np.float32)
    return cells * (flat.max(2) > 0)[..., None]


def quarter(maps: np.ndarray) -> np.ndarray:
    """Then joint by joint a quarter cell towards the larger neighbours."""
    joints, (height, width) = argmax(maps), maps.shape[2:]
    for index in np.ndindex(joints.shape[:2]):
        heatmap, (x, y) = maps[index], joints[index].astype(int)
        if 1 < x < width - 1 and 1 < y < height - 1:
            slope = [heatmap[y, x + 1] - heatmap[y, x - 1], heatmap[y + 1, x] - heatmap[y - 1, x]]
            joints[index] += 0.25 * np.sign(slope)
    return joints


def dark(maps: np.ndarray, sigma: int) -> np.ndarray:
    """Map by map: smooth in a frame of zeros, rescale, logarithm; then joint by joint one Newton step."""
    joints, (height, width), kernel = argmax(maps), maps.shape[2:], {2: 11, 3: 17}[sigma]
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


def unflip(maps: np.ndarray) -> np.ndarray:
    """Mirror, exchange pair by pair, move one cell to the right."""
    turned = maps[..., ::-1].copy()
    for left, right in COCO.flip_pairs:
        turned[:, left], turned[:, right] = turned[:, right].copy(), turned[:, left].copy()
    turned[..., 1:] = turned[..., :-1].copy()
    return turned
