"""The Perturbed Decoupling Module (PDM): off-target anchors, in training alone.

Decoupling is also asked for the right heatmaps from the wrong place: a neighbour's centre, anywhere, or the person's
own centre moved. The draws come in with the sample, so that a training step depends on its samples alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

NUM_DRAWS = 4
"""Uniform numbers per person: which kind, which neighbour, and two for a place or a move."""


class Perturbation(nn.Module):
    """Chooses an off-target anchor for each person; holds no parameters.

    Args:
        neighbour, random, shifted: shares of the three kinds; they need not add up to 1.
        shift: standard deviation of a move, in units of the person's box.
    """

    def __init__(self, *, neighbour: float, random: float, shifted: float, shift: float) -> None:
        super().__init__()
        total = neighbour + random + shifted
        if total <= 0:
            raise ValueError("perturbation: neighbour, random and shifted are all 0; turn PDM off by loss.perturbed=0")
        self.until_neighbour = neighbour / total
        self.until_random = (neighbour + random) / total
        self.shift = shift

    def forward(self, center: Tensor, box: Tensor, neighbours: Tensor, draws: Tensor, size_wh: Tensor) -> Tensor:
        """Off-target anchors.

        Args:
            center: (batch, 2) the person's centre, in cells like all of these.
            box: (batch, 4) the person's box, x1, y1, x2, y2; without area where it is not known.
            neighbours: (batch, others, 4) boxes of the others; a row without area is padding.
            draws: (batch, NUM_DRAWS) uniform in 0..1.
            size_wh: (2,) of the map.

        Returns:
            (batch, 2) x, y in cells; a person without a neighbour whose centre lies in the map gets a random place.
        """
        kind, pick, place = draws[:, 0, None], draws[:, 1], draws[:, 2:4]
        other, has_other = pick_center(neighbours, pick, size_wh)
        anywhere = place * (size_wh - 1)
        extent = (box[:, 2:] - box[:, :2]).clamp(min=0)
        extent = torch.where(extent > 0, extent, size_wh / 1.25)
        moved = center + torch.special.ndtri(place.clamp(1e-3, 1 - 1e-3)) * self.shift * extent
        at_neighbour = (kind < self.until_neighbour) & has_other[:, None]
        return torch.where(at_neighbour, other, torch.where(kind < self.until_random, anywhere, moved))


def pick_center(boxes: Tensor, pick: Tensor, size_wh: Tensor) -> tuple[Tensor, Tensor]:
    """The centre of one box of each row, among those that lie in the map, evenly by `pick` in 0..1.

    Returns:
        (batch, 2), and (batch,) bool: whether there is any.
    """
    centers = (boxes[..., :2] + boxes[..., 2:]) / 2
    inside = (boxes[..., 2] > boxes[..., 0]) & ((centers >= 0) & (centers < size_wh)).all(-1)
    count = inside.sum(1)
    rank = (pick * count).long().clamp(max=boxes.shape[1] - 1)
    chosen = (inside & (inside.cumsum(1) == rank[:, None] + 1)).float().argmax(1)
    return centers.gather(1, chosen[:, None, None].expand(-1, 1, 2)).squeeze(1), count > 0
