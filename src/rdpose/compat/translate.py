"""The HRNet family's settings, group by group, as ours: pure, from flat keys to flat keys and notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from rdpose import heatmaps
from rdpose.compat.yacs_keys import CONVERTED, DEFAULTS, DIFFERENT, NO_MEANING, RENAMED, REQUIRED, hrnet_stages
from rdpose.config.schema import Settings
from rdpose.data.layouts import LAYOUTS, dataset_name

Flat = dict[str, Any]


@dataclass(frozen=True)
class Family:
    """Settings under the family's keys: those to translate, and what holds for the others."""

    given: Mapping[str, Any]
    context: Mapping[str, Any]
    explicit: frozenset[str]
    """The given keys that a person wrote, rather than defaults."""

    def __getitem__(self, key: str) -> Any:
        return self.given.get(key, self.context[key])

    def any(self, *keys: str) -> bool:
        """Whether one of the keys, or of the keys below them, is to be translated."""
        return any(key == given or given.startswith(f"{key}.") for key in keys for given in self.given)

    @property
    def root(self) -> str:
        """DATASET.ROOT; the RDPose files leave it empty and mean the documented folder."""
        return self["DATASET.ROOT"] or f"data/{dataset_name(self['DATASET.DATASET'])}"

    def path(self, key: str) -> str:
        """A path below DATA_DIR; empty stays empty."""
        return str(PurePath(self["DATA_DIR"], self[key])) if self[key] else ""


def context_of(settings: Settings) -> Flat:
    """What the family's keys say about settings of ours, as far as other keys' translation depends on it."""
    data, model = settings.data, settings.model
    layout = LAYOUTS.get(data.dataset)
    splits: Flat = {"DATASET.TRAIN_SET": None, "DATASET.TEST_SET": None}
    if layout and data.train:
        splits["DATASET.TRAIN_SET"] = layout.split_of(data.train[0])
    if layout and data.test:
        splits["DATASET.TEST_SET"] = layout.split_of(data.test)
    zipped = any(source.images.endswith(".zip") for source in (*data.train, data.test) if source)
    depth = model.backbone.removeprefix("resnet")
    return DEFAULTS | splits | {
        "DATASET.DATASET": data.dataset,
        "DATASET.ROOT": data.root,
        "DATASET.DATA_FORMAT": "zip" if zipped else "jpg",
        "MODEL.NAME": "pose_resnet" if depth.isdigit() else "pose_hrnet",
        "MODEL.EXTRA.NUM_LAYERS": int(depth) if depth.isdigit() else 50,
        "MODEL.PRETRAINED": model.init,
        "MODEL.IMAGE_SIZE": list(model.image_size),
        "LOSS.USE_OHKM": settings.loss.ohkm_topk > 0,
        "TRAIN.OPTIMIZER": settings.train.optimizer,
    }  # fmt: skip


def translate(family: Family) -> Flat:
    """Our dotted keys and values.

    Raises:
        ValueError: a network, a target or a data set that cannot be had here.
    """
    flat: Flat = {ours: family[key] for key, ours in RENAMED.items() if key in family.given}
    flat |= {ours: change(family[key]) for key, (ours, change) in CONVERTED.items() if key in family.given}
    for key in REQUIRED:
        if key in family.given and family[key] != DEFAULTS[key]:
            raise ValueError(f"{key} = {family[key]!r} cannot be built here; the one known value is {DEFAULTS[key]!r}")
    groups = (_model, _dataset, _sources, _training, _boxes, _dark)
    return flat | {ours: value for group in groups for ours, value in group(family).items()}


def _model(family: Family) -> Flat:
    flat: Flat = {}
    if family.any("MODEL.NAME", "MODEL.EXTRA"):
        flat["model.backbone"] = _backbone(family)
    if family.any("MODEL.PRETRAINED", "MODEL.INIT_WEIGHTS", "DATA_DIR"):
        flat["model.init"] = family.path("MODEL.PRETRAINED") if family["MODEL.INIT_WEIGHTS"] else ""
    quarter = [side / 4 for side in family["MODEL.IMAGE_SIZE"]]
    if family.any("MODEL.HEATMAP_SIZE") and list(family["MODEL.HEATMAP_SIZE"]) != quarter:
        raise ValueError(
            f"MODEL.HEATMAP_SIZE = {list(family['MODEL.HEATMAP_SIZE'])} is not a quarter of "
            f"MODEL.IMAGE_SIZE = {list(family['MODEL.IMAGE_SIZE'])}; every network here has stride 4"
        )
    return flat


def _backbone(family: Family) -> str:
    name = family["MODEL.NAME"]
    if name == "pose_resnet":
        return f"resnet{family['MODEL.EXTRA.NUM_LAYERS']}"
    if name != "pose_hrnet":
        raise ValueError(f"MODEL.NAME = {name!r} is neither pose_hrnet nor pose_resnet")
    for width in (32, 48):
        if all(family[key] == value for key, value in hrnet_stages(width).items()):
            return f"hrnet_w{width}"
    first = family["MODEL.EXTRA.STAGE2.NUM_CHANNELS"]
    raise ValueError(
        f"MODEL.EXTRA describes neither HRNet-W32 nor W48 (STAGE2.NUM_CHANNELS is {first}); "
        "rdpose builds those two and, for CPUs, model.backbone=hrnet_small"
    )


def _dataset(family: Family) -> Flat:
    flat: Flat = {}
    if family.any("DATASET.DATASET"):
        name = dataset_name(family["DATASET.DATASET"])
        flat |= {"data.dataset": name, "data.skeleton": LAYOUTS[name].skeleton, "data.metric": LAYOUTS[name].metric}
    if family.any("DATASET.DATASET", "DATASET.ROOT", "DATA_DIR"):
        # Below a DATA_DIR an empty ROOT is DATA_DIR itself, as in the family.
        below = family["DATASET.ROOT"] if family["DATA_DIR"] else family.root
        flat["data.root"] = str(PurePath(family["DATA_DIR"], below))
    return flat


def _sources(family: Family) -> Flat:
    """data.train and data.test; a split of None is one that the settings do not have."""
    flat: Flat = {}
    everything = family.any("DATASET.DATASET", "DATASET.DATA_FORMAT")
    train, test = everything or family.any("DATASET.TRAIN_SET"), everything or family.any("DATASET.TEST_SET")
    if not train and not test:
        return flat
    name, zipped = dataset_name(family["DATASET.DATASET"]), family["DATASET.DATA_FORMAT"] == "zip"
    layout = LAYOUTS[name]
    split = _split(family, "DATASET.TRAIN_SET")
    if train and split is not None and name != "ochuman":
        flat["data.train"] = [layout.source(split, zipped=zipped)]
    split = _split(family, "DATASET.TEST_SET")
    if test and split is not None:
        if name == "ochuman":  # the family says val2017 and means val
            split = next((kind for kind in ("val", "test") if kind in split), split)
        flat |= {f"data.test.{key}": value for key, value in layout.source(split, zipped=zipped).items()}
    return flat


def _split(family: Family, key: str) -> str | None:
    if family[key] == "":
        raise ValueError(f"{key} is not known; name the split, e.g. {key} val2017")
    return family[key]


def _training(family: Family) -> Flat:
    flat: Flat = {}
    if family.any("LOSS.USE_OHKM", "LOSS.TOPK"):
        flat["loss.ohkm_topk"] = family["LOSS.TOPK"] if family["LOSS.USE_OHKM"] else 0
    if family.any("TRAIN.WD"):
        # The family hands WD to SGD alone: its published numbers are those of Adam without it.
        flat["train.weight_decay"] = 0.0 if family["TRAIN.OPTIMIZER"] == "adam" else family["TRAIN.WD"]
    return flat


def _boxes(family: Family) -> Flat:
    flat: Flat = {}
    mpii = family["DATASET.DATASET"].lower() == "mpii"
    if family.any("TEST.USE_GT_BBOX"):
        flat["test.boxes"] = "truth" if family["TEST.USE_GT_BBOX"] or mpii else "detected"  # MPII has no others
    file = PurePath(family["TEST.COCO_BBOX_FILE"]) if family.any("TEST.COCO_BBOX_FILE") else PurePath()
    if file.name and not mpii:
        root = PurePath(family.root)
        # Below the data set it moves with DATA_DIR; elsewhere it is seen from the working directory, as in the family.
        inside = file.is_relative_to(root)
        flat["data.test.boxes"] = str(file.relative_to(root) if inside else Path(file).absolute())
    return flat


def _dark(family: Family) -> Flat:
    """DarkPose's files alone say how far a heatmap is smoothed; its code has its own decoding, targets and geometry."""
    own = {"test.decode": "dark", "model.unbiased": True, "model.geometry": "darkpose"}
    return own if family["TEST.BLUR_KERNEL"] else {}


def notes(family: Family) -> Iterator[str]:
    """One line for each thing that is done in another way than a person's file or command asks for."""
    idle = [name for name in NO_MEANING if any(k == name or k.startswith(f"{name}.") for k in family.explicit)]
    if idle:
        named = (name + (f" ({NO_MEANING[name]})" if NO_MEANING[name] else "") for name in idle)
        yield f"these settings have no meaning here: {', '.join(named)}"
    for key, instead in DIFFERENT.items():
        if family[key] != DEFAULTS[key]:
            yield f"{key} = {family[key]} is not done here: {instead}"
    if family.any("DATASET.COLOR_RGB") and not family["DATASET.COLOR_RGB"]:
        yield "DATASET.COLOR_RGB = false: crops are RGB here; tested .pth weights are turned, exactly"
    if "TRAIN.WD" in family.explicit and family["TRAIN.OPTIMIZER"] == "adam" and family["TRAIN.WD"]:
        yield f"TRAIN.WD = {family['TRAIN.WD']}: the family's Adam takes none; train.weight_decay sets one"
    if family.any("DATASET.DATASET") and not family["DATASET.ROOT"] and not family["DATA_DIR"]:
        yield f"DATASET.ROOT is empty: {family.root} is taken"
    yield from _notes_on_dark(family)
    yield from _notes_on_splits(family)


def _notes_on_dark(family: Family) -> Iterator[str]:
    """By what DarkPose's files are told, and that their smoothing follows from sigma."""
    cells = family["TEST.BLUR_KERNEL"]
    if not cells:
        return
    yield (
        "TEST.BLUR_KERNEL is DarkPose's: its decoding, targets and geometry are taken; model.geometry=hrnet is for "
        "networks that were trained with DARK in HRNet's"
    )
    own = 2 * heatmaps.smoothing_radius(family["MODEL.SIGMA"]) + 1
    if cells != own:
        yield (
            f"TEST.BLUR_KERNEL = {cells} is not done here: maps are smoothed by {own} cells, as follows from "
            f"MODEL.SIGMA = {family['MODEL.SIGMA']}"
        )


def _notes_on_splits(family: Family) -> Iterator[str]:
    if not family.any("DATASET.DATASET", "DATASET.TEST_SET"):
        return
    name = dataset_name(family["DATASET.DATASET"])
    if name == "mpii" and family["DATASET.TEST_SET"] == "test":
        yield "DATASET.TEST_SET = test: MPII's test split has no labels, so there is no score; valid has"
    if name == "mpii" and "TEST.COCO_BBOX_FILE" in family.explicit:
        yield "TEST.COCO_BBOX_FILE has no meaning for MPII, whose file gives each person's place"
    if name == "ochuman" and family.any("DATASET.TRAIN_SET"):
        yield "OCHuman has no training set: data.train is empty"
