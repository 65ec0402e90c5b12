"""What the method does to a crop, drawn: anchor, spatial mask, channel weights, heatmaps before and after.

drawing.save("inside.png", decoupling.draw(network, PictureDataset(people, (192, 256), max_neighbours=8)))
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from rdpose import drawing
from rdpose.data.crops import PictureCrops
from rdpose.data.loaders import PictureDataset
from rdpose.geometry import CellGrid
from rdpose.models.decoupling import NeighbourDecoupling, features_at
from rdpose.models.rdpose import RDPose

TITLES = ("crop and boxes", "direct, anchor", "spatial mask", "channel weights", "decoupled", "what it took away")


def draw(network: RDPose, dataset: PictureDataset, num: int = 4) -> np.ndarray:
    """A panel with a row for each of the first `num` pictures where somebody has a neighbour.

    Raises:
        ValueError: the network decouples nothing, or there is no such picture.
    """
    if network.decoupling is None:
        raise ValueError("this network decouples nothing, so there is nothing to draw; give one of variant rdpose")
    rows = [row(network, crops) for crops in crowded(dataset, num)]
    if not rows:
        raise ValueError("nobody in these pictures has a neighbour; give pictures of crowds")
    return drawing.panel(rows, titles=TITLES, cell_height=192)


def crowded(dataset: PictureDataset, num: int) -> list[PictureCrops]:
    """For each of the first pictures with neighbours, the person whose crop they fill most, as a crop of its own."""
    found = []
    for index in range(len(dataset)):
        crops = dataset[index]
        limit = torch.tensor(crops.image.shape[:-3:-1] * 2)
        corners = crops.neighbours.clamp(min=0).minimum(limit)
        size = (corners[..., 2:] - corners[..., :2]).clamp(min=0).prod(-1).sum(1)
        if size.max() > 0:
            best = int(size.argmax())
            found.append(crops.rows(slice(best, best + 1)))
        if len(found) == num:
            break
    return found


@torch.inference_mode()
def row(network: RDPose, crops: PictureCrops) -> list[np.ndarray]:
    """The pictures of one person, in the order of `TITLES`."""
    features, maps = network.features(*crops.inputs)
    direct = network.head(features)
    anchor = network.anchor(direct, maps)
    after = network.decouple(features, anchor, maps)
    mask, weights = inside(network.decoupling, features, anchor, maps)
    crop = np.ascontiguousarray(crops.image[0].permute(1, 2, 0).numpy())
    boxes = torch.cat([crops.box, crops.neighbours[0]]).numpy()
    boxes = boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]
    before_map, after_map = direct[0, :-1].amax(0).numpy(), after[0, :-1].amax(0).numpy()
    top, convention = float(max(before_map.max(), after_map.max())), network.convention
    place = CellGrid.between(convention, crops.image, features).to_pixels(anchor[0]).numpy()
    return [
        drawing.draw_boxes(crop, boxes, labels=["own", *[""] * (len(boxes) - 1)]),
        drawing.draw_anchor(drawing.draw_heatmap(crop, before_map, peak=top, convention=convention), place),
        drawing.draw_heatmap(crop, mask[0, 0].numpy(), peak=1.0, convention=convention),
        bars(weights[0].numpy(), crop.shape[0]),
        drawing.draw_heatmap(crop, after_map, peak=top, convention=convention),
        drawing.draw_heatmap(crop, np.maximum(before_map - after_map, 0), peak=top / 4, convention=convention),
    ]


def inside(fdm: nn.Module | None, features: Tensor, anchor: Tensor, maps: Tensor | None) -> tuple[Tensor, Tensor]:
    """FDM's spatial mask (1, 1, h, w), brought to 0..1, and its channel weights (1, channels)."""
    vector = features_at(features, anchor)
    if isinstance(fdm, NeighbourDecoupling):
        assert maps is not None
        other = fdm.neighbours_vector(features, maps)
        mask = fdm.spatial_mask(features, vector, other, anchor, maps)
        return (1 + mask) / 2, fdm.channel(torch.cat([vector, other], dim=1))
    assert fdm is not None
    return fdm.spatial_mask(features, vector, anchor), fdm.channel(vector)  # pyrefly: ignore [not-callable]


def bars(values: np.ndarray, side: int) -> np.ndarray:
    """(side, side, 3): one bar a channel, up where it is strengthened, down where it is weakened."""
    picture = np.full((side, side, 3), 255, np.uint8)
    scale = side * 0.45 / max(float(np.abs(values).max()), 1e-9)
    edges = np.linspace(0, side, len(values) + 1).astype(int)
    for value, left, right in zip(values, edges[:-1], edges[1:], strict=True):
        low, high = sorted((side // 2, side // 2 - int(value * scale)))
        color = (230, 126, 34) if value > 0 else (52, 120, 190)
        cv2.rectangle(picture, (int(left), low), (int(right) - 2, high), color, -1)
    return picture
