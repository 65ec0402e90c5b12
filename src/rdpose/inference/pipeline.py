"""Crops to joints: the network, once or with the mirrored crop, and the decoding. Testing and prediction share it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from rdpose import geometry, heatmaps
from rdpose.backends import engines, networks
from rdpose.checkpoints import load as weight_files
from rdpose.checkpoints.infer_config import NOTHING, Asked
from rdpose.config.schema import ModelSettings, Settings, TestSettings
from rdpose.data.crops import PictureCrops
from rdpose.geometry import CellGrid, Convention
from rdpose.inference import refine
from rdpose.models.fuse import fused
from rdpose.skeletons import Skeleton

Network = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(crops, neighbours, box) -> heatmaps (batch, joints, height, width)."""


@dataclass(frozen=True)
class Inference:
    """How crops become joints.

    Args:
        network: what turns crops, neighbours and boxes into heatmaps.
        skeleton: its joints.
        flip: average with the mirrored crop.
        shift: move the mirrored crop's heatmaps by one cell before, as in the HRNet family: its cells are crop pixels
            / stride, so that mirrored cells lie most of a cell off, however they are decoded.
        decode: quarter, dark, udp or argmax.
        sigma: of the targets that the network was trained on, in cells.
        zoom: joints that a second look finds more closely (`rdpose.inference.refine`).
        convention: how its crops lie in the picture, and the cells in them.
    """

    network: Network
    skeleton: Skeleton
    flip: bool = True
    shift: bool = True
    decode: heatmaps.Decoding = "quarter"
    sigma: float = 2.0
    zoom: tuple[int, ...] = ()
    convention: Convention = "hrnet"

    @classmethod
    def of(cls, network: Network, skeleton: Skeleton, test: TestSettings, model: ModelSettings) -> Inference:
        """As the settings of a test, and of the network, say.

        Raises:
            ValueError: they name a joint that the skeleton lacks.
        """
        shift = model.geometry == "hrnet" if test.shift_heatmap is None else test.shift_heatmap
        zoom = skeleton.places(test.zoom)
        return cls(network, skeleton, test.flip, shift, test.decode, model.sigma, zoom, model.geometry)

    @torch.inference_mode()
    def heatmaps(self, crops: Tensor, neighbours: Tensor, box: Tensor) -> Tensor:
        """(batch, joints, h, w) of crops (batch, 3, H, W) uint8; with the flip test one batch of twice the size."""
        if not self.flip:
            return self.network(crops, neighbours, box)
        width = crops.shape[-1]
        both = self.network(
            torch.cat([crops, crops.flip(-1)]),
            torch.cat([neighbours, mirror_boxes(neighbours, width)]),
            torch.cat([box, mirror_boxes(box, width)]),
        ).contiguous()  # all that follows looks at map after map, and takes twice as long where channels come last
        straight, mirrored = both.chunk(2)
        order = torch.from_numpy(self.skeleton.flip_order).to(crops.device)
        return (straight + heatmaps.unflip(mirrored, order, self.shift)) / 2

    @torch.inference_mode()
    def joints(self, crops: Tensor, neighbours: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
        """Joints (batch, joints, 2) in crop pixels, x then y, and confidence (batch, joints)."""
        if not self.zoom:
            return self._look(crops, neighbours, box)
        return refine.refine(self._look, crops, neighbours, box, self.zoom)

    def _look(self, crops: Tensor, neighbours: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.heatmaps(crops, neighbours, box)
        cells, confidence = heatmaps.decode(maps, self.decode, sigma=self.sigma)
        return CellGrid.between(self.convention, crops, maps).to_pixels(cells), confidence

    def in_picture(self, crops: PictureCrops, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
        """Joints (people, joints, 2) in picture pixels and confidence (people, joints), on the CPU."""
        joints, confidence = self.joints(*(part.to(device) for part in crops.inputs))
        back = geometry.invert(crops.transform.numpy())
        return torch.from_numpy(geometry.apply(back, joints.cpu().numpy())), confidence.cpu()


def mirror_boxes(boxes: Tensor, width: int) -> Tensor:
    """Boxes (..., 4) of a mirrored crop; rows without area stay without."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    mirrored = torch.stack([width - 1 - x2, y1, width - 1 - x1, y2], dim=-1)
    return torch.where((x2 > x1)[..., None], mirrored, boxes)


def open_network(path: str | Path, asked: Asked = NOTHING) -> tuple[Network, Settings, Skeleton]:
    """What computes heatmaps, with its settings and joints: weights of any origin, or an exported network.

    Networks of torch come for inference alone, their batch norms folded. `asked`: what a foreign file leaves open.

    Raises:
        FileNotFoundError: there is no such file, or nothing describes an exported network of others.
        ValueError: it holds no pose network, or no engine for it is installed.
    """
    if Path(path).suffix in engines.SUFFIXES:
        return networks.load(path)
    network, settings, skeleton = weight_files.load_network(path, asked)
    return fused(network), settings, skeleton
