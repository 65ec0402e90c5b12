"""The gradients put together for bfloat16 on a processor are those of the convolution."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rdpose.models.backbones.depthwise import DepthwiseConv, gradient_of_input, gradient_of_weight

SHAPES = [(size, stride, height, width) for size in (3, 5) for stride in (1, 2) for height, width in ((6, 8), (7, 5))]


def reference(layer: DepthwiseConv, x: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of the input and of the weight, as torch computes them in the tensors' own precision."""
    x = x.clone().requires_grad_()
    nn.Conv2d.forward(layer, x).backward(grad)
    assert x.grad is not None
    assert layer.weight.grad is not None
    return x.grad, layer.weight.grad


@pytest.mark.parametrize(("size", "stride", "height", "width"), SHAPES)
def test_gradients_are_the_convolutions(size: int, stride: int, height: int, width: int) -> None:
    torch.manual_seed(0)
    layer, x = DepthwiseConv(6, size, stride).double(), torch.randn(2, 6, height, width).double()
    grad = torch.randn_like(layer(x))
    to_input, to_weight = reference(layer, x, grad)
    spread = torch.zeros_like(x)
    spread[:, :, ::stride, ::stride] = grad
    weight = layer.weight.detach()
    torch.testing.assert_close(gradient_of_input(spread, weight), to_input)
    torch.testing.assert_close(gradient_of_weight(x, weight, grad, spread, stride), to_weight)


@pytest.mark.parametrize(("size", "stride", "height", "width"), SHAPES)
def test_training_in_bfloat16_takes_them(size: int, stride: int, height: int, width: int) -> None:
    torch.manual_seed(0)
    layer, x = DepthwiseConv(6, size, stride), torch.randn(2, 6, height, width).bfloat16()
    expected = reference(layer, x.float(), grad := torch.randn_like(layer(x.float())))
    layer.weight.grad, given = None, x.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(given)
    assert out.grad_fn is not None
    assert "_Depthwise" in out.grad_fn.name()
    out.backward(grad.bfloat16())
    for found, wanted in zip((given.grad, layer.weight.grad), expected, strict=True):
        assert found is not None
        torch.testing.assert_close(found.float(), wanted, atol=0.05 * float(wanted.abs().max()), rtol=0)


@pytest.mark.parametrize(("size", "stride"), [(3, 1), (3, 2), (5, 2)])
def test_a_bias_in_bfloat16_is_torchs(size: int, stride: int) -> None:
    """The answer is plain torch's to a rounding or two, and so is the gradient of the bias."""
    torch.manual_seed(0)
    layer, x = DepthwiseConv(6, size, stride, bias=True), torch.randn(2, 6, 8, 6).bfloat16()
    assert layer.bias is not None
    layer.bias.data.uniform_(-3, 3)
    expected = nn.Conv2d.forward(layer, x.float())
    grad = torch.randn_like(expected).bfloat16()
    expected.backward(grad.float())
    wanted, layer.bias.grad = layer.bias.grad, None
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(x)
    assert found.dtype is torch.bfloat16
    torch.testing.assert_close(found.float(), expected, atol=0.03, rtol=0.01)
    found.backward(grad)
    torch.testing.assert_close(layer.bias.grad, wanted, atol=0.15, rtol=0.02)


def test_a_norm_folded_in_keeps_its_say() -> None:
    layer, x = DepthwiseConv(4, 3), torch.randn(1, 4, 8, 8)
    layer.bias = nn.Parameter(torch.full((4,), 100.0))
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x).mean() > 90


def test_where_nothing_trains_it_is_a_convolution() -> None:
    """A frozen layer of a frozen input takes torch's fast way forward, with a gradient wanted elsewhere."""
    layer, x = DepthwiseConv(4, 3).requires_grad_(False), torch.randn(1, 4, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x).grad_fn is None
        torch.testing.assert_close(layer(x), nn.Conv2d.forward(layer, x), rtol=0, atol=0)


def test_a_frozen_kernel_and_a_first_layer_get_no_gradient() -> None:
    layer, x = DepthwiseConv(4, 5), torch.randn(1, 4, 8, 8, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        layer.requires_grad_(False)(x).sum().backward()
        assert x.grad is not None
        assert layer.weight.grad is None
        layer.requires_grad_(True)(x.detach()).sum().backward()
        assert layer.weight.grad is not None


@pytest.mark.parametrize("size", [3, 7])
def test_elsewhere_it_is_a_convolution(size: int) -> None:
    layer, x = DepthwiseConv(4, size), torch.randn(1, 4, 8, 8)
    torch.testing.assert_close(layer(x), nn.Conv2d.forward(layer, x), rtol=0, atol=0)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        torch.testing.assert_close(layer(x), nn.Conv2d.forward(layer, x), rtol=0, atol=0)
