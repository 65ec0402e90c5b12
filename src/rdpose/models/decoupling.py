"""The Feature Decoupling Module (FDM): a target-aware anchor recalibrates a feature map by channel and by place.

Formulas: RDPose (The Visual Computer, 2025), whose two recalibrations descend from CID (CVPR 2022).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rdpose.models.box_conditioning import NUM_MAPS


class FeatureDecoupling(nn.Module):
    """FDM. With the anchor's vector `a`: `Fc = F * Wc a`, `Fs = F * sigmoid(conv5x5([sum_c(F * Ws a), offsets]))`,
    `G = relu(conv1x1([Fc; Fs]))`.

    Args:
        channels: of the feature map.
        residual: `G = F + conv1x1([Fc; Fs])` with the convolution zero at first, so that the decoupled path starts
            as the direct one instead of having to learn it.
    """

    def __init__(self, channels: int, *, residual: bool = False) -> None:
        super().__init__()
        self.residual = residual
        self.channel = nn.Linear(channels, channels)
        self.place = nn.Linear(channels, channels)
        self.mask = nn.Conv2d(3, 1, kernel_size=5, padding=2)
        self.fuse = nn.Conv2d(2 * channels, channels, kernel_size=1)
        if residual:
            init_conv(self.fuse, std=0.0)

    def forward(self, features: Tensor, anchor: Tensor, maps: Tensor | None = None) -> Tensor:
        """Features recalibrated for one anchor each.

        Args:
            features: (batch, channels, height, width).
            anchor: (batch, 2) x, y in cells; the nearest cell inside the map is taken.
            maps: of the people's boxes, which this module takes no notice of.

        Returns:
            (batch, channels, height, width).
        """
        vector = features_at(features, anchor)
        by_channel = features * self.channel(vector)[:, :, None, None]
        by_place = features * self.spatial_mask(features, vector, anchor)
        fused = self.fuse(torch.cat([by_channel, by_place], dim=1))
        return features + fused if self.residual else torch.relu(fused)

    def spatial_mask(self, features: Tensor, vector: Tensor, anchor: Tensor) -> Tensor:
        """(batch, 1, height, width) in 0..1: how much of each place belongs to the anchor's person."""
        likeness = (features * self.place(vector)[:, :, None, None]).sum(dim=1, keepdim=True)
        return torch.sigmoid(self.mask(torch.cat([likeness, anchor_offsets(features, anchor)], dim=1)))


class NeighbourDecoupling(nn.Module):
    """FDM that knows the others: their features are what to suppress, their places enter the spatial mask.

    With `a` the anchor's vector and `n` the mean vector of the neighbours' centres: `Fc = F * W [a; n]`,
    `Fs = F * tanh(conv5x5([sum_c(F * Ws a), sum_c(F * Wn n), offsets, box maps]))`, `G = F + Fc + Fs`. `W` and the
    convolution are zero at first, so that the decoupled path starts as the direct one. A head without hidden layers
    reads G, so mixing channels here, as the paper's FDM does, would cost most of its work and could say little more.

    Args:
        channels: of the feature map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channel = nn.Linear(2 * channels, channels)
        nn.init.zeros_(self.channel.weight)
        nn.init.zeros_(self.channel.bias)
        self.place = nn.Linear(channels, channels)
        self.other_place = nn.Linear(channels, channels)
        self.mask = nn.Conv2d(4 + NUM_MAPS, 1, kernel_size=5, padding=2)
        init_conv(self.mask, std=0.0)

    def forward(self, features: Tensor, anchor: Tensor, maps: Tensor) -> Tensor:
        """Features recalibrated for one anchor each; `maps` (batch, NUM_MAPS, height, width) are the people's boxes."""
        vector, other = features_at(features, anchor), self.neighbours_vector(features, maps)
        by_channel = self.channel(torch.cat([vector, other], dim=1))[:, :, None, None]
        return features * (1 + by_channel + self.spatial_mask(features, vector, other, anchor, maps))

    def spatial_mask(self, features: Tensor, vector: Tensor, other: Tensor, anchor: Tensor, maps: Tensor) -> Tensor:
        """(batch, 1, height, width) in -1..1: what a place gains or loses, by the anchor's and neighbours' vectors."""
        likeness = (features * self.place(vector)[:, :, None, None]).sum(dim=1, keepdim=True)
        rivalry = (features * self.other_place(other)[:, :, None, None]).sum(dim=1, keepdim=True)
        seen = [likeness, rivalry, anchor_offsets(features, anchor), maps.to(features.dtype)]
        return torch.tanh(self.mask(torch.cat(seen, dim=1)))

    @staticmethod
    def neighbours_vector(features: Tensor, maps: Tensor) -> Tensor:
        """(batch, channels): the mean feature near the neighbours' centres; zero where there are none."""
        near = maps[:, -1:].to(features.dtype)
        return (features * near).sum(dim=(2, 3)) / near.sum(dim=(2, 3)).clamp(min=1.0)


def init_conv(layer: nn.Conv2d, *, std: float) -> None:
    """Weights of N(0, std), no bias."""
    nn.init.normal_(layer.weight, std=std)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def features_at(features: Tensor, anchor: Tensor) -> Tensor:
    """(batch, channels): the feature vector of the cell nearest to each anchor ((batch, 2) x, y in cells)."""
    height, width = features.shape[-2:]
    x = anchor[:, 0].round().clamp(0, width - 1).long()
    y = anchor[:, 1].round().clamp(0, height - 1).long()
    place = (y * width + x)[:, None, None].expand(-1, features.shape[1], 1)
    return features.flatten(2).gather(2, place).squeeze(2)


def anchor_offsets(features: Tensor, anchor: Tensor) -> Tensor:
    """(batch, 2, height, width): x and y from each cell to the anchor, in units of the map's size."""
    height, width = features.shape[-2:]
    x = torch.arange(width, device=features.device, dtype=features.dtype)
    y = torch.arange(height, device=features.device, dtype=features.dtype)
    dx = (anchor[:, 0, None, None].to(features.dtype) - x[None, None, :]) / width
    dy = (anchor[:, 1, None, None].to(features.dtype) - y[None, :, None]) / height
    return torch.stack([dx.expand(-1, height, -1), dy.expand(-1, -1, width)], dim=1)


def peak(heatmap: Tensor) -> Tensor:
    """(batch, 2) x, y in cells of the largest value of each (batch, height, width) map."""
    width = heatmap.shape[-1]
    place = heatmap.flatten(1).argmax(dim=1)
    return torch.stack([place % width, place // width], dim=1).to(heatmap.dtype)
