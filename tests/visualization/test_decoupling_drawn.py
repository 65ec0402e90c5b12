"""What the method does to a crop, drawn: rows for people with a neighbour, masks in 0..1, bars up and down."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rdpose.data import annotations
from rdpose.data.loaders import PictureDataset
from rdpose.geometry import CellGrid
from rdpose.models import builders
from rdpose.models.box_conditioning import box_maps
from rdpose.models.decoupling import FeatureDecoupling, NeighbourDecoupling
from rdpose.visualization import decoupling

CHANNELS = 6
BOXES = torch.tensor([[[0.0, 0.0, 30.0, 60.0]]]), torch.tensor([[20.0, 10.0, 50.0, 90.0]])


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(1, CHANNELS, 24, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("pull", [-50.0, 0.0, 50.0])
def test_a_mask_is_shown_from_0_to_1_and_in_the_middle_where_it_does_nothing(features, pull: float) -> None:
    maps = box_maps(*BOXES, features, CellGrid((4.0, 4.0), (0.0, 0.0)))
    fdm = NeighbourDecoupling(CHANNELS)
    assert fdm.mask.bias is not None
    fdm.mask.bias.data.fill_(pull)
    mask, weights = decoupling.inside(fdm, features, torch.tensor([[8.0, 12.0]]), maps)
    assert weights.shape == (1, CHANNELS)
    assert mask.shape == (1, 1, 24, 16)
    assert torch.allclose(mask, torch.full_like(mask, {-50.0: 0.0, 0.0: 0.5, 50.0: 1.0}[pull]))


def test_the_papers_mask_is_shown_as_it_is(features) -> None:
    fdm, anchor = FeatureDecoupling(CHANNELS), torch.tensor([[8.0, 12.0]])
    mask, _ = decoupling.inside(fdm, features, anchor, None)
    own = fdm.spatial_mask(features, features[:, :, 12, 8], anchor)
    assert torch.equal(mask, own)


def test_bars_stand_up_for_more_and_hang_for_less() -> None:
    drawn = decoupling.bars(np.array([1.0, -1.0, 0.0]), 90)
    coloured = (drawn != 255).any(axis=2)
    assert coloured[10:45, 5:20].all()
    assert not coloured[50:, 5:20].any()
    assert coloured[50:80, 35:50].all()
    assert not coloured[:40, 35:50].any()
    assert coloured[:, 65:80].sum(axis=0).max() == 1  # a line in the middle


@pytest.fixture
def crowd(tiny_crowd: Path) -> PictureDataset:
    people = annotations.read(tiny_crowd / "annotations/person_keypoints_val2017.json", tiny_crowd / "images/val2017")
    return PictureDataset(people, (64, 96), max_neighbours=8)


@pytest.mark.parametrize("variant", ["rdpose", "rdpose-paper"])
def test_a_row_for_each_of_the_first_pictures_with_neighbours(crowd: PictureDataset, variant: str) -> None:
    network = builders.build("hrnet_small", variant, num_joints=17).eval()
    panel = decoupling.draw(network, crowd, num=2)
    chosen = decoupling.crowded(crowd, 2)
    assert len(chosen) == 2
    assert all(len(one.image) == 1 and one.neighbours.any() for one in chosen)
    single = decoupling.draw(network, crowd, num=1)
    assert panel.shape[1] == single.shape[1] > 6 * 96
    assert panel.shape[0] > single.shape[0] + 150


def test_what_has_nothing_to_show_is_refused(crowd: PictureDataset) -> None:
    with pytest.raises(ValueError, match="decouples nothing"):
        decoupling.draw(builders.build("hrnet_small", "plain", num_joints=17), crowd)
    alone = PictureDataset(crowd.people.select(np.arange(1)), (64, 96), max_neighbours=8)
    with pytest.raises(ValueError, match="nobody in these pictures has a neighbour"):
        decoupling.draw(builders.build("hrnet_small", "rdpose", num_joints=17).eval(), alone)
