"""ViTPose's tensors under the names of three projects: its own (and easy_ViTPose's), mmpose 1.x', transformers'.

    tensors, notes = as_published(tensors, "vitpose.pth")   # backbone.blocks.0.attn.qkv.weight, ...
    theirs = to_transformers(network.state_dict())          # backbone.encoder.layer.0.attention.attention.query.weight

Shapes are the published ones, but for two: transformers keeps query, key and value apart, and mmpose 1.x has no
position of a class token. A class token's position of zero stands for none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import isqrt

import torch
from torch import Tensor

from rdpose.models.backbones import vit

POSITIONS = "backbone.pos_embed"
MMPOSE_1 = {
    "backbone.patch_embed.projection.": "backbone.patch_embed.proj.",
    "backbone.layers.N.ln1.": "backbone.blocks.N.norm1.",
    "backbone.layers.N.ln2.": "backbone.blocks.N.norm2.",
    "backbone.layers.N.attn.": "backbone.blocks.N.attn.",
    "backbone.layers.N.ffn.layers.0.0.": "backbone.blocks.N.mlp.fc1.",
    "backbone.layers.N.ffn.layers.1.": "backbone.blocks.N.mlp.fc2.",
    "backbone.ln1.": "backbone.last_norm.",
}
"""mmpretrain's names, which mmpose 1.x uses; N is a number."""
MAE = {"backbone.norm.": "backbone.last_norm."}
"""What ImageNet's transformers name in another way than ViTPose."""
TRANSFORMERS = {
    "backbone.embeddings.patch_embeddings.projection.": "backbone.patch_embed.proj.",
    "backbone.embeddings.position_embeddings": POSITIONS,
    "backbone.encoder.layer.N.layernorm_before.": "backbone.blocks.N.norm1.",
    "backbone.encoder.layer.N.layernorm_after.": "backbone.blocks.N.norm2.",
    "backbone.encoder.layer.N.attention.attention.": "backbone.blocks.N.attn.qkv.",
    "backbone.encoder.layer.N.attention.output.dense.": "backbone.blocks.N.attn.proj.",
    "backbone.encoder.layer.N.mlp.": "backbone.blocks.N.mlp.",
    "backbone.layernorm.": "backbone.last_norm.",
    "head.deconv1.": "backbone.deconv_layers.0.",
    "head.batchnorm1.": "backbone.deconv_layers.1.",
    "head.deconv2.": "backbone.deconv_layers.3.",
    "head.batchnorm2.": "backbone.deconv_layers.4.",
    "head.conv.": "head.",
}
PARTS = ("query", "key", "value")
"""Of attention, in the order in which ViTPose's one layer gives them; apart, as transformers has them."""
_LEFT_OVER = re.compile(
    r"(backbone\.)?(cls_token|mask_token|decoder_\w+|blocks\.\d+\.mlp\.experts)\b|associate_keypoint_heads\."
)
"""A class token, MAE's decoder, heads of other data sets, experts already merged: nothing that a pose network uses."""


def is_vit(tensors: Mapping[str, Tensor]) -> bool:
    """Whether this is a vision transformer, under anybody's names."""
    return any(key.endswith(("pos_embed", "position_embeddings")) for key in tensors)


def is_left_over(key: str) -> bool:
    """Whether a pose network of one data set has no use for a transformer's tensor of this name."""
    return _LEFT_OVER.match(key) is not None


def as_published(tensors: Mapping[str, Tensor], where: str) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """A vision transformer's tensors under ViTPose's names and in its shapes, and notes of what was changed.

    Args:
        tensors: under any project's names, with or without `backbone.` where there is a backbone alone.

    Raises:
        ValueError: it is a ViTPose+, of a mixture of experts, or its positions are those of no known grid.
    """
    _refuse_experts(tensors, where)
    bare = not any(key.startswith("backbone.") for key in tensors)
    named = {f"backbone.{key}" if bare else key: tensor for key, tensor in tensors.items()}
    renamed = _merged({_renamed(key, TRANSFORMERS | MMPOSE_1 | MAE): tensor for key, tensor in named.items()})
    if POSITIONS not in renamed:
        return renamed, ()
    positions, notes = _positions(renamed[POSITIONS], where)
    return renamed | {POSITIONS: positions}, notes


def to_transformers(tensors: Mapping[str, Tensor], grid: tuple[int, int] = vit.GRID) -> dict[str, Tensor]:
    """The tensors of a plain network on `ViTPose`, as a `VitPoseForPoseEstimation` of `grid` (rows, columns) has them.

    Its crops are normalised outside.
    """
    back = {ours: theirs for theirs, ours in TRANSFORMERS.items()}
    kept = {key: tensor for key, tensor in tensors.items() if not key.startswith("normalise.")}
    own, places = kept[POSITIONS][:, :1], kept[POSITIONS][:, 1:]
    kept[POSITIONS] = torch.cat([own, vit.resize_positions(places, vit.GRID, grid)], dim=1)
    return dict(_apart({_renamed(key, back): tensor for key, tensor in kept.items()}))


def size_of(tensors: Mapping[str, Tensor], where: str) -> str:
    """The name, as in `vit.VITS`, of the transformer that tensors under our names make up.

    Raises:
        ValueError: it is none of them.
    """
    width = len(tensors.get("backbone.patch_embed.proj.weight", ()))
    depth = sum(bool(re.fullmatch(r"backbone\.blocks\.\d+\.norm1\.weight", key)) for key in tensors)
    for name, size in vit.SIZES.items():
        if (size.width, size.depth) == (width, depth):
            simple = "head.weight" in tensors and "backbone.deconv_layers.0.weight" not in tensors
            return name + vit.SIMPLE * simple
    known = ", ".join(f"{name} ({size.width}, {size.depth})" for name, size in vit.SIZES.items())
    raise ValueError(
        f"{where} holds a vision transformer of width {width} and {depth} blocks; the known ones are {known}"
    )


def _renamed(key: str, names: Mapping[str, str]) -> str:
    """The first beginning that fits is replaced; a number stands for N, and stays."""
    for theirs, ours in names.items():
        if found := re.match(re.escape(theirs).replace("N", r"(\d+)"), key):
            return ours.replace("N", found[1] if found.groups() else "N") + key[found.end() :]
    return key


def _merged(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same, query, key and value in one; one without the others stays, and will be told as unknown."""
    merged = dict(tensors)
    for key in tensors:
        if ".qkv.query." in key:
            names = [key.replace("query", part) for part in PARTS]
            if all(name in merged for name in names):
                merged[key.replace("query.", "")] = torch.cat([merged.pop(name) for name in names])
    return merged


def _apart(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """The reverse of `_merged`, under transformers' names."""
    for key, tensor in tensors.items():
        before, _, kind = key.rpartition(".")
        if before.endswith(".attention.attention"):
            yield from ((f"{before}.{part}.{kind}", third) for part, third in zip(PARTS, tensor.chunk(3), strict=True))
        else:
            yield key, tensor


def _refuse_experts(tensors: Mapping[str, Tensor], where: str) -> None:
    """easy_ViTPose's files keep the experts beside second layers into which one of them was merged: those are plain."""
    for key, tensor in tensors.items():
        if key.endswith(".mlp.fc2.weight") and 4 * len(tensor) != tensor.shape[1]:
            raise ValueError(
                f"{where} holds a ViTPose+, whose layers choose among experts for several data sets, which rdpose does "
                "not compute; take the weights of a ViTPose for one data set (easy_ViTPose split theirs so)"
            )


def _positions(positions: Tensor, where: str) -> tuple[Tensor, tuple[str, ...]]:
    """Positions of our grid behind that of a class token, and a note where they are interpolated."""
    rows = positions.shape[1]
    grid, extra = next(((grid, extra) for extra in (1, 0) if (grid := _grid(rows - extra))), (None, 0))
    if grid is None:
        raise ValueError(f"{where} has positions of {rows} patches, which is neither a square nor a grid of 4 to 3")
    own = positions[:, :1] if extra else torch.zeros_like(positions[:, :1])
    resized = vit.resize_positions(positions[:, extra:].float(), grid, vit.GRID)
    said = f"positions of {grid[0]}x{grid[1]} patches are interpolated to {vit.GRID[0]}x{vit.GRID[1]}"
    return torch.cat([own.float(), resized], dim=1), () if grid == vit.GRID else (said,)


def _grid(patches: int) -> tuple[int, int] | None:
    """(rows, columns) of so many patches: 4 to 3, as crops are, or a square, as in ImageNet's networks."""
    unit, side = isqrt(patches // 12), isqrt(patches)
    if patches and 12 * unit * unit == patches:
        return 4 * unit, 3 * unit
    return (side, side) if patches and side * side == patches else None
