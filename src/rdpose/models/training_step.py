"""What training adds around a network: targets, PDM and the terms of the loss.

The network inside stays as it is shipped; everything here is left behind with the wrapper.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rdpose import heatmaps
from rdpose.models.official import OfficialRDPose
from rdpose.models.perturbation import Perturbation
from rdpose.models.rdpose import RDPose

HeatmapLoss = Callable[[Tensor, Tensor, Tensor], Tensor]


class LossWeights(NamedTuple):
    direct: float = 1.0
    decoupled: float = 1.5
    perturbed: float = 1.0


class Targets(NamedTuple):
    maps: Tensor
    """(batch, joints + 1, height, width); the last is the person's centre."""
    weights: Tensor
    """(batch, joints + 1)."""
    center: Tensor
    """(batch, 2) in cells."""


def draw_targets(batch: dict[str, Tensor], joint_weights: Tensor, *, stride: int, sigma: float) -> Targets:
    """Target heatmaps of a batch's joints and centres (the mean of the labelled joints), drawn on the device."""
    height, width = (side // stride for side in batch["image"].shape[-2:])
    joints, valid = batch["joints"] / stride, batch["visible"] > 0
    center, has_center = heatmaps.center_of(joints, valid)
    maps, weights = heatmaps.render(
        torch.cat([joints, center[:, None]], dim=1),
        torch.cat([valid, has_center[:, None]], dim=1),
        height,
        width,
        sigma,
    )
    return Targets(maps, weights * joint_weights, center)


class RDPoseForTraining(nn.Module):
    """A network with its training step: `forward(batch)` gives the terms of the loss.

    Args:
        network: what is trained, and all that is shipped.
        perturbation: PDM; None where the network does not decouple, or to train without it.
        loss: `(predicted, target, weight) -> scalar`, a mean over people.
        weights: of the loss's terms.
        joint_weights: (joints,) or None for ones.
        sigma: of the targets, in cells.
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
        joint_weights: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.perturbation = perturbation
        self.loss, self.weights, self.sigma = loss, weights, sigma
        ones = torch.ones(network.num_joints + 1)
        if joint_weights is not None:
            ones[:-1] = joint_weights
        self.register_buffer("joint_weights", ones, persistent=False)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Terms of the loss of one batch; `loss` is their weighted sum.

        Args:
            batch: image (b, 3, h, w) uint8, joints (b, k, 2) and visible (b, k) in the crop, box (b, 4) and
                neighbours (b, n, 4) in the crop, draws (b, NUM_DRAWS) uniform.
        """
        targets = draw_targets(batch, self.joint_weights, stride=self.network.stride, sigma=self.sigma)
        features, maps = self.network.features(batch["image"], batch["neighbours"], batch["box"])
        direct = self.network.head(features)
        if self.network.decoupling is None:
            loss = self.loss(direct.float(), targets.maps[:, :-1], targets.weights[:, :-1])
            return {"loss": loss}
        terms = {
            "direct": self.loss(direct.float(), targets.maps, targets.weights),
            "decoupled": self._decoupled(features, self.network.anchor(direct.detach(), maps), maps, targets),
        }
        if self.perturbation is not None:
            terms["perturbed"] = self._decoupled(features, self._off_target(batch, targets), maps, targets)
        total = sum((getattr(self.weights, name) * term for name, term in terms.items()), start=direct.new_zeros(()))
        return {"loss": total, **terms}

    def _decoupled(self, features: Tensor, anchor: Tensor, maps: Tensor | None, targets: Targets) -> Tensor:
        predicted = self.network.decouple(features, anchor, maps)[:, :-1]
        return self.loss(predicted.float(), targets.maps[:, :-1], targets.weights[:, :-1])

    def _off_target(self, batch: dict[str, Tensor], targets: Targets) -> Tensor:
        assert self.perturbation is not None
        size_wh = targets.center.new_tensor([targets.maps.shape[-1], targets.maps.shape[-2]])
        stride = self.network.stride
        return self.perturbation(
            targets.center, batch["box"] / stride, batch["neighbours"] / stride, batch["draws"], size_wh
        )


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
