"""The U-shaped backbone: its size, its halves, any picture it can halve five times."""

from __future__ import annotations

import pytest
import torch

from rdpose.models.unet import UNet, unet_small


def tiny() -> UNet:
    torch.manual_seed(0)
    return UNet((8, 8, 16, 16), (1, 1, 1, 2))


def test_size() -> None:
    with torch.device("meta"):
        network = unet_small()
    assert (network.channels, network.stem_channels, network.stride) == (32, 32, 4)
    assert 2_300_000 < sum(parameter.numel() for parameter in network.parameters()) < 2_400_000


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96), (160, 32)])
def test_features_stand_at_stride_four(height: int, width: int) -> None:
    assert tiny()(torch.zeros(2, 3, height, width)).shape == (2, 8, height // 4, width // 4)


def test_the_body_continues_where_the_stem_ends() -> None:
    network, image = tiny().eval(), torch.randn(1, 3, 64, 32)
    with torch.no_grad():
        torch.testing.assert_close(network.body(network.stem(image)), network(image))


def test_every_level_matters_everywhere() -> None:
    """A change of one corner of the picture reaches the opposite corner of the features, through the coarsest level."""
    network, image = tiny().eval(), torch.randn(1, 3, 64, 64)
    other = image.clone()
    other[..., :8, :8] += 1
    with torch.no_grad():
        assert (network(image) - network(other))[..., -1, -1].abs().max() > 0


def test_other_images_are_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match="divisible by 32"):
        tiny()(torch.zeros(1, 3, 100, 64))
