"""What the person detector learns from: which cell answers for which person, and the loss of its answers.

Cells are assigned by the cost of RTMDet (Lyu et al. 2022), whose answers are matched with people as they are at the
moment; the losses are the quality focal loss, GIoU and the distribution focal loss of GFL (Li et al. 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from recipes.detector.data import Batch
from recipes.detector.nanodet import NUM_BINS, distances
from torch import Tensor
from torch.nn import functional

BOX_WEIGHT, BINS_WEIGHT = 2.0, 0.25
MOST_CELLS = 13
"""Cells whose overlaps are summed to say how many cells a person gets."""
SMALLEST_PX = 10.0
"""A person counts as no smaller than this where cells inside are looked for."""
IGNORED_IOU, IGNORED_INSIDE = 0.5, 0.7


@dataclass(frozen=True)
class Losses:
    """Each a scalar."""

    score: Tensor
    box: Tensor
    bins: Tensor

    @property
    def total(self) -> Tensor:
        return self.score + BOX_WEIGHT * self.box + BINS_WEIGHT * self.bins


def losses(logits: Tensor, bins: Tensor, cells: Tensor, batch: Batch) -> Losses:
    """Mean over the batch's assigned cells.

    Args:
        logits: (b, cells) of `NanoDet`.
        bins: (b, cells, 4, NUM_BINS) of `NanoDet`.
        cells: (cells, 3) x, y and stride.
        batch: what is in the pictures.
    """
    distance = distances(bins) * cells[:, 2:]
    boxes = torch.cat((cells[:, :2] - distance[..., :2], cells[:, :2] + distance[..., 2:]), dim=-1)
    target, counted = torch.zeros_like(logits), torch.ones_like(logits)
    wanted = torch.zeros_like(boxes)
    with torch.no_grad():
        for i, (people, ignore) in enumerate(zip(batch.people, batch.ignore, strict=True)):
            who, overlap = assign(logits[i], boxes[i], cells, people)
            chosen = who >= 0
            target[i, chosen] = overlap[chosen] * people[who[chosen], 4]
            wanted[i, chosen] = people[who[chosen], :4]
            counted[i] = (chosen | ~ignored(boxes[i], ignore)).float()
    chosen = target > 0
    weight = target[chosen]
    total = weight.sum().clamp(min=1.0)
    score = (quality_focal(logits, target) * counted).sum() / total
    box = ((1 - giou(boxes[chosen], wanted[chosen])) * weight).sum() / total
    middle = cells.expand(*chosen.shape, 3)[chosen]
    spread = distribution_focal(bins[chosen], to_distances(wanted[chosen], middle))
    return Losses(score, box, (spread.mean(dim=-1) * weight).sum() / total)


def assign(logits: Tensor, boxes: Tensor, cells: Tensor, people: Tensor) -> tuple[Tensor, Tensor]:
    """Who each cell of one picture answers for.

    Args:
        logits: (cells,).
        boxes: (cells, 4).
        cells: (cells, 3).
        people: (n, 5).

    Returns:
        (cells,) row of `people`, -1 for nobody, and (cells,) overlap of the cell's box with that person's.
    """
    who = torch.full_like(logits, -1, dtype=torch.long)
    if len(people) == 0:
        return who, torch.zeros_like(logits)
    near = inside(cells, people).any(dim=1).nonzero().squeeze(1)
    overlap = iou(boxes[near], people[:, :4])
    middle = (people[:, :2] + people[:, 2:4]) / 2
    away = torch.cdist(cells[near, :2], middle) / cells[near, 2:]
    chance = logits[near].sigmoid()[:, None]
    unlike = functional.binary_cross_entropy_with_logits(
        logits[near, None].expand_as(overlap), overlap, reduction="none"
    )
    cost = unlike * (overlap - chance).square() - 3 * (overlap + 1e-7).log() + 10 ** (away - 3).clamp(max=6)
    cost[~inside(cells[near], people)] = 1e8
    taken = torch.zeros_like(cost, dtype=torch.bool)
    counts = overlap.topk(min(MOST_CELLS, len(near)), dim=0).values.sum(dim=0).int().clamp(min=1)
    for person, count in enumerate(counts.tolist()):
        taken[cost[:, person].topk(min(count, len(near)), largest=False).indices, person] = True
    cost[~taken | (cost >= 1e8)] = torch.inf
    best, row = cost.min(dim=1)
    chosen = best.isfinite()
    who[near[chosen]] = row[chosen]
    overlaps = torch.zeros_like(logits)
    overlaps[near] = overlap.gather(1, row[:, None]).squeeze(1)
    return who, overlaps


def inside(cells: Tensor, people: Tensor) -> Tensor:
    """(cells, n): the cell's middle lies in the person's box, which counts as at least SMALLEST_PX wide and high."""
    middle = (people[:, :2] + people[:, 2:4]) / 2
    reach = ((people[:, 2:4] - people[:, :2]) / 2).clamp(min=SMALLEST_PX / 2)
    return ((cells[:, None, :2] - middle).abs() < reach).all(dim=-1)


def ignored(boxes: Tensor, ignore: Tensor) -> Tensor:
    """(cells,): the cell's box overlaps with an ignored one or lies mostly in it."""
    if len(ignore) == 0:
        return torch.zeros(len(boxes), dtype=torch.bool)
    shared = _shared(boxes, ignore)
    lies_in = shared / _area(boxes)[:, None].clamp(min=1.0) > IGNORED_INSIDE
    return (lies_in | (iou(boxes, ignore) > IGNORED_IOU)).any(dim=1)


def quality_focal(logits: Tensor, target: Tensor) -> Tensor:
    """GFL's loss of every score: cross entropy with a soft target, weighted by the squared error."""
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return entropy * (logits.sigmoid() - target).square()


def distribution_focal(bins: Tensor, wanted: Tensor) -> Tensor:
    """(n, 4) cross entropy with the two bins beside each wanted distance, of (n, 4, NUM_BINS) and (n, 4) strides."""
    low = wanted.floor().long()
    part = (wanted - low)[..., None]
    chance = bins.log_softmax(dim=-1)
    low_chance, high_chance = chance.gather(-1, low[..., None]), chance.gather(-1, low[..., None] + 1)
    return -((1 - part) * low_chance + part * high_chance).squeeze(-1)


def to_distances(boxes: Tensor, cells: Tensor) -> Tensor:
    """(n, 4) strides from cells (n, 3) to the sides of boxes, as far as the bins reach."""
    away = torch.cat((cells[:, :2] - boxes[:, :2], boxes[:, 2:] - cells[:, :2]), dim=1) / cells[:, 2:]
    return away.clamp(0, NUM_BINS - 1.01)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """(n, m) intersection over union of (n, 4) and (m, 4), all x1 y1 x2 y2."""
    shared = _shared(a, b)
    return shared / (_area(a)[:, None] + _area(b) - shared).clamp(min=1e-6)


def giou(a: Tensor, b: Tensor) -> Tensor:
    """(n,) generalised IoU (Rezatofighi et al. 2019) of pairs."""
    shared = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(dim=1)
    union = (_area(a) + _area(b) - shared).clamp(min=1e-6)
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(dim=1).clamp(min=1e-6)
    return shared / union - (hull - union) / hull


def _shared(a: Tensor, b: Tensor) -> Tensor:
    top = torch.maximum(a[:, None, :2], b[:, :2])
    return (torch.minimum(a[:, None, 2:], b[:, 2:4]) - top).clamp(min=0).prod(dim=-1)


def _area(boxes: Tensor) -> Tensor:
    return (boxes[:, 2:4] - boxes[:, :2]).prod(dim=1)
