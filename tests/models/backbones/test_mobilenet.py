"""MobileNet's convolutions are padded as TensorFlow pads, its pyramid reads the blocks that it should."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rdpose.models.backbones.mobilenet import BLOCKS, ENDS, InvertedResidual, MobileNetFPN


def tensorflows(x: torch.Tensor, weight: torch.Tensor, groups: int) -> torch.Tensor:
    """A 3x3 convolution of stride 2 with `padding="SAME"`, by hand: output i reads rows 2i to 2i + 2, zero beyond."""
    _, channels, height, width = x.shape
    found = torch.zeros(1, len(weight), height // 2, width // 2)
    for out, row, column in (
        (o, r, c) for o in range(len(weight)) for r in range(height // 2) for c in range(width // 2)
    ):
        read = [out] if groups > 1 else range(channels)
        for kernel, channel in enumerate(read):
            seen = x[0, channel, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            found[0, out, row, column] += (seen * weight[out, kernel, : seen.shape[0], : seen.shape[1]]).sum()
    return found


@torch.no_grad()
@pytest.mark.parametrize(("height", "width"), [(4, 6), (2, 8)])
def test_strided_blocks_are_padded_as_tensorflow_pads(height: int, width: int) -> None:
    torch.manual_seed(0)
    block = InvertedResidual(3, 5, stride=2, expand=False)
    block.project = nn.Conv2d(3, 3, 1)
    block.project.weight.copy_(torch.eye(3)[..., None, None])
    block.project.bias.zero_()
    x = torch.rand(1, 3, height, width)
    expected = tensorflows(x, block.depthwise.weight, groups=3) + block.depthwise.bias[:, None, None]
    torch.testing.assert_close(block(x), expected.clamp(0, 6))


@torch.no_grad()
def test_the_first_convolution_is_padded_as_tensorflow_pads() -> None:
    torch.manual_seed(0)
    network = MobileNetFPN()
    network.blocks = nn.ModuleList([nn.Identity()] * len(BLOCKS))
    image = torch.randn(1, 3, 32, 32)
    expected = tensorflows(image, network.conv_stem.weight, groups=1) + network.conv_stem.bias[:, None, None]
    torch.testing.assert_close(network.stem(image), expected.clamp(0, 6), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_pyramid_reads_four_strides_and_leaves_blocks_10_to_12_out() -> None:
    network, strides, stride = MobileNetFPN(), [], 2
    for block in network.blocks:
        stride *= block.depthwise.stride[0]
        strides.append(stride)
    assert [strides[end - 1] for end in ENDS] == [4, 8, 16, 32]
    assert [place for place, one in enumerate(strides) if one == 16] == list(range(6, 13))
    assert (network.stem_channels, network.coarser_channels) == (40, (56, 112, 560))


def test_a_frozen_start_changes_nothing_and_is_not_spoilt_by_working_in_place() -> None:
    torch.manual_seed(0)
    network, image = MobileNetFPN(), torch.randn(1, 3, 64, 64)
    kept = image.clone()
    expected = network(image)
    network.conv_stem.requires_grad_(False)
    network.blocks[:3].requires_grad_(False)
    found = network(image)
    found.sum().backward()
    torch.testing.assert_close(found, expected)
    assert torch.equal(image, kept)
    assert network.blocks[0].project.weight.grad is None
    assert network.blocks[3].project.weight.grad is not None
