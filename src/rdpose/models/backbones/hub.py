"""Backbones of transformers by name: DINOv2, ViT, Swin, ConvNeXt, ResNet and others, with a small decoder to stride 4.

    backbone = fetch("hf:facebook/dinov2-small")       # or hf: and a folder that `save_pretrained` wrote
    features = backbone(image)                          # (b, 3, H, W) normalised -> (b, 256, H / 4, W / 4)

The encoder's configuration travels with the weights, as a tensor of bytes: trained weights load without the hub.
"""

from __future__ import annotations

import importlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from rdpose.io import hub
from rdpose.io.files import in_a_line
from rdpose.models.backbones.blocks import check_image, deconvolutions, init_weights

PREFIX = "hf:"
WIDTH = 256
"""Channels of the decoder and of the map."""
PROBE_PX = 224
"""Side of the picture that tells an encoder's strides: a multiple of 14, 16 and 32."""
TOKENS = ("vit", "vit_mae", "deit", "ijepa")
"""Transformers that give tokens and no maps: a row of patches, perhaps after a few others."""
CONFIG = "backbone.config"
"""Key of the configuration among a network's tensors."""
NOT_KEPT = re.compile(r"_|auto_map|architectures|dtype|quantization_config|.*implementation|.*kernels")
"""What a configuration may say beside the encoder's sizes: where code comes from, and how it was saved."""


class HubBackbone(nn.Module):
    """(b, 3, H, W) normalised float image -> (b, WIDTH, H / 4, W / 4) features; H and W divisible by 32.

    From the coarsest of the encoder's levels on, deconvolutions double the map, and each finer level down to stride 4
    is added through a 1x1 convolution. Where patches are no power of two wide (DINOv2: 14 pixels), the image is made
    smaller first, so that each patch stands for 16 pixels.

    Args:
        encoder: of `AutoBackbone`, or one that gives tokens, wrapped in `_Maps`.
        config: its configuration as transformers writes it into config.json.
        levels: stride of each of its maps -> channels.
    """

    stride, channels = 4, WIDTH
    config: Tensor

    def __init__(self, encoder: nn.Module, config: Mapping[str, Any], levels: Mapping[int, int]) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("config", torch.frombuffer(bytearray(json.dumps(config).encode()), dtype=torch.uint8))
        self.levels = [2 ** round(math.log2(stride)) for stride in levels]
        self.patch_px = next(iter(levels))
        self.laterals = nn.ModuleList(nn.Conv2d(channels, WIDTH, 1) for channels in levels.values())
        steps = round(math.log2(max(self.levels) / self.stride))
        self.ups = nn.ModuleList(nn.Sequential(*deconvolutions(WIDTH, WIDTH)) for _ in range(steps))
        init_weights(self.laterals)
        init_weights(self.ups)

    def forward(self, image: Tensor) -> Tensor:
        check_image(image)
        if self.patch_px != self.levels[0]:
            sides = [side // self.levels[0] * self.patch_px for side in image.shape[-2:]]
            image = interpolate(image, size=sides, mode="bilinear")
        maps = self.encoder(image).feature_maps
        added = {
            stride: lateral(level) for stride, lateral, level in zip(self.levels, self.laterals, maps, strict=True)
        }
        stride = max(self.levels)
        x = added[stride]
        for up in self.ups:
            x, stride = up(x), stride // 2
            x = x + added[stride] if stride in added else x
        return x


class _Maps(nn.Module):
    """An encoder of tokens (b, others + h w, channels) as one of maps [(b, channels, h, w)]."""

    def __init__(self, encoder: nn.Module, patch_px: int) -> None:
        super().__init__()
        self.encoder, self.patch_px = encoder, patch_px

    def forward(self, image: Tensor) -> Any:
        rows, columns = (side // self.patch_px for side in image.shape[-2:])
        found = self.encoder(image, interpolate_pos_encoding=True)
        patches = found.last_hidden_state[:, -rows * columns :].transpose(1, 2)
        found.feature_maps = (patches.unflatten(2, (rows, columns)),)
        return found


def is_named(name: str) -> bool:
    """Whether a backbone's name is that of one of transformers."""
    return name.startswith(PREFIX)


def fetch(name: str) -> HubBackbone:
    """A backbone with the encoder's published weights, and a decoder with fresh ones.

    Args:
        name: hf:owner/name at the hub, or hf: and a folder that `save_pretrained` wrote.

    Raises:
        ImportError: transformers is not installed.
        ValueError: there is no such encoder, the hub cannot be reached, or what it gives is no backbone.
    """
    transformers, place = _transformers(), name.removeprefix(PREFIX)

    def opened(local: bool) -> HubBackbone:
        config = transformers.AutoConfig.from_pretrained(place, local_files_only=local)
        return _make(transformers, config, name, {"pretrained_model_name_or_path": place, "local_files_only": local})

    try:
        return hub.read(place, opened)
    except (OSError, ValueError) as error:
        raise ValueError(f"no backbone {name!r}: {in_a_line(error)}") from None


def of_weights(tensors: Mapping[str, Tensor], path: object) -> HubBackbone:
    """The backbone that a file's weights were trained on, with fresh weights; nothing is fetched.

    Raises:
        ImportError: transformers is not installed.
        ValueError: the file carries no configuration, or not one of an encoder that is known.
    """
    transformers = _transformers()
    try:
        values = _sizes(json.loads(bytes(tensors[CONFIG].tolist())))
        return _make(transformers, transformers.AutoConfig.for_model(values.pop("model_type"), **values), str(path))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} carries no configuration of a backbone ({in_a_line(error)}); train it anew") from None


def _make(transformers: Any, config: Any, name: str, source: Mapping[str, Any] | None = None) -> HubBackbone:
    """The backbone of a configuration; `source` is where its weights come from, fresh ones without it."""
    if config.model_type in TOKENS:
        kind, levels = transformers.AutoModel, {config.patch_size: config.hidden_size}
    else:
        kind, levels = transformers.AutoBackbone, _choose_levels(transformers, config, name)
    if source is None:
        encoder = kind.from_config(config)
    else:
        with torch.device("meta"):
            its_class = type(kind.from_config(config))  # AutoBackbone's own from_pretrained asks the hub about folders
        encoder = its_class.from_pretrained(config=config, dtype=torch.float32, **source)
    encoder = _Maps(encoder, config.patch_size) if config.model_type in TOKENS else encoder
    return HubBackbone(encoder, _sizes(config.to_diff_dict()) | {"model_type": config.model_type}, levels)


def _sizes(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if not NOT_KEPT.match(key)}


def _choose_levels(transformers: Any, config: Any, name: str) -> dict[int, int]:
    """Stride -> channels of the maps that are read; the configuration then asks for these, the last of each stride.

    Raises:
        ValueError: it is no backbone of transformers, or one whose maps cannot be brought to stride 4.
    """
    if config.model_type not in _known(transformers):
        raise ValueError(f"{name} is a {config.model_type}; known are {', '.join(_known(transformers))}")
    config.out_features = [stage for stage in config.stage_names if stage != "stem"] or config.stage_names
    asked = list(config.out_features)
    with torch.device("meta"):
        probed = transformers.AutoBackbone.from_config(config).eval()
        maps = probed(torch.zeros(1, 3, PROBE_PX, PROBE_PX)).feature_maps
    last = {PROBE_PX / level.shape[-1]: (stage, level.shape[1]) for stage, level in zip(asked, maps, strict=True)}
    kept = {stride: found for stride, found in last.items() if stride >= HubBackbone.stride}
    wrong = [stride for stride in kept if stride != int(stride)]
    powers = [2 ** round(math.log2(stride)) for stride in kept]
    if not kept or wrong or (len(kept) > 1 and powers != list(kept)):
        raise ValueError(
            f"{name} gives maps of strides {', '.join(f'{s:g}' for s in last)}, which no decoder here reads"
        )
    config.out_features = [stage for stage, _ in kept.values()]
    return {int(stride): channels for stride, (_, channels) in kept.items()}


def _known(transformers: Any) -> list[str]:
    """Kinds of encoders whose code is transformers' own; timm's would bring torchvision."""
    module = importlib.import_module("transformers.models.auto.modeling_auto")
    return [*TOKENS, *(kind for kind in module.MODEL_FOR_BACKBONE_MAPPING_NAMES if kind != "timm_backbone")]


def _transformers() -> Any:
    try:
        return importlib.import_module("transformers")
    except ImportError as error:
        raise ImportError("backbones by hf: need transformers: pip install 'rdpose[detect]'") from error
