"""What a network sees in crops: joints, confidence and the anchor; also with an anchor forced by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from rdpose import geometry, heatmaps
from rdpose.data.crops import PictureCrops
from rdpose.geometry import CellGrid
from rdpose.models.rdpose import RDPose
from rdpose.models.reference import OfficialRDPose

PoseNetwork = RDPose | OfficialRDPose
BATCH_SIZE = 64


class Seen(NamedTuple):
    """What a network saw, in the order of the crops; pixels of the picture."""

    rows: np.ndarray
    """(n,) rows of the people."""
    joints: np.ndarray
    """(n, joints, 2)."""
    confidence: np.ndarray
    """(n, joints)."""
    anchor: np.ndarray | None
    """(n, 2), where the network's own anchor lay; None for a network that has none, or where it was forced."""


def has_anchor(network: nn.Module) -> bool:
    return isinstance(network, RDPose) and network.decoupling is not None


def knows_boxes(network: nn.Module) -> bool:
    """Whether the boxes that it is given change what it sees."""
    return isinstance(network, RDPose) and network.neighbour_map is not None


def look(
    network: PoseNetwork, crops: PictureCrops, *, goal: np.ndarray | None = None, shares: Sequence[float] = (0.0,)
) -> list[Seen]:
    """One `Seen` for each share of the way from the anchor to `goal` at which the anchor is forced to lie.

    The features are computed once for all shares; no flip test, no second look, decoding is the quarter shift.

    Args:
        network: in evaluation mode; without an anchor it takes `shares` (0,) alone.
        goal: (n, 2) pixels of the picture; rows of NaN, and None, leave the anchor where it is.
    """
    transform = crops.transform.numpy()
    place = np.full((len(transform), 2), np.nan, np.float32) if goal is None else goal
    goal_crop = torch.from_numpy(geometry.apply(transform, place[:, None].astype(np.float32))[:, 0])
    joints: list[list[Tensor]] = [[] for _ in shares]
    confidence: list[list[Tensor]] = [[] for _ in shares]
    anchors = []
    for batch, goals in zip(crops.batches(BATCH_SIZE), goal_crop.split(BATCH_SIZE), strict=True):
        maps, anchor = _maps(network, batch, goals, shares)
        grid = CellGrid.between(network.convention, batch.image, maps[0])
        for number, one in enumerate(maps):
            cells, sure = heatmaps.decode(one, "quarter")
            joints[number].append(grid.to_pixels(cells))
            confidence[number].append(sure)
        anchors += [] if anchor is None else [grid.to_pixels(anchor)]
    back = geometry.invert(transform)
    lay = geometry.apply(back, torch.cat(anchors)[:, None].numpy())[:, 0] if anchors else None
    return [
        Seen(
            crops.index.numpy(),
            geometry.apply(back, torch.cat(one).numpy()),
            torch.cat(sure).numpy(),
            None if share else lay,
        )
        for one, sure, share in zip(joints, confidence, shares, strict=True)
    ]


@torch.inference_mode()
def _maps(
    network: PoseNetwork, crops: PictureCrops, goal: Tensor, shares: Sequence[float]
) -> tuple[list[Tensor], Tensor | None]:
    """Heatmaps for each share, and the network's own anchor (batch, 2) in cells."""
    if not has_anchor(network):
        assert tuple(shares) == (0.0,), "this network has no anchor to move"
        return [network(*crops.inputs)], None
    assert isinstance(network, RDPose)
    features, box_maps = network.features(*crops.inputs)
    anchor = network.anchor(network.center(features), box_maps)
    grid = CellGrid.between(network.convention, crops.image, features)
    way = torch.where(goal.isnan(), 0.0, grid.to_cells(goal) - anchor)
    return [network.decouple(features, anchor + share * way, box_maps)[:, :-1] for share in shares], anchor


@torch.inference_mode()
def cost(network: PoseNetwork, image_size: tuple[int, int]) -> dict[str, float]:
    """Parameters, and multiply-adds of one crop with one neighbour."""
    width, height = image_size
    box = torch.tensor([[0.0, 0.0, width / 2, height / 2]])
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, height, width, dtype=torch.uint8), box[None], box)
    return {
        "cost/parameters": float(sum(parameter.numel() for parameter in network.parameters())),
        "cost/multiply-adds": counter.get_total_flops() / 2,
    }
