"""FDM against its formulas written out in numpy; anchors at and beyond the borders; what a residual starts as."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from rdpose.models.box_conditioning import NUM_MAPS
from rdpose.models.decoupling import FeatureDecoupling, NeighbourDecoupling, anchor_offsets, features_at, peak


def by_hand(module: FeatureDecoupling, features: np.ndarray, x: int, y: int) -> np.ndarray:
    """One person's features (channels, height, width) for the anchor cell (x, y), loop by loop."""
    weights = {key: tensor.detach().double().numpy() for key, tensor in module.state_dict().items()}
    _, height, width = features.shape
    anchor = features[:, y, x]
    by_channel = features * (weights["channel.weight"] @ anchor + weights["channel.bias"])[:, None, None]
    likeness = (features * (weights["place.weight"] @ anchor + weights["place.bias"])[:, None, None]).sum(0)
    mask = convolved(np.stack([likeness, *offsets(x, y, height, width)]), weights)
    by_place = features / (1 + np.exp(-mask))
    both = np.concatenate([by_channel, by_place])
    fused = np.einsum("oc,chw->ohw", weights["fuse.weight"][:, :, 0, 0], both) + weights["fuse.bias"][:, None, None]
    return features + fused if module.residual else np.maximum(fused, 0)


def neighbour_by_hand(
    module: NeighbourDecoupling, features: np.ndarray, x: int, y: int, maps: np.ndarray
) -> np.ndarray:
    """The same for the FDM that knows the others; maps (NUM_MAPS, height, width)."""
    weights = {key: tensor.detach().double().numpy() for key, tensor in module.state_dict().items()}
    anchor, near = features[:, y, x], maps[3]
    other = (features * near).sum((1, 2)) / max(near.sum(), 1)
    gates = weights["channel.weight"] @ np.append(anchor, other) + weights["channel.bias"]
    likeness = np.einsum("chw,c->hw", features, weights["place.weight"] @ anchor + weights["place.bias"])
    rivalry = np.einsum("chw,c->hw", features, weights["other_place.weight"] @ other + weights["other_place.bias"])
    seen = np.stack([likeness, rivalry, *offsets(x, y, *likeness.shape), *maps])
    return features * (1 + gates[:, None, None] + np.tanh(convolved(seen, weights)))


def offsets(x: int, y: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    dx = np.tile((x - np.arange(width)) / width, (height, 1))
    return dx, np.tile((y - np.arange(height))[:, None] / height, (1, width))


def convolved(seen: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """(height, width): the mask's 5x5 convolution, cell by cell."""
    padded, mask = np.pad(seen, ((0, 0), (2, 2), (2, 2))), np.empty(seen.shape[1:])
    for row, column in np.ndindex(mask.shape):
        window = padded[:, row : row + 5, column : column + 5]
        mask[row, column] = (window * weights["mask.weight"][0]).sum() + weights["mask.bias"][0]
    return mask


def make(residual: bool, channels: int = 6) -> FeatureDecoupling:
    torch.manual_seed(3)
    module = FeatureDecoupling(channels, residual=residual)
    if residual:
        torch.nn.init.normal_(module.fuse.weight)
    return module


@pytest.mark.parametrize("residual", [False, True])
def test_the_formulas_by_hand(residual: bool) -> None:
    module = make(residual)
    features = torch.randn(2, 6, 7, 5, generator=torch.Generator().manual_seed(1))
    cells = [(4, 1), (0, 6)]
    found = module(features, torch.tensor(cells, dtype=torch.float32))
    for index, (x, y) in enumerate(cells):
        expected = by_hand(module, features[index].double().numpy(), x, y)
        np.testing.assert_allclose(found[index].detach().numpy(), expected, atol=1e-5)


def test_the_formulas_that_know_the_others_by_hand() -> None:
    generator = torch.Generator().manual_seed(2)
    module = NeighbourDecoupling(6)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    features = torch.randn(2, 6, 7, 5, generator=generator)
    maps = torch.rand(2, NUM_MAPS, 7, 5, generator=generator)
    maps[1, 3] *= 0.01  # nobody is near: less than one cell in all
    cells = [(4, 1), (0, 6)]
    found = module(features, torch.tensor(cells, dtype=torch.float32), maps)
    for index, (x, y) in enumerate(cells):
        given = features[index].double().numpy(), x, y, maps[index].double().numpy()
        np.testing.assert_allclose(found[index].detach().numpy(), neighbour_by_hand(module, *given), atol=1e-5)


@pytest.mark.parametrize(
    ("anchor", "cell"),
    [((0.0, 0.0), (0, 0)), ((4.0, 6.0), (4, 6)), ((2.4, 3.6), (2, 4)), ((-9.0, 3.0), (0, 3)), ((99.0, 99.0), (4, 6))],
)
def test_the_nearest_cell_inside_is_taken(anchor: tuple[float, float], cell: tuple[int, int]) -> None:
    features = torch.arange(3 * 7 * 5).reshape(1, 3, 7, 5).float()
    assert torch.equal(features_at(features, torch.tensor([anchor]))[0], features[0, :, cell[1], cell[0]])


def test_offsets_point_to_the_anchor_in_units_of_the_map() -> None:
    offsets = anchor_offsets(torch.zeros(1, 1, 4, 8), torch.tensor([[2.0, 3.0]]))[0]
    assert torch.equal(offsets[:, 3, 2], torch.zeros(2))
    assert offsets[:, 0, 0].tolist() == [2 / 8, 3 / 4]
    assert offsets[:, 3, 7].tolist() == [-5 / 8, 0]


def test_a_residual_starts_as_the_identity() -> None:
    features = torch.randn(2, 6, 7, 5)
    assert torch.equal(FeatureDecoupling(6, residual=True)(features, torch.zeros(2, 2)), features)
    assert torch.equal(NeighbourDecoupling(6)(features, torch.zeros(2, 2), torch.rand(2, NUM_MAPS, 7, 5)), features)


def test_the_anchor_decides() -> None:
    module, features = make(residual=False), torch.randn(1, 6, 7, 5).abs()
    left, right = (module(features, torch.tensor([[x, 3.0]])) for x in (0.0, 4.0))
    assert (left - right).abs().max() > 1e-3


@pytest.mark.parametrize("cell", [(0, 0), (4, 6), (3, 2)])
def test_peak_is_x_then_y(cell: tuple[int, int]) -> None:
    heatmap: Tensor = torch.zeros(1, 7, 5)
    heatmap[0, cell[1], cell[0]] = 1
    assert peak(heatmap).tolist() == [list(cell)]
