"""ViTPose (Xu et al., NeurIPS 2022): a plain vision transformer, and one of two decoders back to stride 4.

    backbone = vit("vit_base")              # two deconvolutions, the paper's classic decoder
    backbone = vit("vit_base_simple")       # ReLU and bilinear enlargement; its head is a 3x3 convolution
    features = backbone(image)              # (b, 3, H, W) normalised -> (b, channels, H / 4, W / 4)

Keys and shapes of the state dict are those of the published network, with the deconvolutions of its head. Positions are
learned for 16x12 patches, a crop of 256x192 (height x width); for other sizes they are interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate, scaled_dot_product_attention

from rdpose.models.backbones.blocks import check_image, deconvolutions, init_weights

PATCH, PADDING = 16, 2
"""Pixels: side and stride of the patches, and how far the first one begins before the image."""
GRID = (16, 12)
"""Rows and columns of the patches that positions are learned for."""
FILTERS = (256, 256)
"""Channels of the classic decoder's deconvolutions."""


@dataclass(frozen=True)
class Size:
    """A published transformer: width of its tokens, blocks, attention heads, drop path of the last block."""

    width: int
    depth: int
    heads: int
    drop_path: float


SIZES = {
    "vit_small": Size(384, 12, 12, 0.1),
    "vit_base": Size(768, 12, 12, 0.3),
    "vit_large": Size(1024, 24, 16, 0.5),
    "vit_huge": Size(1280, 32, 16, 0.55),
}
"""As in ViTPose's and mmpose's settings files for COCO."""
SIMPLE = "_simple"
"""Ends the names of those with the simple decoder."""


class DropPath(nn.Module):
    """In training, zero for a random share of the batch and larger for the rest (Huang et al., ECCV 2016).

    Drawn on the processor, whose generator a training saves: resumed, it goes on as it would have.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.rate:
            return x
        kept = (torch.rand(len(x)) >= self.rate).to(x) / (1 - self.rate)
        return x * kept.view(-1, *(1 for _ in x.shape[1:]))


class Attention(nn.Module):
    """Self-attention, (b, tokens, width) -> (b, tokens, width), by torch's flash or memory-efficient kernels."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind()
        return self.proj(scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    """Two layers with four times the width between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(gelu(self.fc1(x)))


class Block(nn.Module):
    """Attention and MLP, each behind a norm and beside a shortcut: (b, tokens, width) -> (b, tokens, width)."""

    def __init__(self, width: int, heads: int, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class PatchEmbed(nn.Module):
    """(b, 3, H, W) -> (b, width, H / 16, W / 16)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, PATCH, PATCH, PADDING)

    def forward(self, image: Tensor) -> Tensor:
        return self.proj(image)


class ViTPose(nn.Module):
    """(b, 3, H, W) normalised float image -> (b, channels, H / 4, W / 4) features; H and W divisible by 32.

    width: of the tokens.
    depth: number of blocks.
    heads: of the attention; they divide the width.
    drop_path: share of the batch that skips the last block in training; it grows from 0 at the first.
    filters: channels of the two deconvolutions; None is the simple decoder, which has none.

    Raises ValueError for an image of another shape.
    """

    stride = 4

    def __init__(
        self,
        width: int,
        depth: int,
        heads: int,
        *,
        drop_path: float = 0.0,
        filters: tuple[int, int] | None = FILTERS,
    ) -> None:
        super().__init__()
        self.channels = filters[-1] if filters else width
        self.head_kernel = 1 if filters else 3
        self.stem_channels = width
        self.patch_embed = PatchEmbed(width)
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + GRID[0] * GRID[1], width))
        rates = [drop_path * number / max(1, depth - 1) for number in range(depth)]
        self.blocks = nn.ModuleList(Block(width, heads, rate) for rate in rates)
        self.last_norm = nn.LayerNorm(width, eps=1e-6)
        self.deconv_layers = nn.Sequential(*deconvolutions(width, *filters)) if filters else None
        self._init_weights()

    def _init_weights(self) -> None:
        """Deviations of .02, as ViT; timm's truncation, at a hundred deviations, does nothing."""
        nn.init.normal_(self.pos_embed, std=0.02)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)
        if self.deconv_layers is not None:
            init_weights(self.deconv_layers)

    def forward(self, image: Tensor) -> Tensor:
        return self.body(self.stem(image))

    def stem(self, image: Tensor) -> Tensor:
        """(b, 3, H, W) -> (b, stem_channels, H / 16, W / 16): the patches, not yet with their positions."""
        check_image(image)
        return self.patch_embed(image)

    def body(self, early: Tensor, additions: Sequence[Tensor] = ()) -> Tensor:
        """What the stem made, or something joined to it -> (b, channels, H / 4, W / 4). There are no additions."""
        rows, columns = early.shape[-2:]
        x = early.flatten(2).transpose(1, 2) + self.positions(rows, columns)
        for block in self.blocks:
            x = block(x)
        x = self.last_norm(x).transpose(1, 2).unflatten(2, (rows, columns))
        if self.deconv_layers is not None:
            return self.deconv_layers(x)
        return interpolate(torch.relu(x), scale_factor=4.0, mode="bilinear")

    def positions(self, rows: int, columns: int) -> Tensor:
        """(1, rows * columns, width): each place's own, and the one of a class token, which all have in common."""
        return resize_positions(self.pos_embed[:, 1:], GRID, (rows, columns)) + self.pos_embed[:, :1]

    def depth_of(self, name: str) -> tuple[int, int]:
        """The layer that a parameter of this name belongs to, and the last one: the embedding is layer 0, the first
        block layer 1, and what follows the blocks is the last."""
        last = len(self.blocks) + 1
        if name.startswith(("patch_embed.", "pos_embed")):
            return 0, last
        return (int(name.split(".")[1]) + 1 if name.startswith("blocks.") else last), last


def resize_positions(positions: Tensor, old: tuple[int, int], new: tuple[int, int]) -> Tensor:
    """(1, rows * columns, width) for a grid (rows, columns) -> the same for another grid, by cubic interpolation."""
    if tuple(old) == tuple(new):
        return positions
    grid = positions.transpose(1, 2).unflatten(2, tuple(old))
    return interpolate(grid, size=tuple(new), mode="bicubic").flatten(2).transpose(1, 2)


def vit(name: str) -> ViTPose:
    """A published size by its name in `SIZES`; a name that ends in `_simple` has the simple decoder."""
    size = SIZES[name.removesuffix(SIMPLE)]
    filters = None if name.endswith(SIMPLE) else FILTERS
    return ViTPose(size.width, size.depth, size.heads, drop_path=size.drop_path, filters=filters)


VITS = {name + decoder: partial(vit, name + decoder) for name in SIZES for decoder in ("", SIMPLE)}
