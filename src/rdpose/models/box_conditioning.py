"""The boxes of the people in a crop as soft maps, joined to the features after the stem and at the coarser levels.

A top-down estimator always knows these boxes, and they say what the features cannot: who is meant.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from rdpose.geometry import CellGrid

NUM_MAPS = 4
"""Inside the own box, near its centre, inside any other box, near any other centre."""

GAIN = 8.0
"""Of the maps: the convolutions start at zero, and so have their say after an eighth of the steps."""

SHARPNESS = 20.0
"""Of a box's edge in its map, over half the box's size."""


class NeighbourMap(nn.Module):
    """Adds what the boxes say to a stem's output, and to the coarser levels after it, through convolutions that are
    zero at first: an untrained map changes nothing.

    Args:
        channels: of the stem's output.
        coarser: channels of the levels below it, each half the size of the one before.
    """

    def __init__(self, channels: int, coarser: Sequence[int] = ()) -> None:
        super().__init__()
        self.join = _zero_conv(channels)
        self.coarser = nn.ModuleList(_zero_conv(width) for width in coarser)

    def forward(self, features: Tensor, maps: Tensor) -> Tensor:
        """(batch, channels, height, width) features with maps (batch, NUM_MAPS, height, width) joined to them."""
        return features + GAIN * self.join(maps.to(features.dtype))

    def additions(self, maps: Tensor) -> list[Tensor]:
        """What the coarser levels' features gain: (batch, channels, height / 2, width / 2), then half of that, ..."""
        found = []
        for join in self.coarser:
            maps = avg_pool2d(maps, 2)
            found.append(GAIN * join(maps.to(self.join.weight.dtype)))
        return found


def _zero_conv(channels: int) -> nn.Conv2d:
    layer = nn.Conv2d(NUM_MAPS, channels, kernel_size=1, bias=False)
    nn.init.zeros_(layer.weight)
    return layer


def box_maps(neighbours: Tensor | None, box: Tensor | None, like: Tensor, grid: CellGrid) -> Tensor:
    """(batch, NUM_MAPS, height, width) in 0..1: the person's own box, then all the others.

    Args:
        neighbours: (batch, others, 4) x1, y1, x2, y2 in crop pixels; a row without area is padding; None: not known.
        box: (batch, 4), the person's own, likewise.
        like: (batch, channels, height, width), a feature map of the size wanted.
        grid: where its cells lie in the crop.
    """
    unknown = like.new_zeros(like.shape[0], 1, 4, dtype=torch.float32)
    own = unknown if box is None else box[:, None]
    others = unknown if neighbours is None or not neighbours.shape[1] else neighbours
    pairs = (soft_boxes(grid.to_cells(boxes), like.shape[-2], like.shape[-1]) for boxes in (own, others))
    return torch.cat([torch.stack([one.amax(dim=1) for one in pair], dim=1) for pair in pairs], dim=1)


def soft_boxes(boxes: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Two soft maps per box, each (batch, boxes, height, width): inside the box, and nearness to its centre.

    Inside falls from 1 to 0 across the edge, within about a tenth of the box's half size; nearness is a Gaussian
    whose deviation is half of the half size. Both are separable in x and y, and 0 for a box without area.
    """
    x = torch.arange(width, device=boxes.device, dtype=boxes.dtype)
    y = torch.arange(height, device=boxes.device, dtype=boxes.dtype)
    known = ((boxes[..., 2] > boxes[..., 0]) & (boxes[..., 3] > boxes[..., 1])).to(boxes.dtype)[..., None]
    across = _relative(x, boxes[..., 0], boxes[..., 2])
    down = _relative(y, boxes[..., 1], boxes[..., 3])
    inside = [(0.5 + 0.5 * torch.tanh(SHARPNESS / 2 * (1 - side.abs()))) * known for side in (across, down)]
    near = [torch.exp(-2 * side.square()) * known for side in (across, down)]
    return inside[0][..., None, :] * inside[1][..., :, None], near[0][..., None, :] * near[1][..., :, None]


def _relative(grid: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Places relative to an interval: 0 at its middle, +-1 at its ends."""
    half = ((high - low) / 2).clamp(min=0.5)
    return (grid - ((low + high) / 2)[..., None]) / half[..., None]
