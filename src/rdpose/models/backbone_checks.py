"""Whether a module is a backbone, and gives the map that it says: errors name what was found and what to set."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from torch import Tensor, nn

NEEDED = {"channels": "of the map that it gives", "stride": "pixels of the image for each cell of that map"}


def number_of(backbone: nn.Module, name: str) -> int:
    """A backbone's `channels` or `stride`.

    Raises:
        ValueError: one of the two is missing, or is no whole number above 0; both are told.
    """
    wrong = [_told(backbone, each) for each in NEEDED if not _is_count(getattr(backbone, each, None))]
    if wrong:
        means = "; ".join(f"`{each}` is one whole number, {meaning}" for each, meaning in NEEDED.items())
        raise ValueError(f"{type(backbone).__name__} is no backbone: it has {' and '.join(wrong)}; set both ({means})")
    return int(getattr(backbone, name))


def head_of(backbone: nn.Module, num_maps: int) -> nn.Conv2d:
    """The layer behind a backbone that makes `num_maps` maps of its features: a 1x1 convolution, or one of the
    backbone's `head_kernel` (an odd number), where it has that."""
    kernel = getattr(backbone, "head_kernel", 1)
    return nn.Conv2d(number_of(backbone, "channels"), num_maps, kernel, padding=kernel // 2)


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) > 0


def _told(backbone: nn.Module, name: str) -> str:
    return f"{name} = {getattr(backbone, name)!r}"[:80] if hasattr(backbone, name) else f"no {name}"


def checked_stem(early: Tensor, channels: int) -> Tensor:
    """A stem's map itself, if it has the channels that the backbone says.

    Raises:
        ValueError: it has others.
    """
    _refuse_no_map(early, "the backbone's stem")
    if early.shape[1] != channels:
        raise ValueError(
            f"the backbone's stem gives {early.shape[1]} channels where its `stem_channels` say {channels}: set "
            f"stem_channels = {early.shape[1]}"
        )
    return early


def checked_map(features: Tensor, image: Tensor, *, channels: int, stride: int) -> Tensor:
    """A backbone's map itself (b, C, h, w), if it has these channels, and cells of `stride` pixels of the image.

    Targets, boxes and decoding all take cells so: with cells of any other size joints would be found elsewhere.

    Raises:
        ValueError: it has not; or the stride does not divide the image's sides.
    """
    _refuse_no_map(features, "the backbone")
    if features.shape[1] != channels:
        raise ValueError(
            f"the backbone gives {features.shape[1]} channels where its `channels` say {channels}: set "
            f"channels = {features.shape[1]}"
        )
    (height, width), (rows, columns) = image.shape[-2:], features.shape[-2:]
    if (rows * stride, columns * stride) != (height, width):
        raise ValueError(
            f"the backbone makes {columns}x{rows} cells of a crop of {width}x{height}, which its stride of {stride} "
            f"does not: set model.image_size to multiples of {stride}, or the backbone's `stride` to what it is"
        )
    return features


def _refuse_no_map(found: Any, whose: str) -> None:
    if not isinstance(found, Tensor):
        raise ValueError(
            f"{whose} gives a {type(found).__name__} and no tensor: let its forward return one map "
            "(batch, channels, height, width)"
        )
    if found.ndim != 4:
        raise ValueError(
            f"{whose} gives a tensor of shape {tuple(found.shape)}: let its forward return a map "
            "(batch, channels, height, width)"
        )
