"""Depthwise convolution whose backward pass is fast on processors in bfloat16.

oneDNN has fast kernels for some depthwise gradients and falls back to plain loops for the others: for 5x5 weights, and
in bfloat16 for what reaches the input of a strided layer (50 ms for one layer whose forward pass takes 0.3). The
gradients are therefore put together here from the kernels that it has:

- to the input: a forward convolution of the gradient, spread over the stride, with the kernel turned around;
- to 5x5 weights: those of four 3x3 kernels, shifted by two, that cover the kernel's corners (and its middle twice).

Only training under bfloat16 on a processor takes this way (`benchmarks/training_step.py`); the layer is an `nn.Conv2d`.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

ROW = 3
"""Side of the kernels whose weights' gradient is fast."""


class DepthwiseConv(nn.Conv2d):
    """(b, channels, h, w) -> (b, channels, h / stride, w / stride): one kernel of odd size per channel."""

    def __init__(self, channels: int, size: int, stride: int = 1, *, bias: bool = False) -> None:
        super().__init__(channels, channels, size, stride, size // 2, groups=channels, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        if not self._trains_in_bfloat16(input):
            return super().forward(input)
        found = _Depthwise.apply(input.bfloat16(), self.weight.bfloat16(), self.stride[0])
        return found if self.bias is None else found + self.bias.bfloat16()[:, None, None]

    def _trains_in_bfloat16(self, x: Tensor) -> bool:
        """On a processor, where a gradient is wanted, with a kernel whose gradients are put together here."""
        asked = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") is torch.bfloat16
        fits = self.kernel_size[0] in (ROW, 5) and x.dtype in (torch.float32, torch.bfloat16)
        trains = torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad)
        return asked and fits and x.device.type == "cpu" and trains


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return conv2d(x, weight, None, stride, weight.shape[-1] // 2, groups=x.shape[1])

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[Tensor | None, Tensor | None, None]:
        (grad,) = grad_outputs
        x, weight = ctx.saved_tensors
        to_input, to_weight, _ = ctx.needs_input_grad
        if ctx.stride > 1 and (to_input or weight.shape[-1] > ROW):
            spread = torch.zeros_like(x)
            spread[:, :, :: ctx.stride, :: ctx.stride] = grad
        else:
            spread = grad
        return (
            gradient_of_input(spread, weight) if to_input else None,
            gradient_of_weight(x, weight, grad, spread, ctx.stride) if to_weight else None,
            None,
        )


def gradient_of_input(spread: Tensor, weight: Tensor) -> Tensor:
    """(b, c, h, w) of a depthwise convolution's output gradient spread to its input's size, and its weight."""
    return conv2d(spread, weight.flip(2, 3), None, 1, weight.shape[-1] // 2, groups=len(weight))


def gradient_of_weight(x: Tensor, weight: Tensor, grad: Tensor, spread: Tensor, stride: int) -> Tensor:
    """(c, 1, k, k), k 3 or 5, of a depthwise convolution's input and its output's gradient, as it is and spread."""
    if weight.shape[-1] == ROW:
        return _native(x, weight, grad, stride, 1)
    (height, width), found, corner = spread.shape[-2:], torch.empty_like(weight), weight[:, :, :ROW, :ROW]
    framed = pad(x, (2, 2, 2, 2))
    for top, left in product((0, 2), repeat=2):
        seen = framed[:, :, top : top + height + 2, left : left + width + 2]
        seen = seen.contiguous(memory_format=torch.channels_last)
        found[:, :, top : top + ROW, left : left + ROW] = _native(seen, corner, spread, 1, 0)
    return found


def _native(x: Tensor, weight: Tensor, grad: Tensor, stride: int, padding: int) -> Tensor:
    step, around = [stride, stride], [padding, padding]
    groups, wanted = x.shape[1], [False, True, False]
    return torch.ops.aten.convolution_backward(
        grad, x, weight, None, step, around, [1, 1], False, [0, 0], groups, wanted
    )[1]
