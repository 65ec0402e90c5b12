"""Train the person detector further on labelled pictures, on one processor core, within a given processor time.

    python -m recipes.detector.train --start data/detector/start.safetensors --out data/detector/run --minutes 75

OUT gets log.jsonl (a row every 50 steps and one for every look at the pictures set aside), best.safetensors, the moving
average of the weights at its best look so far, and at the end trained.safetensors, KEPT of the start and the rest of
these (Wortsman et al., CVPR 2022: between the two, a network is better than either). The rate of learning follows the
processor time that is used up: other programs on the machine make a training longer, not worse.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from recipes.detector.data import Album
from recipes.detector.loss import losses
from recipes.detector.nanodet import NanoDet, load, save
from recipes.detector.select import Selection
from torch import Tensor, nn

from rdpose.utils import malloc

KEPT = 0.35
"""Chosen on the pictures set aside."""


@dataclass(frozen=True)
class Plan:
    """How a training runs."""

    minutes: float
    """Of processor time."""
    rate: float = 5e-4
    batch: int = 16
    warm_up: float = 0.04
    """Share of the minutes."""
    decay: float = 0.05
    average: float = 0.998
    """Of the moving average of weights, after its own warm-up."""
    clip: float = 20.0
    """Largest norm of the gradient."""
    looks: int = 6
    """Times the pictures set aside are measured."""
    seed: int = 0

    def rate_at(self, share: float) -> float:
        """Rate once `share` of the time is over: up in a line, down by a cosine to a fiftieth."""
        if share < self.warm_up:
            return self.rate * (share / self.warm_up)
        rest = (share - self.warm_up) / (1 - self.warm_up)
        return self.rate * (0.02 + 0.98 * (1 + math.cos(math.pi * min(rest, 1.0))) / 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--start", type=Path, required=True, help="weights to start from")
    parser.add_argument(
        "--labels", type=Path, default=Path("data/detector/labels"), help="what recipes.detector.labels wrote"
    )
    parser.add_argument("--out", type=Path, default=Path("data/detector/run"))
    parser.add_argument("--minutes", type=float, default=75.0, help="processor time to train for")
    parser.add_argument("--rate", type=float, default=Plan.rate)
    parser.add_argument("--looks", type=int, default=Plan.looks)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    malloc.keep_freed()
    plan = Plan(options.minutes, rate=options.rate, looks=options.looks)
    album, selection = Album.load(options.labels / "train.json"), Selection.load(options.labels / "select.json")
    train(load(options.start), album, selection, plan, options.out)


def train(detector: NanoDet, album: Album, selection: Selection, plan: Plan, out: Path) -> None:
    """Run a plan from its beginning; leaves log.jsonl, best.safetensors and trained.safetensors in `out`."""
    out.mkdir(parents=True, exist_ok=True)
    before = copy.deepcopy(detector)
    detector = detector.train().to(memory_format=torch.channels_last)
    average = copy.deepcopy(detector).eval()
    optimiser = torch.optim.AdamW(groups(detector, plan.decay), lr=plan.rate, betas=(0.9, 0.99))
    rng = np.random.default_rng(plan.seed)
    log = Log(out / "log.jsonl")
    log.write(step=0, **selection.measure(average))
    start, step, looks, best = time.process_time(), 0, 0, -1.0
    while (share := (time.process_time() - start) / 60 / plan.minutes) < 1:
        for group in optimiser.param_groups:
            group["lr"] = plan.rate_at(share)
        batch = album.batch(rng, plan.batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits, bins = detector(batch.pictures.contiguous(memory_format=torch.channels_last))
        loss = losses(logits, bins, detector.cells(*batch.pictures.shape[2:]), batch)
        optimiser.zero_grad()
        loss.total.backward()
        norm = nn.utils.clip_grad_norm_(detector.parameters(), plan.clip)
        optimiser.step()
        step += 1
        follow(average, detector, min(plan.average, (1 + step) / (10 + step)))
        log.add(score=loss.score, box=loss.box, bins=loss.bins, norm=norm)
        if step % 50 == 0:
            log.flush(step=step, share=share, rate=plan.rate_at(share))
        if share * plan.looks >= looks + 1:
            looks += 1
            best = look(average, selection, log, step, best, out)
    look(average, selection, log, step, best, out)
    save(between(before, load(out / "best.safetensors")), out / "trained.safetensors")


def look(average: NanoDet, selection: Selection, log: Log, step: int, best: float, out: Path) -> float:
    """Measure the averaged weights, keep them if they are the best so far; returns the best mean AP."""
    scores = selection.measure(average)
    log.write(step=step, **scores)
    if scores["mean"] > best:
        save(average, out / "best.safetensors")
    return max(best, scores["mean"])


def between(before: NanoDet, after: NanoDet) -> NanoDet:
    """The detector whose weights are KEPT of those before a training and the rest of those after it."""
    with torch.no_grad():
        for kept, learned in zip(before.parameters(), after.parameters(), strict=True):
            kept.lerp_(learned, 1 - KEPT)
    return before


def groups(detector: NanoDet, decay: float) -> list[dict]:
    """Weights shrink, biases do not."""
    weights = [weight for weight in detector.parameters() if weight.ndim > 1]
    biases = [weight for weight in detector.parameters() if weight.ndim == 1]
    return [{"params": weights, "weight_decay": decay}, {"params": biases, "weight_decay": 0.0}]


def follow(average: NanoDet, detector: NanoDet, keep: float) -> None:
    with torch.no_grad():
        for mean, weight in zip(average.parameters(), detector.parameters(), strict=True):
            mean.lerp_(weight, 1 - keep)


class Log:
    """Rows of JSON, some of them means since the row before."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)  # of a training that was cut off
        self.path, self.start = path, time.monotonic()
        self.sums: dict[str, list[float]] = {}

    def add(self, **values: Tensor) -> None:
        for name, value in values.items():
            self.sums.setdefault(name, []).append(value.item())

    def flush(self, **values: float) -> None:
        self.write(**values, **{name: float(np.mean(rows)) for name, rows in self.sums.items()})
        self.sums.clear()

    def write(self, **values: float) -> None:
        row = {"seconds": round(time.monotonic() - self.start)} | {k: float(f"{v:.5g}") for k, v in values.items()}
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
