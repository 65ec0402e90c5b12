"""Muon: momentum whose update is orthogonalised, for the kernels of convolutions.

A step moves all singular directions of a kernel equally far, where Adam follows the few that dominate. From scratch a
small network then learns from far fewer crops. Formula: K. Jordan et al., "Muon: an optimizer
for hidden layers in neural networks", 2024; torch's own class takes matrices alone, and computes in bfloat16.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of the Newton-Schulz step X <- aX + (bA + cAA)X with A = XX', steepest at zero."""
RATE = 15.0
"""A kernel's step in units of the learning rate, so that one rate serves Muon and the AdamW beside it."""


class Muon(torch.optim.Optimizer):
    """Moves kernels (out, in, height, width), each taken as a matrix (out, rest).

    Args:
        kernels: what is moved, or groups of them as every optimizer of torch takes them.
        lr: a kernel moves by `RATE * lr`, times the square root of its matrix's height over its width if above 1.
        momentum: of the gradients, Nesterov's.
        weight_decay: in units of the learning rate, apart from the gradients.
    """

    def __init__(
        self,
        kernels: Sequence[Tensor] | Sequence[dict[str, Any]],
        *,
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(kernels, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyrefly: ignore [bad-override]
        """One step from the gradients that are there; kernels of one shape are treated together."""
        for group in self.param_groups:
            alike: dict[tuple[int, int], list[Tensor]] = {}
            for kernel in group["params"]:
                if kernel.grad is not None:
                    alike.setdefault((kernel.shape[0], kernel[0].numel()), []).append(kernel)
            for shape, kernels in alike.items():
                moved = [self._momentum(kernel, group["momentum"]).reshape(shape) for kernel in kernels]
                steps = RATE * group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5 * orthogonal(torch.stack(moved))
                torch._foreach_mul_(kernels, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_sub_(kernels, [step.reshape(k.shape) for step, k in zip(steps, kernels, strict=True)])

    def _momentum(self, kernel: Tensor, momentum: float) -> Tensor:
        assert kernel.grad is not None
        state = self.state[kernel]
        if not state:
            state["momentum"] = torch.zeros_like(kernel)
        state["momentum"].lerp_(kernel.grad, 1 - momentum)
        return kernel.grad.lerp(state["momentum"], momentum)


def orthogonal(matrices: Tensor, steps: int = 4) -> Tensor:
    """(batch, height, width): roughly the nearest matrices whose rows, or columns, are orthonormal.

    Singular values end between about 0.5 and 1.5, except those that are next to nothing.
    """
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    a, b, c = QUINTIC
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x
