"""The HRNet family's settings as data: every key with its default, and what becomes of it here.

SimpleBaseline's own repository, the eldest of the family, names some keys in another way and has other defaults;
DarkPose adds a key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

STAGES = {2: (1, 2), 3: (4, 3), 4: (3, 4)}
"""HRNet's stages: (modules, branches)."""


def _stage(number: int, width: int) -> dict[str, Any]:
    modules, branches = STAGES[number]
    stage = {
        "NUM_MODULES": modules,
        "NUM_BRANCHES": branches,
        "BLOCK": "BASIC",
        "NUM_BLOCKS": [4] * branches,
        "NUM_CHANNELS": [width * 2**branch for branch in range(branches)],
        "FUSE_METHOD": "SUM",
    }
    return {f"MODEL.EXTRA.STAGE{number}.{key}": value for key, value in stage.items()}


def hrnet_stages(width: int) -> dict[str, Any]:
    """The MODEL.EXTRA keys of the HRNet whose first branch has `width` channels."""
    return _stage(2, width) | _stage(3, width) | _stage(4, width)


DEFAULTS: dict[str, Any] = {
    "OUTPUT_DIR": "",
    "LOG_DIR": "",
    "DATA_DIR": "",
    "GPUS": (0,),
    "WORKERS": 4,
    "PRINT_FREQ": 20,
    "AUTO_RESUME": False,
    "PIN_MEMORY": True,
    "RANK": 0,
    "CUDNN.BENCHMARK": True,
    "CUDNN.DETERMINISTIC": False,
    "CUDNN.ENABLED": True,
    "MODEL.NAME": "pose_hrnet",
    "MODEL.STYLE": "pytorch",
    "MODEL.INIT_WEIGHTS": True,
    "MODEL.PRETRAINED": "",
    "MODEL.NUM_JOINTS": 17,
    "MODEL.TAG_PER_JOINT": True,
    "MODEL.TARGET_TYPE": "gaussian",
    "MODEL.IMAGE_SIZE": [256, 256],
    "MODEL.HEATMAP_SIZE": [64, 64],
    "MODEL.SIGMA": 2,
    "MODEL.EXTRA.PRETRAINED_LAYERS": ["*"],
    "MODEL.EXTRA.FINAL_CONV_KERNEL": 1,
    **hrnet_stages(32),
    "MODEL.EXTRA.NUM_LAYERS": 50,
    "MODEL.EXTRA.DECONV_WITH_BIAS": False,
    "MODEL.EXTRA.NUM_DECONV_LAYERS": 3,
    "MODEL.EXTRA.NUM_DECONV_FILTERS": [256, 256, 256],
    "MODEL.EXTRA.NUM_DECONV_KERNELS": [4, 4, 4],
    "LOSS.USE_OHKM": False,
    "LOSS.TOPK": 8,
    "LOSS.USE_TARGET_WEIGHT": True,
    "LOSS.USE_DIFFERENT_JOINTS_WEIGHT": False,
    "DATASET.ROOT": "",
    "DATASET.DATASET": "mpii",
    "DATASET.TRAIN_SET": "train",
    "DATASET.TEST_SET": "valid",
    "DATASET.DATA_FORMAT": "jpg",
    "DATASET.HYBRID_JOINTS_TYPE": "",
    "DATASET.SELECT_DATA": False,
    "DATASET.FLIP": True,
    "DATASET.SCALE_FACTOR": 0.25,
    "DATASET.ROT_FACTOR": 30,
    "DATASET.PROB_HALF_BODY": 0.0,
    "DATASET.NUM_JOINTS_HALF_BODY": 8,
    "DATASET.COLOR_RGB": False,
    "TRAIN.LR": 0.001,
    "TRAIN.LR_FACTOR": 0.1,
    "TRAIN.LR_STEP": [90, 110],
    "TRAIN.OPTIMIZER": "adam",
    "TRAIN.MOMENTUM": 0.9,
    "TRAIN.WD": 0.0001,
    "TRAIN.NESTEROV": False,
    "TRAIN.GAMMA1": 0.99,
    "TRAIN.GAMMA2": 0.0,
    "TRAIN.BEGIN_EPOCH": 0,
    "TRAIN.END_EPOCH": 140,
    "TRAIN.RESUME": False,
    "TRAIN.CHECKPOINT": "",
    "TRAIN.BATCH_SIZE_PER_GPU": 32,
    "TRAIN.SHUFFLE": True,
    "TEST.BATCH_SIZE_PER_GPU": 32,
    "TEST.FLIP_TEST": False,
    "TEST.POST_PROCESS": False,
    "TEST.SHIFT_HEATMAP": False,
    "TEST.BLUR_KERNEL": 0,
    "TEST.USE_GT_BBOX": False,
    "TEST.IMAGE_THRE": 0.1,
    "TEST.NMS_THRE": 0.6,
    "TEST.SOFT_NMS": False,
    "TEST.OKS_THRE": 0.5,
    "TEST.IN_VIS_THRE": 0.0,
    "TEST.COCO_BBOX_FILE": "",
    "TEST.BBOX_THRE": 1.0,
    "TEST.MODEL_FILE": "",
    "DEBUG.DEBUG": False,
    "DEBUG.SAVE_BATCH_IMAGES_GT": False,
    "DEBUG.SAVE_BATCH_IMAGES_PRED": False,
    "DEBUG.SAVE_HEATMAPS_GT": False,
    "DEBUG.SAVE_HEATMAPS_PRED": False,
}

SIMPLE_BASELINE: dict[str, str] = {
    "MODEL.EXTRA.TARGET_TYPE": "MODEL.TARGET_TYPE",
    "MODEL.EXTRA.HEATMAP_SIZE": "MODEL.HEATMAP_SIZE",
    "MODEL.EXTRA.SIGMA": "MODEL.SIGMA",
    "TRAIN.BATCH_SIZE": "TRAIN.BATCH_SIZE_PER_GPU",
    "TEST.BATCH_SIZE": "TEST.BATCH_SIZE_PER_GPU",
}
"""SimpleBaseline's keys, and HRNet's for the same."""

SIMPLE_BASELINE_DEFAULTS: dict[str, Any] = {
    "MODEL.NAME": "pose_resnet",
    "MODEL.NUM_JOINTS": 16,
    "TEST.POST_PROCESS": True,
    "TEST.SHIFT_HEATMAP": True,
    "TEST.IMAGE_THRE": 0.0,
    "TEST.NMS_THRE": 1.0,
}
"""Its defaults, under HRNet's keys, where they are others than HRNet's."""

RENAMED: dict[str, str] = {
    "OUTPUT_DIR": "output_dir",
    "WORKERS": "data.workers",
    "MODEL.IMAGE_SIZE": "model.image_size",
    "MODEL.SIGMA": "model.sigma",
    "LOSS.USE_DIFFERENT_JOINTS_WEIGHT": "loss.joint_weights",
    "DATASET.SCALE_FACTOR": "augment.scale",
    "DATASET.ROT_FACTOR": "augment.rotation",
    "DATASET.NUM_JOINTS_HALF_BODY": "augment.half_body_joints",
    "TRAIN.LR": "train.lr",
    "TRAIN.LR_FACTOR": "train.lr_factor",
    "TRAIN.LR_STEP": "train.lr_steps",
    "TRAIN.OPTIMIZER": "train.optimizer",
    "TRAIN.MOMENTUM": "train.momentum",
    "TRAIN.NESTEROV": "train.nesterov",
    "TRAIN.END_EPOCH": "train.epochs",
    "TRAIN.BATCH_SIZE_PER_GPU": "train.batch_size",
    "TEST.BATCH_SIZE_PER_GPU": "test.batch_size",
    "TEST.FLIP_TEST": "test.flip",
    "TEST.IMAGE_THRE": "test.box_score",
    "TEST.IN_VIS_THRE": "test.joint_score",
    "TEST.OKS_THRE": "test.oks_nms",
}
"""Same meaning and same values under another name."""

CONVERTED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "DATASET.FLIP": ("augment.flip", lambda on: 0.5 if on else 0.0),
    "DATASET.PROB_HALF_BODY": ("augment.half_body", lambda share: max(0.0, share)),  # the MPII files say -1 for off
    "TEST.POST_PROCESS": ("test.decode", lambda on: "quarter" if on else "argmax"),
    "TEST.SHIFT_HEATMAP": ("test.shift_heatmap", lambda on: None if on else False),  # None: as the geometry needs it
}
"""Same meaning, other values."""

NO_MEANING: dict[str, str] = {
    "GPUS": "torchrun --nproc-per-node N takes N of them",
    "LOG_DIR": "logs lie in the run's folder",
    "AUTO_RESUME": "--resume",
    "PRINT_FREQ": "",
    "PIN_MEMORY": "",
    "RANK": "",
    "CUDNN": "",
    "DEBUG": "rdpose show",
    "MODEL.TAG_PER_JOINT": "",
    "MODEL.EXTRA.PRETRAINED_LAYERS": "every layer that fits is loaded",
    "DATASET.HYBRID_JOINTS_TYPE": "",
    "TRAIN.GAMMA1": "",
    "TRAIN.GAMMA2": "",
    "TRAIN.RESUME": "--resume",
    "TRAIN.CHECKPOINT": "--resume",
    "TEST.NMS_THRE": "",
    "TEST.BBOX_THRE": "",
}
"""Keys, or whole sections, that are named in one line when a file sets them; with what to do instead."""

DIFFERENT: dict[str, str] = {
    "DATASET.SELECT_DATA": "every labelled person is trained on",
    "TRAIN.SHUFFLE": "training always shuffles",
    "TRAIN.BEGIN_EPOCH": "training starts at 0, or where --resume finds it",
    "TEST.SOFT_NMS": "duplicates are removed, not rescored",
}
"""What is done here all the same when a file asks for something other than the default."""

REQUIRED: tuple[str, ...] = (
    "MODEL.STYLE",
    "MODEL.TARGET_TYPE",
    "MODEL.EXTRA.FINAL_CONV_KERNEL",
    "MODEL.EXTRA.DECONV_WITH_BIAS",
    "MODEL.EXTRA.NUM_DECONV_LAYERS",
    "MODEL.EXTRA.NUM_DECONV_FILTERS",
    "MODEL.EXTRA.NUM_DECONV_KERNELS",
    "LOSS.USE_TARGET_WEIGHT",
)
"""Only the default can be built here; another value is an error."""
