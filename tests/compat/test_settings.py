"""Settings files of the HRNet family become ours: values, defaults, overrides, notes and errors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from family_files import FILES, write

from rdpose.compat.settings import read
from rdpose.compat.yacs_keys import SIMPLE_BASELINE
from rdpose.config import loading
from rdpose.config import schema as groups

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
OWN = sorted(str(path.relative_to(EXPERIMENTS)) for path in EXPERIMENTS.rglob("*.yaml"))
W32 = "coco/hrnet/w32_256x192_adam_lr1e-3"
R50 = "coco/resnet/res50_256x192_d256x3_adam_lr1e-3"
MPII = "mpii/hrnet/w32_256x256_adam_lr1e-3"
# What our experiments do on purpose in another way than the family's files.
OURS = ["WORKERS", "4", "MODEL.PRETRAINED", "", "TEST.USE_GT_BBOX", "False"]
MPII_TEST = ["TEST.IMAGE_THRE", "0", "TEST.OKS_THRE", "0.9", "TEST.IN_VIS_THRE", "0.2"]


def value(settings: groups.Settings, dotted: str) -> object:
    found: object = settings
    for name in dotted.split("."):
        found = getattr(found, name)
    return found


@pytest.mark.parametrize("name", OWN)
def test_every_experiment_loads_and_names_real_places(name: str) -> None:
    settings = read(EXPERIMENTS / name).settings
    assert settings.name == Path(name).stem
    assert settings.data.dataset == Path(name).parts[0]
    assert settings.data.test is not None
    size = re.search(r"(\d+)x(\d+)", Path(name).stem)
    if Path(name).parts[0] not in ("own", "small"):  # those are named after their data
        assert size is not None
    if size:
        assert settings.model.image_size == (int(size[2]), int(size[1]))
    assert settings.model.variant == "rdpose"


@pytest.mark.parametrize("name", FILES)
def test_every_family_file_loads_with_its_recipe(name: str, tmp_path: Path) -> None:
    tree = FILES[name]
    settings = read(write(tmp_path, name)).settings
    assert settings.train.epochs == tree["TRAIN"]["END_EPOCH"]
    assert settings.train.lr_steps == tuple(tree["TRAIN"]["LR_STEP"])
    assert settings.train.lr == 1e-3
    assert settings.train.weight_decay == 0
    assert settings.model.image_size == tuple(tree["MODEL"]["IMAGE_SIZE"])
    assert settings.augment.half_body == max(0, tree["DATASET"].get("PROB_HALF_BODY", 0))
    assert settings.model.init == "models/start.pth"
    assert settings.data.workers == 24


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("rdpose/")])
def test_family_file_equals_our_experiment(name: str, tmp_path: Path) -> None:
    ours = loading.load(EXPERIMENTS / f"{name}.yaml")
    mpii = MPII_TEST if name.startswith("mpii") else []
    assert read(write(tmp_path, name), OURS + mpii).settings == ours


def test_left_out_keys_get_the_familys_defaults(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("DATASET: {DATASET: mpii}\nMODEL: {NUM_JOINTS: 16}\n")
    settings = read(path).settings
    expected = {
        "model.backbone": "hrnet_w32", "model.image_size": (256, 256), "data.root": "data/mpii", "data.workers": 4,
        "augment.rotation": 30, "augment.scale": 0.25, "augment.half_body": 0, "augment.flip": 0.5,
        "train.epochs": 140, "train.lr_steps": (90, 110), "train.batch_size": 32, "train.optimizer": "adam",
        "test.flip": False, "test.decode": "argmax", "test.shift_heatmap": False, "test.box_score": 0.1,
        "test.oks_nms": 0.5, "test.joint_score": 0, "data.metric": "mpii", "output_dir": "",
    }  # fmt: skip
    assert {key: value(settings, key) for key in expected} == expected


def test_simple_baselines_own_files_get_its_keys_and_defaults(tmp_path: Path) -> None:
    """Its repository names five keys in another way, sets neither post-processing nor shift, and tests with both."""
    changes = dict.fromkeys(SIMPLE_BASELINE.values()) | {
        "MODEL.EXTRA.TARGET_TYPE": "gaussian", "MODEL.EXTRA.HEATMAP_SIZE": [48, 64], "MODEL.EXTRA.SIGMA": 2,
        "TRAIN.BATCH_SIZE": 16, "TEST.BATCH_SIZE": 8, "TEST.POST_PROCESS": None, "TEST.SHIFT_HEATMAP": None,
        "DATASET.COLOR_RGB": None,
    }  # fmt: skip
    request = read(write(tmp_path, "coco/resnet/res50_256x192_d256x3_adam_lr1e-3", changes))
    settings = request.settings
    assert (settings.train.batch_size, settings.test.batch_size, settings.model.sigma) == (16, 8, 2)
    assert (settings.test.decode, settings.test.shift_heatmap, request.bgr) == ("quarter", None, True)
    mpii = {
        "MODEL.SIGMA": None,
        "MODEL.EXTRA.SIGMA": 2,
        "TEST.POST_PROCESS": None,
        "MODEL.NUM_JOINTS": None,
        "MODEL.NAME": None,
    }
    settings = read(write(tmp_path, "mpii/resnet/res50_256x256_d256x3_adam_lr1e-3", mpii)).settings
    assert (settings.model.backbone, settings.data.skeleton, settings.test.decode) == ("resnet50", "mpii", "quarter")


@pytest.mark.parametrize("name", [Path(name).stem for name in OWN if name.endswith("_darkpose.yaml")])
def test_dark_poses_files_equal_our_experiments(name: str, tmp_path: Path) -> None:
    """They leave SHIFT_HEATMAP out, so it is false; ours leave it to the geometry, which comes to the same."""
    changes = {"TEST.BLUR_KERNEL": 17 if "384" in name else 11, "TEST.SHIFT_HEATMAP": None}
    theirs = read(write(tmp_path, f"coco/hrnet/{name.removesuffix('_darkpose')}", changes), OURS).settings
    ours = loading.load(EXPERIMENTS / f"coco/hrnet/{name}.yaml", ["test.shift_heatmap=false"])
    assert theirs.model_copy(update={"name": ours.name}) == ours


def test_dark_poses_files_decode_and_train_as_it_does(tmp_path: Path) -> None:
    request = read(write(tmp_path, "coco/hrnet/w32_256x192_adam_lr1e-3", {"TEST.BLUR_KERNEL": 11}))
    settings = request.settings
    assert (settings.test.decode, settings.test.shift_heatmap, settings.model.unbiased) == ("dark", None, True)
    assert settings.model.geometry == "darkpose"
    told = [note for note in request.notes if "BLUR_KERNEL" in note]
    assert len(told) == 1
    assert "model.geometry=hrnet" in told[0]


@pytest.mark.parametrize(("cells", "sigma", "own"), [(11, 2, 11), (17, 3, 17), (11, 3, 17), (17, 2, 11)])
def test_another_smoothing_than_sigmas_is_told(cells: int, sigma: int, own: int, tmp_path: Path) -> None:
    changes = {"TEST.BLUR_KERNEL": cells, "MODEL.SIGMA": sigma}
    notes = read(write(tmp_path, "coco/hrnet/w32_256x192_adam_lr1e-3", changes)).notes
    said = f"TEST.BLUR_KERNEL = {cells} is not done here: maps are smoothed by {own} cells"
    assert any(said in note for note in notes) == (cells != own)


@pytest.mark.parametrize(("override", "bgr"), [("", False), ("DATASET.COLOR_RGB False", True), ("GPUS (0,)", False)])
def test_the_order_of_colours_is_the_files(override: str, bgr: bool, tmp_path: Path) -> None:
    assert read(write(tmp_path, "coco/hrnet/w32_256x192_adam_lr1e-3"), override.split()).bgr is bgr
    own = EXPERIMENTS / "coco/hrnet/w32_256x192_adam_lr1e-3.yaml"
    assert read(own, override.split()).bgr is (True if "COLOR" in override else None)


OVERRIDES = [
    ("TRAIN.LR 5e-4", "train.lr", 5e-4),
    ("TRAIN.LR_STEP (90,120)", "train.lr_steps", (90, 120)),
    ("TRAIN.END_EPOCH=3", "train.epochs", 3),
    ("TRAIN.OPTIMIZER sgd TRAIN.WD 1e-4", "train.weight_decay", 1e-4),
    ("TRAIN.WD 1e-4", "train.weight_decay", 0.0),
    ("LOSS.USE_OHKM True", "loss.ohkm_topk", 8),
    ("LOSS.USE_OHKM true LOSS.TOPK 5", "loss.ohkm_topk", 5),
    ("LOSS.TOPK 5", "loss.ohkm_topk", 0),
    ("LOSS.USE_DIFFERENT_JOINTS_WEIGHT True", "loss.joint_weights", True),
    ("TEST.USE_GT_BBOX True", "test.boxes", "truth"),
    ("TEST.USE_GT_BBOX False", "test.boxes", "detected"),
    ("TEST.POST_PROCESS False", "test.decode", "argmax"),
    ("TEST.SHIFT_HEATMAP False", "test.shift_heatmap", False),
    ("TEST.FLIP_TEST False", "test.flip", False),
    ("TEST.IMAGE_THRE 0.3", "test.box_score", 0.3),
    ("DATASET.FLIP False", "augment.flip", 0),
    ("DATASET.PROB_HALF_BODY -1", "augment.half_body", 0),
    ("MODEL.IMAGE_SIZE [288,384] MODEL.HEATMAP_SIZE (72,96) MODEL.SIGMA 3", "model.image_size", (288, 384)),
    ("MODEL.NAME pose_resnet MODEL.EXTRA.NUM_LAYERS 101", "model.backbone", "resnet101"),
    ("MODEL.PRETRAINED start.pth DATA_DIR /base", "model.init", "/base/start.pth"),
    ("MODEL.PRETRAINED start.pth MODEL.INIT_WEIGHTS False", "model.init", ""),
    ("DATASET.ROOT sets/coco/", "data.root", "sets/coco"),
    ("DATASET.ROOT sets/coco DATA_DIR /base", "data.root", "/base/sets/coco"),
    ("DATA_DIR /base", "data.root", "/base/data/coco"),
    ("DATASET.TEST_SET test-dev2017", "data.test.annotations", "annotations/image_info_test-dev2017.json"),
    ("DATASET.TEST_SET test-dev2017", "data.test.images", "images/test2017"),
    ("DATASET.DATA_FORMAT zip", "data.test.images", "images/val2017.zip"),
    ("TEST.COCO_BBOX_FILE data/coco/other.json", "data.test.boxes", "other.json"),
    ("TEST.COCO_BBOX_FILE /elsewhere/other.json", "data.test.boxes", "/elsewhere/other.json"),
    ("OUTPUT_DIR runs", "output_dir", "runs"),
    ("TRAIN.END_EPOCH 3 train.epochs=5", "train.epochs", 5),
    ("model.variant=plain", "model.variant", "plain"),
]


@pytest.mark.parametrize("kind", ["family", "ours"])
@pytest.mark.parametrize(("overrides", "key", "expected"), OVERRIDES)
def test_overrides_on_either_kind_of_file(
    kind: str, overrides: str, key: str, expected: object, tmp_path: Path
) -> None:
    path = write(tmp_path, W32) if kind == "family" else EXPERIMENTS / f"{W32}.yaml"
    assert value(read(path, overrides.split()).settings, key) == expected


def test_a_text_is_taken_as_it_stands(tmp_path: Path) -> None:
    given = read(write(tmp_path, W32), ["DATASET.ROOT", "my sets #1/coco", "OUTPUT_DIR", "'my runs'"]).settings
    assert (given.data.root, given.output_dir) == ("my sets #1/coco", "my runs")


def test_an_override_changes_nothing_else(tmp_path: Path) -> None:
    path = EXPERIMENTS / f"{W32}.yaml"
    for items in (["TRAIN.LR", "5e-4"], ["train.lr=5e-4"]):
        changed = read(path, items).settings.model_dump()
        assert changed.pop("train").pop("lr") == 5e-4
        before = loading.load(path).model_dump()
        before.pop("train")
        assert changed == before


@pytest.mark.parametrize(
    ("overrides", "weights"),
    [
        ("", ""),
        ("TEST.MODEL_FILE pose.pth", "pose.pth"),
        ("TEST.MODEL_FILE models/12 DATA_DIR /base", "/base/models/12"),
        ("TEST.MODEL_FILE /there/pose.pth DATA_DIR /base", "/there/pose.pth"),
    ],
)
def test_weights_are_those_of_model_file(overrides: str, weights: str, tmp_path: Path) -> None:
    for path in (write(tmp_path, W32), EXPERIMENTS / f"{W32}.yaml"):
        assert read(path, overrides.split()).weights == weights


ERRORS = [
    ("TRAIN.LEARNING_RATE 1", "unknown setting TRAIN.LEARNING_RATE"),
    ("TRAIN.BATCH_SIZE 1", "did you mean TRAIN.BATCH_SIZE_PER_GPU"),
    ("TEST.USE_GT_BOX True", "did you mean TEST.USE_GT_BBOX"),
    ("TEST.MODELFILE x.pth", "did you mean TEST.MODEL_FILE"),
    ("train.epoch=3", "did you mean train.epochs"),
    ("train.epochs 3", "is not key=value"),
    ("TEST.MODEL_FILE", "TEST.MODEL_FILE has no value"),
    ("TEST.FLIP_TEST perhaps", "TEST.FLIP_TEST = 'perhaps' is not true or false"),
    ("TRAIN.LR fast", "TRAIN.LR = 'fast' is not a number"),
    ("TRAIN.LR_STEP __import__('os').getcwd()", "is not a list of numbers"),
    ("MODEL.IMAGE_SIZE ('a','b')", "is not a list of numbers"),
    ("TRAIN.OPTIMIZER rmsprop", "train.optimizer = 'rmsprop'"),
    ("MODEL.NAME pose_mobile", "neither pose_hrnet nor pose_resnet"),
    ("MODEL.EXTRA.STAGE2.NUM_CHANNELS [18,36]", "neither HRNet-W32 nor W48 .* is \\[18, 36\\]"),
    ("MODEL.EXTRA.FINAL_CONV_KERNEL 3", "FINAL_CONV_KERNEL = 3 cannot be built here"),
    ("MODEL.TARGET_TYPE laplacian", "the one known value is 'gaussian'"),
    ("LOSS.USE_TARGET_WEIGHT False", "USE_TARGET_WEIGHT"),
    ("MODEL.HEATMAP_SIZE [96,128]", "not a quarter of MODEL.IMAGE_SIZE"),
    ("MODEL.NUM_JOINTS 16", "NUM_JOINTS = 16, but coco has 17"),
    ("DATASET.DATASET crowdpos", "did you mean crowdpose"),
    ("DATASET.DATASET aic", "for your own data write data.train"),
    ("DATASET.TEST_SET=", "DATASET.TEST_SET is not known; name the split"),
]


@pytest.mark.parametrize("kind", ["family", "ours"])
@pytest.mark.parametrize(("overrides", "message"), ERRORS)
def test_errors_say_what_to_do(kind: str, overrides: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, W32) if kind == "family" else EXPERIMENTS / f"{W32}.yaml"
    with pytest.raises(ValueError, match=message):
        read(path, overrides.split())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TRAIN: {LR: 1}\ntrain: {lr: 1}\n", "unknown setting train.lr; did you mean TRAIN.LR"),
        ("MODEL:\n  EXTRA:\n    NUM_LAYER: 50\n", "did you mean MODEL.EXTRA.NUM_LAYERS"),
        ("CUDNN: true\n", "unknown setting CUDNN"),
        ("TRAIN: [1, 2]\n", "unknown setting TRAIN"),
        ("MODEL: {NAME: [\n", "is not YAML"),
    ],
)
def test_broken_files_are_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no settings file"):
        read(tmp_path / "none.yaml")


def test_empty_sections_and_values_are_defaults(tmp_path: Path) -> None:
    before = read(write(tmp_path, W32)).settings
    assert read(write(tmp_path, W32, {"RANK": None, "CUDNN": None})).settings == before


def test_overrides_of_own_data_sets_need_no_layout(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("data: {dataset: mine, root: here, test: {annotations: a.json, images: p}}\n")
    settings = read(path, ["TEST.USE_GT_BBOX", "True", "TEST.COCO_BBOX_FILE", "here/b.json", "WORKERS", "0"]).settings
    assert settings.data.test == groups.SourceSettings(annotations="a.json", images="p", boxes="b.json")
    assert (settings.test.boxes, settings.data.workers, settings.name) == ("truth", 0, "mine")
    with pytest.raises(ValueError, match="own data write"):
        read(path, ["DATASET.TEST_SET", "val2017"])
