"""Batch norms folded into the convolutions before them: the same numbers in fewer passes over the memory.

network = fused(network)            # for inference alone: what training needs is gone
"""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Module = TypeVar("Module", bound=nn.Module)


def fused(network: Module) -> Module:
    """A copy of a network in evaluation mode, each batch norm that follows a convolution folded into it.

    "Follows" is the order in which a module names its parts, as everywhere in this package: a module that names
    them in another order than it runs them is not to be given.

    Raises:
        ValueError: the network is in training mode, whose batch norms depend on the batch.
    """
    if network.training:
        raise ValueError("a network in training mode cannot be fused: its batch norms still change; call eval() first")
    copy = deepcopy(network)
    for module in list(copy.modules()):
        _fold_children(module)
    return copy


def _fold_children(module: nn.Module) -> None:
    previous: tuple[str, nn.Module] | None = None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d) and previous and isinstance(previous[1], nn.Conv2d | nn.ConvTranspose2d):
            transposed = isinstance(previous[1], nn.ConvTranspose2d)
            setattr(module, previous[0], fuse_conv_bn_eval(previous[1], child, transpose=transposed))
            setattr(module, name, nn.Identity())
        previous = name, child
