"""A second look at a few joints, enlarged: what is small in a crop of the whole person is found more closely.

A heatmap cell is as wide as an eye. Where the network was surely near, the part of the crop around these joints is
enlarged to a crop of its own, and the network looks again. Everything is batched, and made from the first crop:
nobody has to keep the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from rdpose.geometry import CROP_PADDING

Look = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""(crops, neighbours, box) -> joints (batch, joints, 2) in crop pixels, confidence (batch, joints)."""

SURE, FEWEST = 0.2, 3
"""A joint's least confidence, and how many such joints there must be, for a part to be looked at."""
GROWTH, SMALLEST = 2.0, 0.15
"""The part's box: times the extent of its sure joints, which counts as this share of the whole pose's at least."""
LARGEST = 0.8
"""Of the crop; a larger part would hardly be enlarged."""
NEAR, WEIGHT = 0.1, 0.75
"""How far the second answer may lie from the first, as a share of the enlarged part's height, and what it counts."""


def refine(look: Look, crops: Tensor, neighbours: Tensor, box: Tensor, part: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Joints (batch, joints, 2) in crop pixels and confidence (batch, joints): the first look's, `part` found closer.

    A joint moves towards what the second look says where both agree roughly; its confidence stays the first look's.

    Args:
        crops: (batch, 3, height, width) uint8.
        neighbours: (batch, others, 4), box: (batch, 4), x1, y1, x2, y2 in the crop.
        part: the joints that are looked at again.
    """
    joints, confidence = look(crops, neighbours, box)
    height, width = crops.shape[-2:]
    center, size, rows = part_boxes(joints, confidence, part)
    scale = CROP_PADDING * torch.maximum(size[:, 0] / width, size[:, 1] / height)
    center, size, rows, scale = (column[scale < LARGEST] for column in (center, size, rows, scale))
    if not len(rows):
        return joints, confidence
    middle = torch.tensor([width - 1, height - 1], device=crops.device) / 2
    boxes = torch.cat([center - size / 2, center + size / 2], dim=1)[:, None]
    closer, _ = look(
        enlarge(crops[rows], center, scale),
        enlarged_boxes(neighbours[rows], center, scale, middle),
        enlarged_boxes(boxes, center, scale, middle)[:, 0],
    )
    scale = scale[:, None, None]
    first, second = joints[rows][:, part], center[:, None] + (closer[:, part] - middle) * scale
    near = (second - first).norm(dim=-1, keepdim=True) < NEAR * height * scale
    moved = joints.clone()
    moved[rows[:, None], torch.tensor(part, device=rows.device)] = torch.where(near, first.lerp(second, WEIGHT), first)
    return moved, confidence


def part_boxes(joints: Tensor, confidence: Tensor, part: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Centre (n, 2) and size (n, 2) of the box around each person's part, and the n rows of those who show it."""
    rows = torch.nonzero((confidence[:, part] > SURE).sum(dim=1) >= min(FEWEST, len(part))).flatten()
    joints, sure = joints[rows], confidence[rows] > SURE
    low, high = _extent(joints[:, part], sure[:, part])
    least, greatest = _extent(joints, sure)
    smallest = (SMALLEST * (greatest - least).amax(dim=1, keepdim=True)).clamp(min=1)
    return (low + high) / 2, GROWTH * torch.maximum(high - low, smallest), rows


def enlarge(crops: Tensor, center: Tensor, scale: Tensor) -> Tensor:
    """Crops of the same size (n, 3, height, width) uint8 whose middle is `center` (n, 2), a pixel `scale` (n,) wide."""
    height, width = crops.shape[-2:]
    last = torch.tensor([width - 1, height - 1], device=crops.device)
    move = 2 * center / last - 1
    nothing = torch.zeros_like(scale)
    to_crop = torch.stack([scale, nothing, move[:, 0], nothing, scale, move[:, 1]], dim=1).view(-1, 2, 3)
    grid = affine_grid(to_crop, list(crops.shape), align_corners=True)
    return grid_sample(crops.float(), grid, align_corners=True).round().to(torch.uint8)


def enlarged_boxes(boxes: Tensor, center: Tensor, scale: Tensor, middle: Tensor) -> Tensor:
    """Boxes (n, m, 4) in the enlarged crops, zeros where they do not reach in or have no area."""
    corners = (boxes.unflatten(2, (2, 2)) - center[:, None, None]) / scale[:, None, None, None] + middle
    low, high = corners.unbind(2)
    inside = ((high > low) & (high > 0) & (low < 2 * middle + 1)).all(dim=-1, keepdim=True)
    return torch.where(inside, corners.flatten(2), 0.0)


def _extent(joints: Tensor, sure: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the greatest coordinates (n, 2) of the sure ones among joints (n, k, 2)."""
    unsure = ~sure[..., None]
    return joints.masked_fill(unsure, torch.inf).amin(dim=1), joints.masked_fill(unsure, -torch.inf).amax(dim=1)
