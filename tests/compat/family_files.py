"""Settings files as the HRNet family writes them, built from a table: what each says beyond a common body."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

HRNET = {"ROT_FACTOR": 45, "SCALE_FACTOR": 0.35, "PROB_HALF_BODY": 0.3, "NUM_JOINTS_HALF_BODY": 8, "COLOR_RGB": True}
RESNET = {"ROT_FACTOR": 40, "SCALE_FACTOR": 0.3, "COLOR_RGB": False}
MPII = {"ROT_FACTOR": 30, "SCALE_FACTOR": 0.25, "PROB_HALF_BODY": -1.0, "NUM_JOINTS_HALF_BODY": 8}

LONG = {"LR_STEP": [170, 200], "END_EPOCH": 210}
SHORT = {"LR_STEP": [90, 120], "END_EPOCH": 140}
SMALL, LARGE, SQUARE = (192, 256, 2), (288, 384, 3), (256, 256, 2)


def hrnet_extra(width: int) -> dict[str, Any]:
    extra: dict[str, Any] = {"PRETRAINED_LAYERS": ["conv1", "bn1", "stage4"], "FINAL_CONV_KERNEL": 1}
    for stage, modules in ((2, 1), (3, 4), (4, 3)):
        widths = [width, 2 * width, 4 * width, 8 * width][:stage]
        extra[f"STAGE{stage}"] = {"NUM_MODULES": modules, "NUM_BRANCHES": stage, "BLOCK": "BASIC",
                                  "NUM_BLOCKS": [4] * stage, "NUM_CHANNELS": widths, "FUSE_METHOD": "SUM"}  # fmt: skip
    return extra


def resnet_extra(depth: int) -> dict[str, Any]:
    deconv = {"NUM_DECONV_LAYERS": 3, "NUM_DECONV_FILTERS": [256] * 3, "NUM_DECONV_KERNELS": [4] * 3}
    return {"FINAL_CONV_KERNEL": 1, "DECONV_WITH_BIAS": False, **deconv, "NUM_LAYERS": depth}


def _file(name: str, extra: dict[str, Any], size: tuple[int, int, int], dataset: dict[str, Any],
          train: dict[str, Any], batch: int = 32) -> dict[str, Any]:  # fmt: skip
    width, height, sigma = size
    kind = dataset.get("DATASET", "coco")
    names = {
        "coco": (17, "train2017", "val2017"),
        "mpii": (16, "train", "valid"),
        "crowdpose": (14, "trainval", "test"),
    }
    joints, train_set, test_set = names[kind]
    dataset = {"DATASET": kind, "ROOT": f"data/{kind}/", "TRAIN_SET": train_set, "TEST_SET": test_set} | dataset
    test = {"BATCH_SIZE_PER_GPU": batch, "FLIP_TEST": True, "POST_PROCESS": True, "SHIFT_HEATMAP": True}
    if kind != "mpii":
        boxes = "person_detection_results/COCO_val2017_detections_AP_H_56_person.json"
        boxes = "json/det_for_crowd_test_0.1_0.5.json" if kind == "crowdpose" else boxes
        test |= {"USE_GT_BBOX": True, "OKS_THRE": 0.9, "IN_VIS_THRE": 0.2, "IMAGE_THRE": 0.0, "NMS_THRE": 1.0,
                 "BBOX_THRE": 1.0, "COCO_BBOX_FILE": f"./data/{kind}/{boxes}", "MODEL_FILE": ""}  # fmt: skip
    optimizer = {"OPTIMIZER": "adam", "LR": "1e-3", "LR_FACTOR": 0.1, "WD": 0.0001, "GAMMA1": 0.99, "GAMMA2": 0.0,
                 "MOMENTUM": 0.9, "NESTEROV": False, "SHUFFLE": True, "BEGIN_EPOCH": 0}  # fmt: skip
    return {
        "AUTO_RESUME": True, "DATA_DIR": "", "GPUS": "(0,1,2,3)", "OUTPUT_DIR": "output", "LOG_DIR": "log",
        "WORKERS": 24, "PRINT_FREQ": 100, "CUDNN": {"BENCHMARK": True, "DETERMINISTIC": False, "ENABLED": True},
        "DATASET": dataset | {"FLIP": True},
        "MODEL": {"NAME": name, "NUM_JOINTS": joints, "PRETRAINED": "models/start.pth", "TARGET_TYPE": "gaussian",
                  "IMAGE_SIZE": [width, height], "HEATMAP_SIZE": [width // 4, height // 4], "SIGMA": sigma,
                  "EXTRA": extra},
        "LOSS": {"USE_TARGET_WEIGHT": True},
        "TRAIN": optimizer | train | {"BATCH_SIZE_PER_GPU": batch},
        "TEST": test,
        "DEBUG": {"DEBUG": True, "SAVE_HEATMAPS_PRED": True},
    }  # fmt: skip


def _hrnet(width: int, size: tuple[int, int, int], dataset: dict[str, Any], batch: int = 32) -> dict[str, Any]:
    return _file("pose_hrnet", hrnet_extra(width), size, HRNET | dataset, LONG, batch)


def _resnet(depth: int, size: tuple[int, int, int], dataset: dict[str, Any]) -> dict[str, Any]:
    return _file("pose_resnet", resnet_extra(depth), size, RESNET | dataset, SHORT)


MPII_SET = {"DATASET": "mpii"} | MPII
CROWDPOSE = {"DATASET": "crowdpose"}

FILES: dict[str, dict[str, Any]] = {
    "coco/hrnet/w32_256x192_adam_lr1e-3": _hrnet(32, SMALL, {}),
    "coco/hrnet/w32_384x288_adam_lr1e-3": _hrnet(32, LARGE, {}),
    "coco/hrnet/w48_256x192_adam_lr1e-3": _hrnet(48, SMALL, {}),
    "coco/hrnet/w48_384x288_adam_lr1e-3": _hrnet(48, LARGE, {}, batch=24),
    "mpii/hrnet/w32_256x256_adam_lr1e-3": _hrnet(32, SQUARE, MPII_SET),
    "mpii/hrnet/w48_256x256_adam_lr1e-3": _hrnet(48, SQUARE, MPII_SET),
    "crowdpose/hrnet/w32_256x192_adam_lr1e-3": _hrnet(32, SMALL, CROWDPOSE),
    "crowdpose/hrnet/w48_256x192_adam_lr1e-3": _hrnet(48, SMALL, CROWDPOSE),
    **{f"coco/resnet/res{d}_256x192_d256x3_adam_lr1e-3": _resnet(d, SMALL, {}) for d in (50, 101, 152)},
    **{f"coco/resnet/res{d}_384x288_d256x3_adam_lr1e-3": _resnet(d, LARGE, {}) for d in (50, 101, 152)},
    **{f"mpii/resnet/res{d}_256x256_d256x3_adam_lr1e-3": _resnet(d, SQUARE, MPII_SET) for d in (50, 101, 152)},
    # Those of the RDPose repository that differ: no root, pictures in a zip, MPII's unlabelled split.
    "rdpose/coco_without_root": _hrnet(32, SMALL, {"ROOT": ""}),
    "rdpose/coco_in_zips": _hrnet(32, SMALL, {"DATA_FORMAT": "zip"}),
    "rdpose/mpii_on_the_test_split": _hrnet(32, SQUARE, MPII_SET | {"TEST_SET": "test"}),
}
"""Twenty files; those not of rdpose/ have a counterpart of the same name in experiments/."""


def write(folder: Path, name: str, changes: dict[str, Any] | None = None) -> Path:
    """The file on disk, with flat keys changed, e.g. `{"TRAIN.LR": 1}`; a value of None takes the key away."""
    tree = yaml.safe_load(yaml.safe_dump(FILES[name]))
    for key, value in (changes or {}).items():
        *parents, last = key.split(".")
        section = tree
        for parent in parents:
            section = section.setdefault(parent, {})
        section[last] = value
        if value is None:
            del section[last]
    path = folder / f"{name.rsplit('/', 1)[-1]}.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path
