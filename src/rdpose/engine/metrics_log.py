"""What a training writes down: the means of an epoch's terms, one line of JSON for each epoch, TensorBoard's files."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rdpose.io import files
from rdpose.utils.progress import clock

TERMS = ("loss", "direct", "decoupled", "perturbed")
"""Of the loss, in the order of their telling."""
MAIN = ("AP", "Mean")
"""The figure by which networks are ranked, as `Scores.main` has it."""


class Means:
    """Means of the loss's terms, kept on the device until they are asked for."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.count = 0

    def add(self, terms: dict[str, Tensor]) -> None:
        self.count += 1
        for name, term in terms.items():
            self.sums[name] = self.sums[name] + term if name in self.sums else term

    @property
    def loss(self) -> float:
        """The mean loss so far; to ask is to wait for the device."""
        return self.sums["loss"].item() / self.count

    def is_finite(self) -> bool:
        return bool(torch.isfinite(self.sums["loss"]))

    def result(self) -> dict[str, float]:
        return {name: total.item() / self.count for name, total in self.sums.items()}


def epoch_line(figures: dict[str, float], *, epochs: int, best: float) -> str:
    """What people read of an epoch: its losses, the main figure where it was measured, the best so far, rate and time.

    Args:
        figures: as `Records.write` takes them.
        best: the best main figure so far; below 0 where nothing was measured.
    """
    terms = {name: value for name, value in figures.items() if name in TERMS}
    loss = ", ".join(f"{name} {value:.4g}" for name, value in terms.items())
    main = next((name for name in MAIN if name in figures), None)
    measured = f", {main} {figures[main]:.3f}" if main else ""
    so_far = f" (best {best:.3f})" if best >= 0 else ""
    rate, time = f"lr {figures['lr']:.3g}", clock(figures["seconds"])
    return f"epoch {figures['epoch']}/{epochs}: {loss}{measured}{so_far}, {rate}, {time}"


class Records:
    """metrics.jsonl, and TensorBoard's files where tensorboard is installed.

    Args:
        folder: of the run.
        active: whether this process writes.
    """

    def __init__(self, folder: Path, *, active: bool) -> None:
        self.path, self.active = folder / "metrics.jsonl", active
        self.board: Any = None

    def open(self, *, epoch: int) -> None:
        """Go on after `epoch`; lines of later epochs, which a lost run wrote, are dropped."""
        if not self.active:
            return
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        # What an interruption left half-written is of a later epoch, or of one that is to be tested again.
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["epoch"] <= epoch]
        files.write_text(self.path, "".join(f"{line}\n" for line in kept))
        if importlib.util.find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter  # takes a second to import

            self.board = SummaryWriter(self.path.parent / "tensorboard", purge_step=epoch + 1)

    def write(self, figures: dict[str, float]) -> None:
        """Add one epoch."""
        known = {name: value for name, value in figures.items() if math.isfinite(value)}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(known) + "\n")
        if self.board:
            for name, value in known.items():
                self.board.add_scalar(name, value, known["epoch"])

    def close(self) -> None:
        if self.board:
            self.board.close()
