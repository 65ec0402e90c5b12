"""NanoDet, a small person detector: convolutions whose batch norms are folded in, three strides, one box a cell.

    detector = NanoDet()
    logits, bins = detector(pictures)                    # pictures (b, 3, 416, 416) RGB, 0 to 255
    boxes_xyxy, scores = decode(logits, bins, detector.cells(416, 416))
    save(detector, Path("trained.safetensors"));  detector = load(Path("trained.safetensors"))

The network is NanoDet-g of RangiLyu/nanodet (Apache-2.0): a CSP backbone, a pyramid made of sums alone and one small
head for each stride. Of COCO's 80 classes only the person is kept.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from rdpose.io import files

SIDE_PX = 416
"""The input has as many pixels as a square of this side, and the picture's shape."""
STRIDES = (8, 16, 32)
"""Pixels between neighbouring cells, for each of the three levels."""
NUM_BINS = 11
"""A side's distance from its cell is a distribution over 0, 1, ... 10 strides."""
WIDTHS = (32, 64, 128, 256)
"""Channels inside the backbone's four stages; each gives out twice as many."""
DEPTHS = (1, 2, 2, 3)
"""Residual pairs in each stage."""
PYRAMID_CHANNELS = 128
MEAN_RGB = (123.675, 116.28, 103.53)
DEVIATION_RGB = (58.395, 57.12, 57.375)


class Conv(nn.Sequential):
    """(b, channels_in, h, w) -> (b, channels_out, h / stride, w / stride): 3x3 convolution with bias, leaky ReLU."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__(nn.Conv2d(channels_in, channels_out, 3, stride, padding=1), nn.LeakyReLU(0.1, inplace=True))


class Pair(nn.Module):
    """(b, channels, h, w) -> (b, width, h, w): two convolutions in a row, their answers side by side."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.first = Conv(channels, width // 2)
        self.second = Conv(width // 2, width // 2)

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        return torch.cat((self.second(first), first), dim=1)


class Stage(nn.Module):
    """(b, channels, h, w) -> (b, 2 width, h / stride, w / stride): pairs on one path, a short cut beside it."""

    def __init__(self, channels: int, width: int, *, depth: int, stride: int) -> None:
        super().__init__()
        self.enter = Conv(channels, width, stride)
        self.pairs = nn.Sequential(*(Pair(width, width) for _ in range(depth)))
        self.leave = Conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        entered = self.enter(x)
        return torch.cat((self.leave(self.pairs(entered)), entered), dim=1)


class Pyramid(nn.Module):
    """Three levels brought to the same channels; sums run from coarse to fine, then from fine to coarse."""

    def __init__(self) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(2 * width, PYRAMID_CHANNELS, 1) for width in WIDTHS[1:])

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        fine, middle, coarse = (lateral(level) for lateral, level in zip(self.laterals, levels, strict=True))
        middle = middle + twice(coarse)
        fine = fine + twice(middle)
        middle = middle + half(fine)
        return [fine, middle, coarse + half(middle)]


class Head(nn.Module):
    """(b, PYRAMID_CHANNELS, h, w) -> (b, h w, 1 + 4 NUM_BINS): a person's logit, then the logits of the bins."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = Conv(PYRAMID_CHANNELS, PYRAMID_CHANNELS)
        self.out = nn.Conv2d(PYRAMID_CHANNELS, 1 + 4 * NUM_BINS, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.conv(x)).flatten(2).transpose(1, 2)


class NanoDet(nn.Module):
    """Person detector of 3.8 million weights; its input is RGB, 0 to 255, sides that are multiples of 32."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = Conv(3, WIDTHS[0], stride=2)
        channels = (WIDTHS[0], *(2 * width for width in WIDTHS))
        self.stages = nn.ModuleList(
            Stage(channels[i], WIDTHS[i], depth=DEPTHS[i], stride=1 if i == 0 else 2) for i in range(len(WIDTHS))
        )
        self.pyramid = Pyramid()
        self.heads = nn.ModuleList(Head() for _ in STRIDES)
        self.register_buffer("mean", torch.tensor(MEAN_RGB).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION_RGB).view(1, 3, 1, 1), persistent=False)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """What every cell says.

        Args:
            picture: (b, 3, h, w) RGB, 0 to 255, of any type.

        Returns:
            (b, cells) logits that a person is there, and (b, cells, 4, NUM_BINS) logits of the distances from the
            cell to the person's left, top, right and bottom; cells run level by level, row by row.
        """
        return self.answer((picture.float() - self.mean) / self.deviation)

    def answer(self, normalised: Tensor) -> tuple[Tensor, Tensor]:
        """The same for a picture whose colours are normalised already."""
        x = functional.max_pool2d(self.stem(normalised), 3, 2, padding=1)
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        answers = [head(level) for head, level in zip(self.heads, self.pyramid(levels[1:]), strict=True)]
        joined = torch.cat(answers, dim=1).float()
        return joined[..., 0], joined[..., 1:].unflatten(2, (4, NUM_BINS))

    @staticmethod
    def cells(height_px: int, width_px: int) -> Tensor:
        """(cells, 3): x and y of every cell's middle in pixels and its stride, in the order of the answers."""
        return torch.cat([_cells_of(height_px // stride, width_px // stride, stride) for stride in STRIDES])


def load(path: Path) -> NanoDet:
    """The detector with the weights of a file, in evaluation."""
    detector = NanoDet()
    detector.load_state_dict(load_file(path))
    return detector.eval()


def save(detector: NanoDet, path: Path) -> None:
    """Write the detector's weights, whole or not at all."""
    weights = {key: tensor.contiguous() for key, tensor in detector.state_dict().items()}
    files.write_atomically(path, lambda place: save_file(weights, place))


def decode(logits: Tensor, bins: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Boxes and scores.

    Args:
        logits: (b, cells) as `NanoDet` gives them.
        bins: (b, cells, 4, NUM_BINS) as `NanoDet` gives them.
        cells: (cells, 3) of `NanoDet.cells`.

    Returns:
        (b, cells, 4) boxes x1 y1 x2 y2 in input pixels, not cut at the border, and (b, cells) scores, 0 to 1.
    """
    distance = distances(bins) * cells[:, 2:]
    middle = cells[:, :2]
    return torch.cat((middle - distance[..., :2], middle + distance[..., 2:]), dim=-1), logits.sigmoid()


def distances(bins: Tensor) -> Tensor:
    """(..., 4) mean distances in strides, of (..., 4, NUM_BINS) logits."""
    return bins.softmax(dim=-1) @ torch.arange(NUM_BINS, dtype=bins.dtype, device=bins.device)


def twice(x: Tensor) -> Tensor:
    """(b, c, h, w) -> (b, c, 2 h, 2 w), bilinear."""
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def half(x: Tensor) -> Tensor:
    """(b, c, h, w) -> (b, c, h / 2, w / 2): the mean of 2x2, which is what bilinear halving is."""
    return functional.avg_pool2d(x, 2)


def _cells_of(rows: int, columns: int, stride: int) -> Tensor:
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    middles = (torch.stack((x, y), dim=-1).reshape(-1, 2) + 0.5) * stride
    return torch.cat((middles, torch.full_like(middles[:, :1], stride)), dim=1)
