"""Detectors of transformers that are tiny and know nothing: their configuration, and their folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

PERSON = {0: "person"}
SMALL = {
    "d_model": 32,
    "encoder_hidden_dim": 32,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "num_queries": 12,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "decoder_in_channels": [32, 32, 32],
    "num_denoising": 0,
}


def rt_detr(transformers: Any, labels: dict[int, str]) -> Any:
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 24, 32],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = transformers.RTDetrV2Config(
        backbone_config=backbone, encoder_in_channels=[16, 24, 32], id2label=labels, **SMALL
    )
    return transformers.RTDetrV2ForObjectDetection(config)


def d_fine(transformers: Any, labels: dict[int, str]) -> Any:
    backbone = transformers.HGNetV2Config(
        stem_channels=[3, 8, 8],
        stage_in_channels=[8, 16, 24, 32],
        stage_mid_channels=[8, 8, 8, 8],
        stage_out_channels=[16, 24, 32, 32],
        stage_num_blocks=[1, 1, 1, 1],
        stage_numb_of_layers=[1, 1, 1, 1],
        stage_light_block=[False] * 4,
        stage_kernel_size=[3] * 4,
        stage_downsample=[False, True, True, True],
        hidden_sizes=[16, 24, 32, 32],
        depths=[1, 1, 1, 1],
        out_features=["stage2", "stage3", "stage4"],
    )
    config = transformers.DFineConfig(
        backbone_config=backbone, encoder_in_channels=[24, 32, 32], id2label=labels, **SMALL
    )
    return transformers.DFineForObjectDetection(config)


def save(make: Callable[[Any, dict[int, str]], Any], folder: str, labels: dict[int, str] = PERSON) -> str:
    """Write a randomly initialised detector as `save_pretrained` does; gives its folder."""
    import transformers
    from transformers.models.rt_detr.image_processing_pil_rt_detr import RTDetrImageProcessorPil

    transformers.set_seed(0)
    transformers.utils.logging.disable_progress_bar()
    make(transformers, labels).save_pretrained(folder)
    RTDetrImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder)
    return folder
