"""What the code published with RDPose computes, kept for its checkpoints and for the ablation; nothing needs this file.

    network = OfficialRDPose(hrnet_w32(), num_joints=17)
    heatmaps = network(crops)                                   # (b, 3, H, W) RGB 0..255 -> (b, 17, H / 4, W / 4)
    network.loss_terms(crops, target, weight)["loss"].backward()

It departs from the paper (docs/method.md tells why rdpose does not follow it):
- PDM's anchor is always the same cell;
- in training, FDM's anchor is the peak of the centre map that this perturbed pass gives; at test, of the direct one;
- the direct heatmaps are compared with the target as they are, the other two through a clipped sigmoid;
- on SimpleBaseline there is no sigmoid, PDM's anchor is the map's middle, and FDM is trained and then left out at test.

Keys are the published ones, those of the backbone behind `backbone.`. Pinned by tests/golden/official_*.npz.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from rdpose.geometry import Convention
from rdpose.models.backbone_checks import checked_map, head_of, number_of
from rdpose.models.backbones.blocks import init_weights
from rdpose.models.losses import heatmap_loss
from rdpose.models.rdpose import Normalise

SHARES = {"direct": 1.0, "decoupled": 1.5, "perturbed": 1.0}
"""What each term of the loss counts."""
PERTURBED_CELL = 32
OFFSET_UNIT = 32
"""Cells; whatever the map's size."""
SMALLEST = 1e-4
"""Heatmaps are kept this far from 0 and 1."""


class OfficialRDPose(nn.Module):
    """The published network; a stand-in for `RDPose` that takes no notice of the neighbours.

    Args:
        backbone: as for `RDPose`.
        num_joints: K; the head has one more channel, the centre.
        simple_baseline: compute what is published on SimpleBaseline rather than what is published on HRNet.
        convention: where cells lie in the crop; nothing in the network follows it.
    """

    def __init__(
        self, backbone: nn.Module, num_joints: int, *, simple_baseline: bool = False, convention: Convention = "hrnet"
    ) -> None:
        super().__init__()
        self.channels, self.stride = number_of(backbone, "channels"), number_of(backbone, "stride")
        self.num_joints, self.simple_baseline, self.convention = num_joints, simple_baseline, convention
        self.normalise = Normalise()
        self.backbone = backbone
        self.final_layer = head_of(backbone, num_joints + 1)
        self.c_attn = ChannelAttention(self.channels)
        self.s_attn = SpatialAttention(self.channels)
        self.fuse_attn = nn.Conv2d(2 * self.channels, self.channels, 1)
        init_weights(self.final_layer)
        nn.init.normal_(self.final_layer.weight, std=0.01)

    def forward(self, image: Tensor, neighbours: Tensor | None = None, box: Tensor | None = None) -> Tensor:
        """(b, 3, H, W) RGB 0..255 -> (b, K, H / 4, W / 4) heatmaps; boxes are ignored."""
        return self.maps(image)[:, :-1]

    def features(self, image: Tensor) -> Tensor:
        """(b, channels, H / 4, W / 4): what all of the layers behind the backbone read."""
        found = self.backbone(self.normalise(image))
        return checked_map(found, image, channels=self.channels, stride=self.stride)

    def maps(self, image: Tensor) -> Tensor:
        """What the published network answers at test: (b, K + 1, H / 4, W / 4), the centre last."""
        features = self.features(image)
        direct = self.final_layer(features)
        if self.simple_baseline:
            return direct
        return clipped_sigmoid(self._decouple(features, peak(clipped_sigmoid(direct[:, -1]))))

    def loss_terms(
        self,
        image: Tensor,
        target: Tensor,
        weight: Tensor,
        loss: Callable[[Tensor, Tensor, Tensor], Tensor] = heatmap_loss,
    ) -> dict[str, Tensor]:
        """One training step: the terms and their weighted sum, `loss`.

        Args:
            image: (b, 3, H, W) RGB 0..255.
            target: (b, K + 1, H / 4, W / 4). The published data loader leaves the centre 0.
            weight: (b, K + 1), likewise.
            loss: `(predicted, target, weight) -> scalar`; the default is the published one.
        """
        features = self.features(image)
        predictions = dict(zip(("direct", "decoupled", "perturbed"), self.passes(features), strict=True))
        terms = {name: loss(predicted, target, weight) for name, predicted in predictions.items()}
        total = sum((share * terms[name] for name, share in SHARES.items()), features.new_zeros(()))
        return {"loss": total, **terms}

    def passes(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Direct, decoupled and perturbed maps of a training step, each (b, K + 1, h, w), as the loss compares them.

        Where the clipping makes cells equal, the first of them is the peak.
        """
        answer = nn.Identity() if self.simple_baseline else clipped_sigmoid
        anchor = middle(features) if self.simple_baseline else constant_anchor(features)
        perturbed = answer(self._decouple(features, anchor))
        decoupled = answer(self._decouple(features, peak(perturbed[:, -1])))
        return self.final_layer(features), decoupled, perturbed

    def _decouple(self, features: Tensor, anchor: Tensor) -> Tensor:
        """Maps seen from `anchor` ((b, 2) int64 x, y in cells)."""
        cell = anchor[:, 1] * features.shape[3] + anchor[:, 0]
        vector = features.flatten(2).gather(2, cell[:, None, None].expand(-1, features.shape[1], 1)).squeeze(2)
        both = torch.cat([self.c_attn(features, vector), self.s_attn(features, vector, anchor)], dim=1)
        return self.final_layer(torch.relu(self.fuse_attn(both)))


class ChannelAttention(nn.Module):
    """Features times a weight per channel, linear in the anchor's vector (as in CID, Wang and Zhang, CVPR 2022)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.atn = nn.Linear(channels, channels)

    def forward(self, features: Tensor, vector: Tensor) -> Tensor:
        return features * self.atn(vector)[:, :, None, None]


class SpatialAttention(nn.Module):
    """Features times a mask drawn from their likeness to the anchor's vector and the way to the anchor (CID)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.atn = nn.Linear(channels, channels)
        self.conv = nn.Conv2d(3, 1, 5, padding=2)

    def forward(self, features: Tensor, vector: Tensor, anchor: Tensor) -> Tensor:
        likeness = (features * self.atn(vector)[:, :, None, None]).sum(1, keepdim=True)
        return features * torch.sigmoid(self.conv(torch.cat([likeness, offsets(features, anchor)], dim=1)))


def offsets(features: Tensor, anchor: Tensor) -> Tensor:
    """(b, 2, h, w): x and y from each cell to its anchor ((b, 2) x, y), in units of 32 cells."""
    height, width = features.shape[2:]
    grid_y, grid_x = torch.meshgrid(
        torch.arange(height, device=features.device), torch.arange(width, device=features.device), indexing="ij"
    )
    return (anchor[:, :, None, None] - torch.stack([grid_x, grid_y])).to(features.dtype) / OFFSET_UNIT


def constant_anchor(features: Tensor) -> Tensor:
    """(b, 2) x, y: the published cell, eight right of the middle of a 64x48 map.

    Smaller maps have no such cell, and the published code fails on them: there it is the same place in the picture.
    """
    height, width = features.shape[2:]
    inside = min(height, width) > PERTURBED_CELL
    x, y = (PERTURBED_CELL, PERTURBED_CELL) if inside else (width * 2 // 3, height // 2)
    return torch.tensor([[x, y]], device=features.device).expand(len(features), 2)


def middle(features: Tensor) -> Tensor:
    """(b, 2) x, y: the middle of the map, the later cell of two."""
    height, width = features.shape[2:]
    return torch.tensor([[width // 2, height // 2]], device=features.device).expand(len(features), 2)


def peak(maps: Tensor) -> Tensor:
    """(b, 2) int64 x, y of the first of the largest values of each (b, h, w) map."""
    place = maps.flatten(1).argmax(1)
    return torch.stack([place % maps.shape[2], place // maps.shape[2]], dim=1)


def clipped_sigmoid(maps: Tensor) -> Tensor:
    return maps.sigmoid().clamp(SMALLEST, 1 - SMALLEST)
