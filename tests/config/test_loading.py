"""Settings: defaults, overrides, suggestions for unknown keys, refused values, and the way through YAML and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdpose.compat import settings as legacy_settings
from rdpose.config import loading
from rdpose.config import schema as groups
from rdpose.config.schema import Settings

SOURCE = "{annotations: a.json, images: i}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(f"train: {{epochs: 3, lr: 5e-4}}\ndata: {{train: [{SOURCE}]}}\n")
    return path


def value(settings: Settings, dotted: str) -> object:
    found: object = settings
    for name in dotted.split("."):
        found = found[int(name)] if isinstance(found, tuple) else getattr(found, name)
    return found


def test_what_a_file_leaves_out_has_its_default(file: Path) -> None:
    settings = loading.load(file)
    assert settings.name == "mine"
    assert settings.train.epochs == 3
    assert settings.train == settings.train.model_copy(update={"epochs": 3, "lr": 5e-4})
    assert settings.loss == groups.LossSettings()
    assert settings.run_dir == Path("output/coco/hrnet_w32/mine")


def test_a_file_on_top_of_another(file: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    top, middle = tmp_path / "more/top.yaml", tmp_path / "middle.yaml"
    middle.write_text("base: mine.yaml\nname: other\ntrain: {lr: 0.1, lr_steps: [1]}\n")
    top.write_text(f"base: ../middle.yaml\ntrain: {{lr: 0.2}}\ndata: {{train: [{SOURCE}, {SOURCE}]}}\n")
    settings = loading.load(top)
    assert settings.name == "top"
    assert (settings.train.epochs, settings.train.lr, settings.train.lr_steps) == (3, 0.2, (1,))
    assert len(settings.data.train) == 2
    assert loading.load(middle).name == "other"
    assert legacy_settings.read(top).settings == settings


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ("{boxes: b.json}", ("a.json", "b.json", "coco")),
        ("{annotations: c.json, images: j}", ("c.json", "", "coco")),
        ("null", None),
    ],
)
def test_a_source_is_the_bases_changed_or_another(tmp_path: Path, own: str, expected: tuple | None) -> None:
    (tmp_path / "base.yaml").write_text("data: {test: {annotations: a.json, images: i, boxes: a_boxes.json}}")
    (tmp_path / "top.yaml").write_text(f"base: base.yaml\ndata: {{test: {own}}}")
    test = loading.load(tmp_path / "top.yaml").data.test
    assert (test and (test.annotations, test.boxes, test.format)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: gone.yaml", r"first\.yaml: its base gone\.yaml is not there"),
        ("base: ''", r"first\.yaml: its base  is not there"),
        ("base: [a.yaml]", "name one settings file"),
        ("base: first.yaml", r"first\.yaml is its own base"),
        ("base: second.yaml", r"first\.yaml is its own base"),
        ("base: family.yaml\nseed: 1", r"first\.yaml and its base family\.yaml: one has .* the HRNet family's"),
        ("base: third.yaml", r"first\.yaml on .*third\.yaml: unknown setting train\.epoch"),
    ],
)
def test_a_base_that_cannot_be_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "first.yaml").write_text(text)
    (tmp_path / "second.yaml").write_text("base: first.yaml")
    (tmp_path / "family.yaml").write_text("TRAIN: {LR: 0.1}")
    (tmp_path / "third.yaml").write_text("train: {epoch: 3}")
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        loading.load(tmp_path / "first.yaml")


def test_defaults_are_the_familys_recipe() -> None:
    settings = Settings()
    assert (settings.train.lr, settings.train.lr_steps, settings.train.epochs) == (1e-3, (170, 200), 210)
    assert (settings.loss.direct, settings.loss.decoupled, settings.loss.perturbed) == (1.0, 1.5, 1.0)
    assert (settings.augment.rotation, settings.augment.scale, settings.augment.half_body) == (45, 0.35, 0.3)


@pytest.mark.parametrize(
    ("override", "key", "expected"),
    [
        ("train.lr=5e-4", "train.lr", 5e-4),  # YAML takes 5e-4 for a text
        ("train.lr = 0.01", "train.lr", 0.01),
        ("train.lr_steps=[1, 2]", "train.lr_steps", (1, 2)),
        ("model.image_size=[288, 384]", "model.image_size", (288, 384)),
        ("test.flip=no", "test.flip", False),
        ("test.shift_heatmap=null", "test.shift_heatmap", None),
        ("name=other", "name", "other"),
        ("name=2024_01", "name", "2024_01"),
        ("output_dir=on", "output_dir", "on"),
        ("data.root=007", "data.root", "007"),
        ("model.init=''", "model.init", ""),
        ("data.root=my data #1", "data.root", "my data #1"),
        ("data.root='my data'", "data.root", "my data"),
        ("model.init={best}: a.pth", "model.init", "{best}: a.pth"),
        (f"data.test={SOURCE}", "data.test.images", "i"),
        (f"data.train=[{SOURCE}, {SOURCE}]", "data.train.1.images", "i"),
    ],
)
def test_overrides(file: Path, override: str, key: str, expected: object) -> None:
    assert value(loading.load(file, [override]), key) == expected


def test_a_text_of_a_source_is_taken_as_it_stands(file: Path) -> None:
    settings = loading.load(file, [f"data.test={SOURCE}", "data.test.boxes=my boxes #2/b.json"])
    assert settings.data.test == groups.SourceSettings(annotations="a.json", images="i", boxes="my boxes #2/b.json")


def test_values_that_code_gives_are_values(file: Path) -> None:
    settings = loading.load(file, [f"data.test={SOURCE}"])
    places = {"output_dir": " 'a' #1", "data.test.boxes": "null", "seed": 3}
    replaced = loading.replaced(settings, places)
    assert [value(replaced, key) for key in places] == list(places.values())
    assert loading.replaced(replaced, {key: value(settings, key) for key in places}) == settings
    with pytest.raises(ValueError, match=r"override 'data\.test\.boxes=b': test has no settings below it"):
        loading.replaced(loading.load(file), {"data.test.boxes": "b"})
    with pytest.raises(ValueError, match=r"^seed: seed = 'x'"):
        loading.replaced(settings, {"seed": "x"})


def test_overrides_reach_into_empty_sections(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("train:\ntest:\n")
    settings = loading.load(tmp_path / "empty.yaml", ["train.epochs=4"])
    assert settings.train.epochs == 4
    assert settings.test == groups.TestSettings()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epoch=3", "unknown setting train.epoch; did you mean train.epochs?"),
        ("train.learning_rate=3", "unknown setting train.learning_rate"),
        ("epochs=3", "unknown setting epochs; did you mean train.epochs?"),
        ("loss.pertubed=0", "did you mean loss.perturbed?"),
        (
            "data.test={annotation: a.json, images: i}",
            "unknown setting data.test.annotation; did you mean data.test.annotations?",
        ),
        (
            "data.train=[{annotations: a, image: i}]",
            "unknown setting data.train.0.image; did you mean data.train.images?",
        ),
        ("model.image_size=[100, 100]", "[100, 100] is not divisible by 32"),
        ("model.image_size=[0, 32]", "model.image_size.0 = 0: Input should be greater"),
        ("model.image_size=64", "model.image_size = 64"),
        ("train.lr=-1", "train.lr = -1: Input should be greater than 0"),
        ("train.lr=fast", "train.lr = 'fast': Input should be a valid number"),
        ("train.lr=.nan", "train.lr"),
        ("loss.direct=.nan", "loss.direct"),
        ("seed=-1", "seed = -1"),
        ("augment.flip=1.5", "augment.flip = 1.5"),
        ("train.ema=1", "train.ema = 1"),
        ("train.lr_steps=5", "train.lr_steps = 5: Input should be a list, as in [1, 2]"),
        ("test.decode=best", "test.decode = 'best': Input should be 'quarter', 'dark', 'udp' or 'argmax'"),
        ("train.lr", "override 'train.lr' is not key=value"),
        ("base=mine.yaml", "override 'base=mine.yaml': a base stands in a settings file"),
        ("name.first=a", "override 'name.first=a': name has no settings below it"),
        ("train.lr_steps=[1", "override 'train.lr_steps=[1': the value is not YAML"),
    ],
)
def test_what_does_not_fit_is_one_sentence(file: Path, override: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".+") as error:
        loading.load(file, ["name=x", override])
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    if not message.startswith("override"):
        assert str(file) in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("train: {lr: 1}\nseed: 3\ntrain: {epochs: 2}", "train stands there twice, again in line 3"),
        ("train: [", "is not YAML"),
        ("- 1\n- 2\n", "holds a list"),
        ("a text", "holds a str"),
    ],
)
def test_files_that_are_no_settings(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        loading.load(path)
    assert str(path) in str(error.value)


def test_missing_file_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"no settings file nowhere\.yaml"):
        loading.load("nowhere.yaml")


def test_settings_are_frozen(file: Path) -> None:
    settings = loading.load(file)
    with pytest.raises(ValueError, match="frozen"):
        settings.train.epochs = 5  # pyrefly: ignore


def test_yaml_and_back(tmp_path: Path, file: Path) -> None:
    settings = loading.load(file, ["train.lr_steps=[1, 2]", f"data.test={SOURCE}", "train.ema=0.99", "name=round"])
    path = tmp_path / "round.yaml"
    path.write_text(loading.to_yaml(settings))
    assert loading.load(path) == settings


def test_known_keys_are_all_that_can_be_set() -> None:
    keys = loading.known_keys()
    assert len(keys) == len(set(keys))
    assert {"seed", "train", "train.lr", "data.test.boxes", "data.train.repeat", "perturbation.shift"} <= set(keys)


@pytest.mark.parametrize(
    ("key", "suggestion"), [("train.lrs", "train.lr"), ("oks_nm", "test.oks_nms"), ("qwertyuiop", None)]
)
def test_suggestions(key: str, suggestion: str | None) -> None:
    assert loading.suggest(key, loading.known_keys()) == suggestion


def test_yaml_may_merge_mappings_on_top_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "merged.yaml"
    path.write_text(
        "data: {train: [&a {annotations: a, images: i}, &b {<<: *a, images: j}], test: {<<: *b, annotations: z}}"
    )
    settings = loading.load(path)
    assert [(one.annotations, one.images) for one in settings.data.train] == [("a", "i"), ("a", "j")]
    assert settings.data.test is not None
    assert (settings.data.test.annotations, settings.data.test.images) == ("z", "j")


def test_a_number_as_a_text_in_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "n.yaml").write_text("name: 2024")
    with pytest.raises(ValueError, match="name = 2024: Input should be a text, so write it in quotes"):
        loading.load(tmp_path / "n.yaml")
