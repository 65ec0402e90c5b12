"""The HRNet family's keys: where each goes, which places the data sets have, what is said in notes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from family_files import write

from rdpose.compat.settings import read
from rdpose.compat.yacs_keys import CONVERTED, DEFAULTS, DIFFERENT, NO_MEANING, RENAMED, REQUIRED
from rdpose.config import loading
from rdpose.config import schema as groups

OWN = Path(__file__).resolve().parents[2] / "experiments/coco/hrnet/w32_256x192_adam_lr1e-3.yaml"
W32 = "coco/hrnet/w32_256x192_adam_lr1e-3"
R50 = "coco/resnet/res50_256x192_d256x3_adam_lr1e-3"
MPII = "mpii/hrnet/w32_256x256_adam_lr1e-3"


def test_every_key_of_the_family_has_one_fate() -> None:
    by_hand = {
        "DATA_DIR", "MODEL.NAME", "MODEL.INIT_WEIGHTS", "MODEL.PRETRAINED", "MODEL.NUM_JOINTS", "MODEL.HEATMAP_SIZE",
        "LOSS.USE_OHKM", "LOSS.TOPK", "DATASET.ROOT", "DATASET.DATASET", "DATASET.TRAIN_SET", "DATASET.TEST_SET",
        "DATASET.DATA_FORMAT", "DATASET.COLOR_RGB", "TRAIN.WD", "TEST.USE_GT_BBOX", "TEST.COCO_BBOX_FILE",
        "TEST.MODEL_FILE", "TEST.BLUR_KERNEL",
        "MODEL.EXTRA.NUM_LAYERS", "MODEL.EXTRA.STAGE2", "MODEL.EXTRA.STAGE3", "MODEL.EXTRA.STAGE4",
    }  # fmt: skip
    fates = [*RENAMED, *CONVERTED, *NO_MEANING, *DIFFERENT, *REQUIRED, *by_hand]
    for key in DEFAULTS:
        assert sum(key == fate or key.startswith(f"{fate}.") for fate in fates) == 1, key
    known = loading.known_keys()
    assert [ours for ours in (*RENAMED.values(), *(ours for ours, _ in CONVERTED.values())) if ours not in known] == []


@pytest.mark.parametrize(
    ("name", "overrides", "root", "boxes"),
    [
        ("rdpose/coco_without_root", "", "data/coco", "person_detection_results/"),
        ("rdpose/coco_without_root", "DATA_DIR /sets/coco", "/sets/coco", "person_detection_results/"),
        (W32, "DATA_DIR /base", "/base/data/coco", "person_detection_results/"),
        (W32, "DATASET.ROOT /sets/coco", "/sets/coco", f"{Path.cwd()}/data/coco/person_detection_results/"),
        (MPII, "", "data/mpii", ""),
    ],
)
def test_places_of_data_and_boxes(name: str, overrides: str, root: str, boxes: str, tmp_path: Path) -> None:
    data = read(write(tmp_path, name), overrides.split()).settings.data
    file = "COCO_val2017_detections_AP_H_56_person.json" if boxes else ""
    assert data.test is not None
    assert (data.root, data.test.boxes) == (root, boxes + file)


def test_data_sets_of_the_family(tmp_path: Path) -> None:
    zipped = read(write(tmp_path, "rdpose/coco_in_zips")).settings.data
    assert [source.images for source in zipped.train] == ["images/train2017.zip"]
    mpii = read(write(tmp_path, MPII, {"DATASET.DATA_FORMAT": "zip"})).settings.data
    assert mpii.test == groups.SourceSettings(annotations="annot/valid.json", images="images.zip", format="mpii")
    ochuman = read(write(tmp_path, W32, {"DATASET.DATASET": "ochuman"})).settings.data
    assert (ochuman.skeleton, ochuman.metric, ochuman.train) == ("coco", "ochuman", ())
    assert ochuman.test is not None
    assert ochuman.test.annotations == "ochuman_coco_format_val_range_0.00_1.00.json"
    crowd = read(write(tmp_path, W32, {"DATASET.DATASET": "crowd_pose", "MODEL.NUM_JOINTS": 14})).settings.data
    assert (crowd.dataset, crowd.skeleton, crowd.metric) == ("crowdpose", "crowdpose", "crowdpose")


NOTES = [
    (W32, "", r"no meaning here: GPUS \(.*\), LOG_DIR \(.*\), AUTO_RESUME \(--resume\), PRINT_FREQ, CUDNN, DEBUG"),
    (W32, "", "names no variant: rdpose is taken; model.variant=plain"),
    (W32, "", "TRAIN.WD = 0.0001: the family's Adam takes none"),
    (R50, "", "COLOR_RGB = false: crops are RGB here"),
    (MPII, "", None),
    ("rdpose/mpii_on_the_test_split", "", "MPII's test split has no labels"),
    ("rdpose/coco_without_root", "", "DATASET.ROOT is empty: data/coco is taken"),
    (MPII, "TEST.COCO_BBOX_FILE x.json", "no meaning for MPII"),
    (W32, "TEST.SOFT_NMS True", "SOFT_NMS = True is not done here: duplicates are removed"),
    (W32, "DATASET.SELECT_DATA True", "every labelled person is trained on"),
    (W32, "DATASET.DATASET ochuman", "OCHuman has no training set"),
    (W32, "PIN_MEMORY False", "PIN_MEMORY"),
]


@pytest.mark.parametrize(("name", "overrides", "pattern"), NOTES)
def test_notes_name_what_is_met_in_another_way(name: str, overrides: str, pattern: str | None, tmp_path: Path) -> None:
    lines = read(write(tmp_path, name), overrides.split()).notes
    if pattern is None:
        assert not re.search("COLOR_RGB|ROOT|split|COCO_BBOX_FILE|not done", "\n".join(lines))
    else:
        assert sum(bool(re.search(pattern, line)) for line in lines) == 1


def test_notes_are_quiet_where_nothing_is_said(tmp_path: Path) -> None:
    assert read(OWN, ["TRAIN.LR", "5e-4", "train.epochs=2"]).notes == ()
    assert len(read(OWN, ["GPUS", "(0,1)"]).notes) == 1
    assert not any("variant" in line for line in read(write(tmp_path, W32), ["model.variant=plain"]).notes)
    assert not any("WD" in line for line in read(write(tmp_path, W32, {"TRAIN.WD": None})).notes)
