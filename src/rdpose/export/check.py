"""An exported network beside torch's, on the same crops."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from rdpose import heatmaps
from rdpose.backends import engines, exported
from rdpose.config.schema import Settings
from rdpose.data.crops import PictureCrops
from rdpose.geometry import CellGrid
from rdpose.inference.pipeline import Network

MOST = 8
"""Batches that are compared."""
HEATMAPS, JOINTS_PX, INT8_SHARE = 1e-4, 0.01, 0.1
"""What may differ: heatmaps (in units of their largest value where that is above a target's, 1), joints in crop pixels;
of an 8-bit network, its heatmaps by a share of their own size."""


@dataclass(frozen=True)
class Figures:
    """How far an engine's numbers are from torch's."""

    engine: str
    heatmaps: float
    """The largest difference, in units of the largest value if that is above 1."""
    share: float
    """Root mean square of the differences, in units of that of the heatmaps."""
    half_px: float
    """What half of the joints differ by at most, in crop pixels."""
    joints_px: float
    """What 99 of 100 joints do; a tie of two cells may go either way."""

    def __str__(self) -> str:
        return (
            f"{self.engine:<12} heatmaps differ by {self.heatmaps:.1e} at most ({self.share:.2%} of their size), "
            f"joints by {self.joints_px:.4f} px (99 of 100; half of them by {self.half_px:.4f} px)"
        )


@torch.inference_mode()
def compare(
    network: Network,
    settings: Settings,
    path: Path,
    engine: engines.Engine,
    samples: list[PictureCrops],
    *,
    exact: bool,
) -> Figures:
    """The differences of an exported file, run by `engine`, from the network that it was made of.

    Args:
        samples: batches of different sizes, so that a size that was frozen into the file comes to light.
        exact: the file computes in fp32.

    Raises:
        ValueError: they are larger than rounding explains, or than 8 bits may cost.
    """
    other, *_ = exported.load(path, engine=engine)
    pairs = [_answers(network, other, settings, batch) for batch in samples]
    maps, others, joints, their_joints = (torch.cat(column) for column in zip(*pairs, strict=True))
    difference = others - maps
    away = (their_joints - joints).norm(dim=-1).flatten()
    figures = Figures(
        engine=engine,
        heatmaps=float(difference.abs().max() / maps.abs().max().clamp(min=1)),
        share=float(difference.square().mean().sqrt() / maps.square().mean().sqrt().clamp(min=1e-9)),
        half_px=float(away.median()),
        joints_px=float(away.quantile(0.99, interpolation="lower")),
    )
    good = figures.heatmaps <= HEATMAPS and figures.joints_px <= JOINTS_PX if exact else figures.share <= INT8_SHARE
    if not good:
        allowed = f"{HEATMAPS:g} and {JOINTS_PX} px" if exact else f"{INT8_SHARE:.0%}; calibrate with other pictures"
        raise ValueError(f"the exported network is not torch's, nothing was written: {figures}; allowed are {allowed}")
    return figures


def _answers(
    network: Network, other: exported.Exported, settings: Settings, batch: PictureCrops
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Heatmaps of both, joints (people, joints, 2) in crop pixels of both."""
    maps, others = network(*batch.inputs), other(*batch.inputs)
    grid, method = CellGrid.between(settings.model.geometry, batch.image, maps), settings.test.decode
    sigma = settings.model.sigma
    first, second = (grid.to_pixels(heatmaps.decode(m, method, sigma=sigma)[0]) for m in (maps, others))
    return maps, others, first, other.joints(*batch.inputs)[0] if other.decodes else second
