"""RDPose: a backbone, a head and what decouples, put together from finished parts.

    network = RDPose(hrnet_w32(), num_joints=17, decoupling=FeatureDecoupling(32))
    heatmaps = network(crops)                                   # crops (batch, 3, height, width) RGB uint8

Inference is one pass: direct centre map, anchor at its peak, decoupled heatmaps. What training
adds (PDM, losses) lives in `engine/training_step.py`; this module cannot contain it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from rdpose.geometry import CellGrid, Convention
from rdpose.models.backbone_checks import checked_map, checked_stem, head_of, number_of
from rdpose.models.box_conditioning import NeighbourMap, box_maps
from rdpose.models.decoupling import init_conv, peak

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Normalise(nn.Module):
    """RGB 0..255 (uint8 or float) to the range that backbones are trained in."""

    mean: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        std = torch.tensor(IMAGENET_STD)
        self.register_buffer("mean", 255 * torch.tensor(IMAGENET_MEAN))
        self.register_buffer("scale", 1 / (255 * std))

    def forward(self, image: Tensor) -> Tensor:
        return (image.to(self.mean.dtype) - self.mean[:, None, None]) * self.scale[:, None, None]


class RDPose(nn.Module):
    """Top-down pose network.

    Args:
        backbone: any module that turns a normalised picture (b, 3, H, W) into a map (b, channels, H / stride,
            W / stride), with the attributes `channels` and `stride`. It may offer its two halves as `stem` and `body`,
            with `stem_channels`; people's boxes are then joined between them, and before the first layer otherwise.
            With `coarser_channels`, those of its levels at half the stem's size, a quarter, ..., its body also takes
            `additions`: one map for each of these levels, added to what the level makes. With `head_kernel`, an odd
            number, the head is a convolution of that size; it is 1x1 otherwise.
        num_joints: K.
        decoupling: a module `(features, anchor, maps) -> features`; None is the plain network, without a centre.
        neighbour_aware: join maps of the people's boxes to the features.
        convention: where cells lie in the crop; the maps of the boxes follow it.
    """

    def __init__(
        self,
        backbone: nn.Module,
        num_joints: int,
        *,
        decoupling: nn.Module | None = None,
        neighbour_aware: bool = False,
        convention: Convention = "hrnet",
    ) -> None:
        super().__init__()
        self.num_joints, self.convention = num_joints, convention
        self.normalise = Normalise()
        self.backbone = backbone
        self.channels, self.stride = number_of(backbone, "channels"), number_of(backbone, "stride")
        self.stem_channels, coarser = levels(backbone)
        self.neighbour_map = NeighbourMap(self.stem_channels, coarser) if neighbour_aware else None
        self.decoupling = decoupling
        num_maps = num_joints + (decoupling is not None)
        self.head = head_of(backbone, num_maps)
        init_conv(self.head, std=0.01)

    def forward(self, image: Tensor, neighbours: Tensor | None = None, box: Tensor | None = None) -> Tensor:
        """Heatmaps of the person that each crop was made for.

        Args:
            image: (batch, 3, height, width) RGB, 0..255, uint8 or float.
            neighbours: (batch, others, 4) boxes of the other people, x1, y1, x2, y2 in crop pixels; a row without
                area is padding. None: not known.
            box: (batch, 4) the person's own box, likewise.

        Returns:
            (batch, joints, height / stride, width / stride).

        Raises:
            ValueError: as `checked_map`.
        """
        features, maps = self.features(image, neighbours, box)
        if self.decoupling is None:
            return self.head(features)
        return self.decouple(features, self.anchor(self.center(features), maps), maps)[:, :-1]

    def center(self, features: Tensor) -> Tensor:
        """(batch, 1, height, width): the last of the direct maps, all that inference needs of them."""
        assert self.head.bias is not None
        return conv2d(features, self.head.weight[-1:], self.head.bias[-1:], padding=self.head.weight.shape[-1] // 2)

    def features(
        self, image: Tensor, neighbours: Tensor | None = None, box: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """What the head reads, (batch, channels, height / stride, width / stride), and the maps of the boxes there."""
        normalised = self.normalise(image)
        if self.neighbour_map is None:
            return checked_map(self.backbone(normalised), image, channels=self.channels, stride=self.stride), None
        stem, body = split(self.backbone)
        early = checked_stem(stem(normalised), self.stem_channels)
        maps = box_maps(neighbours, box, early, CellGrid.between(self.convention, image, early))
        joined, additions = self.neighbour_map(early, maps), self.neighbour_map.additions(maps)
        found = body(joined, additions) if additions else body(joined)
        features = checked_map(found, image, channels=self.channels, stride=self.stride)
        if features.shape[-2:] != early.shape[-2:]:
            maps = box_maps(neighbours, box, features, CellGrid.between(self.convention, image, features))
        return features, maps

    def anchor(self, direct: Tensor, maps: Tensor | None) -> Tensor:
        """(batch, 2) x, y in cells: the peak of direct heatmaps' last channel, the centre; (batch, 1 or more, h, w).

        Where the own box is known, only the centre map's part near the box's centre counts.
        """
        center = direct[:, -1]
        if maps is None:
            return peak(center)
        prior = maps[:, 1]
        known = prior.amax(dim=(1, 2), keepdim=True) > 0
        return peak(torch.where(known, center.clamp(min=1e-4) * prior.to(center.dtype), center))

    def decouple(self, features: Tensor, anchor: Tensor, maps: Tensor | None) -> Tensor:
        """(batch, joints + 1, height, width): heatmaps and centre map seen from `anchor` ((batch, 2) x, y in cells)."""
        assert self.decoupling is not None
        return self.head(self.decoupling(features, anchor, maps))


def levels(backbone: nn.Module) -> tuple[int, tuple[int, ...]]:
    """Channels that the boxes join after the stem, and those of the coarser levels that take additions."""
    if split(backbone)[1] is backbone:
        return 3, ()
    return getattr(backbone, "stem_channels", 3), tuple(getattr(backbone, "coarser_channels", ()))


Half = Callable[..., Tensor]


def split(backbone: nn.Module) -> tuple[Half, Half]:
    """A backbone's stem and body; a backbone of one piece is all body."""
    stem, body = getattr(backbone, "stem", None), getattr(backbone, "body", None)
    return (stem, body) if callable(stem) and callable(body) else (nn.Identity(), backbone)
