"""What training adds around a network: targets, PDM and the terms of the loss.

The network inside stays as it is shipped; everything here is left behind with the wrapper.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rdpose import heatmaps
from rdpose.geometry import CellGrid, Convention
from rdpose.models.perturbation import Perturbation
from rdpose.models.rdpose import RDPose
from rdpose.models.reference import OfficialRDPose

HeatmapLoss = Callable[..., Tensor]
"""(predicted, target, weight, emphasis=None) -> scalar, a mean over people."""


class LossWeights(NamedTuple):
    direct: float
    decoupled: float
    perturbed: float


class Targets(NamedTuple):
    maps: Tensor
    """(batch, joints + 1, height, width); the last is the person's centre."""
    weights: Tensor
    """(batch, joints + 1)."""
    center: Tensor
    """(batch, 2) in cells."""


def draw_targets(
    batch: dict[str, Tensor],
    joint_weights: Tensor,
    *,
    stride: int,
    sigma: float,
    unbiased: bool = False,
    convention: Convention = "hrnet",
) -> Targets:
    """Target heatmaps of a batch's joints and centres (the mean of the labelled joints), drawn on the device.

    Where the batch has candidates, the joints' maps and weights are `soft_maps`; the centre's stay as they are.
    """
    crop_height, crop_width = batch["image"].shape[-2:]
    height, width = crop_height // stride, crop_width // stride
    grid = CellGrid.of(convention, (crop_width, crop_height), (width, height))
    joints, valid = grid.to_cells(batch["joints"]), batch["visible"] > 0
    center, has_center = heatmaps.center_of(joints, valid)
    if "candidates" in batch:
        of_joints = soft_maps(batch["candidates"], height, width, grid=grid, sigma=sigma)
    else:
        of_joints = heatmaps.render(joints, valid, height, width, sigma, unbiased=unbiased)
    of_center = heatmaps.render(center[:, None], has_center[:, None], height, width, sigma, unbiased=unbiased)
    maps, weights = (torch.cat(both, dim=1) for both in zip(of_joints, of_center, strict=True))
    return Targets(maps, weights * joint_weights, center)


def soft_maps(candidates: Tensor, height: int, width: int, *, grid: CellGrid, sigma: float) -> tuple[Tensor, Tensor]:
    """Targets (batch, joints, height, width) with a peak for each candidate, and weights (batch, joints).

    Peaks lie between cells, as with `unbiased`; where two overlap the higher value counts. A joint whose candidates
    have height 0 or lie outside of the map has an empty target of weight 1: the network learns that it is not there.

    Args:
        candidates: (batch, joints, candidates, 3) x, y in crop pixels and height; a height below 0 makes the weight 0.
    """
    places, heights = grid.to_cells(candidates[..., :2].flatten(1, 2)), candidates[..., 2]
    peaks, _ = heatmaps.render(places, heights.flatten(1) > 0, height, width, sigma, unbiased=True)
    maps = (peaks.unflatten(1, heights.shape[1:]) * heights[..., None, None].clamp(min=0)).amax(dim=2)
    return maps, (heights >= 0).all(dim=2).float()


def rival_maps(rivals: Tensor, like: Tensor, *, grid: CellGrid, sigma: float) -> Tensor:
    """Where the joints of other people are and the person's own are not, 0 to 1, in the shape of `like`.

    It weighs errors and is no target: a joint counts from the cell that it rounds to, with unbiased targets too.

    Args:
        rivals: (batch, others, joints, 3) x, y in crop pixels and whether they count; people without any come last.
        like: (batch, joints, height, width) target heatmaps.
    """
    (height, width), found = like.shape[-2:], torch.zeros_like(like)
    most = int((rivals[..., 2] > 0).any(dim=2).sum(dim=1).max())
    for other in rivals[:, :most].unbind(1):
        maps, _ = heatmaps.render(grid.to_cells(other[..., :2]), other[..., 2] > 0, height, width, sigma)
        found = torch.maximum(found, maps)
    return found * (1 - like)


class RDPoseForTraining(nn.Module):
    """A network with its training step: `forward(batch)` gives the terms of the loss.

    Args:
        network: what is trained, and all that is shipped.
        perturbation: PDM; None where the network does not decouple, or to train without it.
        loss: of heatmaps.
        weights: of the loss's terms.
        joint_weights: (joints,) or None for ones.
        sigma: of the targets, in cells.
        unbiased: whether they peak between cells (`heatmaps.render`).
        rivals: how much more an error counts where the same joint of another person is; not in the direct heatmaps of
            a network that decouples, from whose peak the anchor comes.
    """

    joint_weights: Tensor

    def __init__(
        self,
        network: RDPose,
        perturbation: Perturbation | None,
        *,
        loss: HeatmapLoss,
        weights: LossWeights,
        sigma: float,
        unbiased: bool = False,
        joint_weights: Tensor | None = None,
        rivals: float = 0.0,
    ) -> None:
        super().__init__()
        self.network = network
        self.perturbation = perturbation
        self.loss, self.weights, self.rivals = loss, weights, rivals
        self.sigma, self.unbiased = sigma, unbiased
        ones = torch.ones(network.num_joints + 1)
        if joint_weights is not None:
            ones[:-1] = joint_weights
        self.register_buffer("joint_weights", ones, persistent=False)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Terms of the loss of one batch; `loss` is their weighted sum.

        Args:
            batch: image (b, 3, h, w) uint8, joints (b, k, 2) and visible (b, k) in the crop, box (b, 4) and
                neighbours (b, n, 4) in the crop, rivals (b, n, k, 3), draws (b, NUM_DRAWS) uniform; at will also
                candidates (b, k, c, 3), see `soft_maps`.
        """
        targets = draw_targets(
            batch,
            self.joint_weights,
            stride=self.network.stride,
            sigma=self.sigma,
            unbiased=self.unbiased,
            convention=self.network.convention,
        )
        features, maps = self.network.features(batch["image"], batch["neighbours"], batch["box"])
        emphasis = self._emphasis(batch, targets) if self.rivals else None
        direct = self.network.head(features)
        if self.network.decoupling is None:
            return {"loss": self._of_joints(direct, targets, emphasis)}

        def decoupled(anchor: Tensor) -> Tensor:
            return self._of_joints(self.network.decouple(features, anchor, maps)[:, :-1], targets, emphasis)

        terms = {
            "direct": self.loss(direct.float(), targets.maps, targets.weights),
            "decoupled": decoupled(self.network.anchor(direct.detach(), maps)),
        }
        if self.perturbation is not None:
            terms["perturbed"] = decoupled(self._off_target(batch, targets))
        total = sum((getattr(self.weights, name) * term for name, term in terms.items()), start=direct.new_zeros(()))
        return {"loss": total, **terms}

    def _of_joints(self, predicted: Tensor, targets: Targets, emphasis: Tensor | None) -> Tensor:
        return self.loss(predicted.float(), targets.maps[:, :-1], targets.weights[:, :-1], emphasis=emphasis)

    def _emphasis(self, batch: dict[str, Tensor], targets: Targets) -> Tensor:
        grid = CellGrid.between(self.network.convention, batch["image"], targets.maps)
        return self.rivals * rival_maps(batch["rivals"], targets.maps[:, :-1], grid=grid, sigma=self.sigma)

    def _off_target(self, batch: dict[str, Tensor], targets: Targets) -> Tensor:
        assert self.perturbation is not None
        size_wh = targets.center.new_tensor([targets.maps.shape[-1], targets.maps.shape[-2]])
        grid = CellGrid.between(self.network.convention, batch["image"], targets.maps)
        box, neighbours = grid.to_cells(batch["box"]), grid.to_cells(batch["neighbours"])
        return self.perturbation(targets.center, box, neighbours, batch["draws"], size_wh)


class OfficialForTraining(nn.Module):
    """The published code's training step: its own loss, its centre channel without target and weight.

    Args:
        network: an `OfficialRDPose`.
        loss: `(predicted, target, weight) -> scalar`.
        sigma: of the targets, in cells.
    """

    keep: Tensor

    def __init__(self, network: OfficialRDPose, *, loss: HeatmapLoss, sigma: float) -> None:
        super().__init__()
        self.network, self.loss, self.sigma = network, loss, sigma
        keep = torch.ones(network.num_joints + 1)
        keep[-1] = 0
        self.register_buffer("keep", keep, persistent=False)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Terms of the loss of one batch (see `RDPoseForTraining`)."""
        targets = draw_targets(batch, self.keep, stride=self.network.stride, sigma=self.sigma)
        maps = targets.maps * self.keep[:, None, None]
        return self.network.loss_terms(batch["image"], maps, targets.weights, self.loss)
