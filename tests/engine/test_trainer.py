"""Training: it learns, it goes on bit for bit where it stopped, it leaves what it should, alone and in company."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from many import assert_no_thread_of_the_group, torchrun
from one_step import one_step
from rdpose.checkpoints import load as weight_files
from rdpose.checkpoints import native
from rdpose.config import loading
from rdpose.config.schema import Settings
from rdpose.engine import build, optim, tester, trainer
from rdpose.engine.trainer import Run
from rdpose.io import files
from rdpose.models import builders
from rdpose.models.backbones import vit
from rdpose.skeletons import COCO_17
from rdpose.utils import distributed

Maker = Callable[..., Settings]
TESTED = ("train.epochs=3", "train.validate_every=2", "train.ema=0.9", "test.flip=false")


def run_of(settings: Settings, epochs: int, *, resume: bool = False) -> Run:
    """A training in this process, `epochs` of it, as if it were interrupted then."""
    with distributed.process() as here:
        run = Run(settings, here)
        if resume:
            run.resume()
        else:
            run.begin()
        for _ in range(epochs):
            run.train_epoch()
        run.records.close()
    return run


def leaves(tree: Any, path: str = "") -> dict[str, Any]:
    """The tensors and numbers of nested containers, by their places."""
    if isinstance(tree, dict | list | tuple):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        return {key: leaf for name, value in items for key, leaf in leaves(value, f"{path}/{name}").items()}
    return {path: tree}


def assert_identical(one: Any, other: Any) -> None:
    one, other = leaves(one), leaves(other)
    assert one.keys() == other.keys()
    different = [
        key
        for key, value in one.items()
        if not (torch.equal(value, other[key]) if isinstance(value, Tensor) else value == other[key])
    ]
    assert different == []


def metrics(folder: Path) -> list[dict[str, float]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def test_the_loss_falls_and_the_best_is_kept(tiny_settings: Maker) -> None:
    settings = tiny_settings(
        *("train.epochs=6", "train.lr=2e-3", "augment.rotation=0", "test.flip=false", "train.validate_every=6")
    )
    best = trainer.train(settings)
    losses = [line["loss"] for line in metrics(settings.run_dir)]
    assert losses[-1] < 0.8 * losses[0]
    assert best == settings.run_dir / "model_best.safetensors"
    network, saved, skeleton = weight_files.load_network(best)
    assert saved == settings
    assert skeleton.name == "coco"
    assert not network.training


@pytest.mark.parametrize("workers", [0, 2])
def test_interrupted_and_resumed_is_uninterrupted(tiny_settings: Maker, tmp_path: Path, workers: int) -> None:
    options = (*TESTED, f"data.workers={workers}", "train.schedule=cosine", "train.warmup_steps=3")
    whole, parts = (tiny_settings(*options, f"output_dir={tmp_path / name}") for name in ("whole", "parts"))
    run_of(whole, 3)
    run_of(parts, 1)
    torch.manual_seed(99)  # another process
    run_of(parts, 2, resume=True)
    states = [native.load_state(settings.run_dir / "checkpoint.pt") for settings in (whole, parts)]
    for state in states:
        state["settings"]["output_dir"] = ""
    assert states[0]["epoch"] == 3
    assert states[0]["average"]["updates"] > 0
    assert {"network", "stepper", "average", "best", "random"} <= states[0].keys()
    assert_identical(*states)
    assert metrics(whole.run_dir) == metrics(parts.run_dir)
    best = [native.load_weights(s.run_dir / "model_best.safetensors").tensors for s in (whole, parts)]
    assert_identical(*best)


def test_a_transformer_trains_and_resumes_exactly(
    tiny_settings: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that ViTPose's recipe asks for: drop path is drawn again as it would have been."""
    monkeypatch.setitem(vit.SIZES, "vit_small", vit.Size(width=48, depth=2, heads=12, drop_path=0.5))
    recipe = ("model.backbone=vit_small_simple", "train.layer_decay=0.8", "train.weight_decay=0.1", "train.clip=1")
    options = (*recipe, "train.epochs=2", "train.ema=0.9", "train.precision=bf16", "train.validate_every=0")
    whole, parts = (tiny_settings(*options, f"output_dir={tmp_path / name}") for name in ("whole", "parts"))
    run_of(whole, 2)
    run_of(parts, 1)
    torch.manual_seed(99)
    run_of(parts, 1, resume=True)
    states = [native.load_state(settings.run_dir / "checkpoint.pt") for settings in (whole, parts)]
    for state in states:
        state["settings"]["output_dir"] = ""
    assert_identical(*states)
    assert len(states[0]["stepper"]["optimizers"][0]["param_groups"]) == 8  # four layers, weights and others


def test_a_finished_run_resumes_for_more_epochs(tiny_settings: Maker) -> None:
    trainer.train(tiny_settings("train.epochs=1"))
    settings = tiny_settings("train.epochs=2", "train.validate_every=1", "test.flip=false")
    trainer.train(settings, resume=True)
    assert [line["epoch"] for line in metrics(settings.run_dir)] == [1, 2]
    assert loading.load(settings.run_dir / "settings.yaml") == settings


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("test.boxes=detected", "data.test.boxes names no file"),
        ("data.test.annotations=gone.json", r"gone\.json"),
        ("data.metric=mpii", "PCKh is measured in MPII's 16 joints"),
    ],
)
def test_a_test_that_cannot_be_is_told_before_the_first_epoch(
    tiny_settings: Maker, override: str, message: str
) -> None:
    settings = tiny_settings("train.validate_every=1", "data.skeleton=coco", override)
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        trainer.train(settings)
    assert not settings.run_dir.exists()
    assert trainer.train(tiny_settings("train.validate_every=0", "data.skeleton=coco", override)).exists()


def test_a_test_that_fails_does_not_cost_its_epoch(
    tiny_settings: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = (tiny_settings(*TESTED, f"output_dir={tmp_path / name}") for name in ("whole", "parts"))
    run_of(whole, 3)

    def broken(*_: object, **__: object) -> None:
        raise ValueError("a picture of the test cannot be read")

    with monkeypatch.context() as patch:
        patch.setattr(tester, "test", broken)
        with pytest.raises(ValueError, match="cannot be read"):
            run_of(parts, 3)
    assert [line["epoch"] for line in metrics(parts.run_dir)] == [1]
    with monkeypatch.context() as patch:  # it fails again, after the epoch's line this time
        patch.setattr(Run, "_save_weights", broken)
        with pytest.raises(ValueError, match="cannot be read"):
            run_of(parts, 3, resume=True)
    run_of(parts, 1, resume=True)
    assert metrics(parts.run_dir) == metrics(whole.run_dir)
    ends = [native.load_weights(s.run_dir / "model_best.safetensors").tensors for s in (whole, parts)]
    assert_identical(*ends)


def test_weights_of_epochs_are_kept_where_that_is_asked(tiny_settings: Maker) -> None:
    settings = tiny_settings("train.epochs=5", "train.keep_every=2", "train.validate_every=0", "train.ema=0.5")
    final = trainer.train(settings)
    assert sorted(path.stem for path in final.parent.glob("epoch_*")) == ["epoch_2", "epoch_4"]
    third, last = (native.load_weights(final.parent / f"epoch_{epoch}.safetensors").tensors for epoch in (2, 4))
    assert any(not torch.equal(third[key], last[key]) for key in last)
    trainer.train(tiny_settings("train.epochs=4", "train.validate_every=0", "train.ema=0.5", "name=shorter"))
    shorter = final.parent.parent / "shorter"
    assert not list(shorter.glob("epoch_*"))


def test_the_best_of_another_test_is_not_kept(tiny_settings: Maker) -> None:
    run_of(tiny_settings(*TESTED), 2)
    path = tiny_settings().run_dir / "checkpoint.pt"
    native.save_state(path, native.load_state(path) | {"best": 0.8})
    longer = (*TESTED, "train.epochs=9", "train.validate_every=1")
    for kept in ("test.batch_size=3", "data.test=null", "train.validate_every=5"):
        assert run_of(tiny_settings(*longer, kept), 1, resume=True).best == 0.8
    assert run_of(tiny_settings(*longer, "test.decode=dark"), 1, resume=True).best < 0.8


def test_going_on_does_not_need_what_it_started_from(tiny_settings: Maker, tmp_path: Path) -> None:
    first = run_of(tiny_settings("name=first", "train.ema=0.9"), 1)
    start = Path(shutil.copy(first.finish(), tmp_path / "start.safetensors"))
    settings = tiny_settings("name=second", f"model.init={start}", "train.epochs=2", "train.ema=0.9", "train.lr=1e-30")
    begun = run_of(settings, 1)
    assert begun.average is not None
    torch.testing.assert_close(begun.average.tensors["head.weight"], first.shipped().state_dict()["head.weight"])
    start.unlink()
    assert run_of(settings, 1, resume=True).epoch == 2


def test_a_training_is_not_overwritten(tiny_settings: Maker) -> None:
    settings = tiny_settings("train.epochs=1")
    trainer.train(settings)
    before = (settings.run_dir / "checkpoint.pt").read_bytes()
    with pytest.raises(ValueError, match="holds a training already: go on with --resume"):
        trainer.train(settings)
    assert (settings.run_dir / "checkpoint.pt").read_bytes() == before


def test_resume_without_a_run_begins_one(tiny_settings: Maker) -> None:
    settings = tiny_settings()
    assert trainer.train(settings, resume=True) == settings.run_dir / "final_state.safetensors"


def test_the_folder_holds_exactly_this(tiny_settings: Maker) -> None:
    settings = tiny_settings("train.validate_every=1", "test.flip=false")
    trainer.train(settings)
    files = {str(path.relative_to(settings.run_dir)) for path in settings.run_dir.rglob("*") if path.is_file()}
    boards = {name for name in files if name.startswith("tensorboard/events.out.tfevents")}
    assert len(boards) == 1
    assert files - boards == {
        "settings.yaml",
        "metrics.jsonl",
        "checkpoint.pt",
        "model_best.safetensors",
        "final_state.safetensors",
        "results/keypoints_val2017_results.json",
        "results/scores.json",
    }
    (line,) = metrics(settings.run_dir)
    assert {"epoch", "loss", "direct", "decoupled", "perturbed", "lr", "AP", "AR"} <= line.keys()
    assert json.loads((settings.run_dir / "results/scores.json").read_text())["figures"]["AP"] == line["AP"]


def test_a_half_written_line_and_those_of_lost_epochs_go(tiny_settings: Maker) -> None:
    settings = tiny_settings("train.epochs=2")
    run_of(settings, 1)
    with (settings.run_dir / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 2, "loss": 1}\n{"epoch": 3, "lo')
    run_of(settings, 1, resume=True)
    assert [line["epoch"] for line in metrics(settings.run_dir)] == [1, 2]
    assert len(metrics(settings.run_dir)[1]) > 2


@pytest.mark.parametrize("existing", [True, False])
def test_an_interrupted_write_leaves_what_was_there(tmp_path: Path, existing: bool) -> None:
    path = tmp_path / "run" / "state.pt"
    if existing:
        native.save_state(path, {"settings": {}, "epoch": 1})

    def write(place: Path) -> None:
        place.write_bytes(b"half of i")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(path, write)
    assert [file.name for file in path.parent.iterdir()] == (["state.pt"] if existing else [])
    if existing:
        assert native.load_state(path)["epoch"] == 1


@pytest.mark.parametrize("damage", [lambda data: data[:-300], lambda data: b"", lambda data: data[:50] + data[60:]])
def test_a_damaged_state_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "checkpoint.pt"
    native.save_state(path, {"settings": {}, "weights": torch.zeros(100)})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"checkpoint\.pt is no training state .*remove it to start afresh"):
        native.load_state(path)


@pytest.mark.parametrize("content", [{"state_dict": {}}, [1, 2], nn.Linear(2, 2)])
def test_another_programs_state_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match=r"checkpoint\.pt is no training state"):
        native.load_state(tmp_path / "checkpoint.pt")


def test_a_loss_that_is_no_number_stops_and_keeps_the_epoch_before(tiny_settings: Maker) -> None:
    settings = tiny_settings("train.epochs=2")
    run_of(settings, 1)
    before = (settings.run_dir / "checkpoint.pt").read_bytes()
    with distributed.process() as here:
        run = Run(settings, here)
        run.resume()
        with torch.no_grad():
            run.network.head.weight.fill_(float("nan"))
        with pytest.raises(ValueError, match=r"no longer a number in epoch 2; .*checkpoint\.pt still holds .*--resume"):
            run.train_epoch()
        run.records.close()
    assert (settings.run_dir / "checkpoint.pt").read_bytes() == before
    assert [line["epoch"] for line in metrics(settings.run_dir)] == [1]


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("train.optimizer=sgd", "train.optimizer = 'adamw', now 'sgd'"),
        ("model.sigma=3", "model.sigma = 2.0, now 3.0"),
        ("seed=4", "seed = 0, now 4"),
    ],
)
def test_resuming_another_training_is_refused(tiny_settings: Maker, override: str, told: str) -> None:
    path = Path("run/checkpoint.pt")
    with pytest.raises(ValueError, match=rf"run/checkpoint\.pt was trained with {told}; .* to start afresh"):
        trainer.refuse_other_settings(tiny_settings(), tiny_settings(override), path)


def test_resuming_with_other_joints_is_refused(tiny_settings: Maker, tiny_crowd: Path, tmp_path: Path) -> None:
    """They stand in the annotation file: renamed or moved ones would go on in silence, more of them end in torch."""
    root = shutil.copytree(tiny_crowd, tmp_path / "crowd")
    settings = tiny_settings(f"data.root={root}", "data.skeleton=file", "train.epochs=2")
    run_of(settings, 1)
    for path in (root / "annotations").iterdir():
        content = json.loads(path.read_text())
        content["categories"][0]["keypoints"][0] = "beak"
        path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"trained on other joints .*\(joint 1 is nose and beak\).*model_best.safeten"):
        run_of(settings, 1, resume=True)


@pytest.mark.parametrize(
    "override",
    ["train.epochs=9", "data.workers=3", "test.flip=false", "output_dir=elsewhere", "train.lr=0.5", "train.clip=1"],
)
def test_resuming_may_change_what_does_not_train(tiny_settings: Maker, override: str) -> None:
    trainer.refuse_other_settings(tiny_settings(), tiny_settings(override), Path("checkpoint.pt"))


@pytest.mark.parametrize(
    "overrides",
    [
        ("train.optimizer=sgd", "train.lr=1e-5", "train.clip=0.1"),
        ("train.optimizer=adam", "train.precision=bf16"),
        ("train.optimizer=muon", "train.freeze=[backbone.layer1]", "train.ema=0.9", "train.clip=1"),
        ("model.variant=plain", "loss.joint_weights=true", "loss.ohkm_topk=8"),
        ("model.variant=boxes", "loss.rivals=2", "loss.perturbed=0"),
        ("model.variant=official", "loss.reduction=mean"),
        ("loss.perturbed=0",),
    ],
    ids=" ".join,
)
def test_every_kind_of_training_steps(tiny_settings: Maker, overrides: tuple[str, ...]) -> None:
    settings = tiny_settings(*overrides)
    with distributed.process() as here:
        run = Run(settings, here)
        before = run.network.state_dict()["backbone.conv1.weight"].clone()
        terms = run.step(next(iter(run.loader)))
    assert terms["loss"].isfinite()
    assert ("perturbed" in terms) == (settings.loss.perturbed > 0 and settings.model.variant != "plain")
    after = run.network.state_dict()["backbone.conv1.weight"]
    assert after.isfinite().all()
    assert not torch.equal(before, after)


@pytest.mark.parametrize(("asked", "found"), [("loss.rivals=null", 0), ("loss.rivals=0", 0), ("loss.rivals=2", 2)])
def test_rivals_count_where_they_are_asked_for(tiny_settings: Maker, asked: str, found: float) -> None:
    """Settings of older weights say null."""
    network = builders.build("hrnet_small", "rdpose", num_joints=17)
    assert build.wrap(network, tiny_settings(asked), COCO_17).rivals == found


@pytest.mark.parametrize(
    "asked", ["loss.rivals=3", "model.unbiased=true", "loss.joint_weights=true", "loss.decoupled=7", "loss.perturbed=0"]
)
def test_the_published_training_takes_no_additions(tiny_settings: Maker, asked: str) -> None:
    with pytest.raises(ValueError, match=f"trains without {asked.split('=')[0]}"):
        run_of(tiny_settings("model.variant=official", asked), 1)


def test_frozen_parts_stay_as_they_start(tiny_settings: Maker) -> None:
    settings = tiny_settings("train.freeze=[backbone.conv1, backbone.bn1, backbone.layer1]")
    with distributed.process() as here:
        before = {key: tensor.clone() for key, tensor in Run(settings, here).network.state_dict().items()}
    after = run_of(settings, 1).network.state_dict()
    changed = {".".join(key.split(".")[:2]) for key, tensor in after.items() if not torch.equal(tensor, before[key])}
    assert changed.isdisjoint({"backbone.conv1", "backbone.bn1", "backbone.layer1"})
    assert {"backbone.conv2", "backbone.bn2", "head.weight"} <= changed


def test_norms_without_weights_go_on_counting_unless_all_are_held() -> None:
    """A backbone of a user's may have them: they have nothing that could be frozen."""
    network = nn.Sequential(nn.BatchNorm2d(3, affine=False), nn.BatchNorm2d(3).requires_grad_(False))
    optim.freeze_batch_norm(network, all_of_them=False)
    assert [norm.training for norm in network] == [True, False]
    optim.freeze_batch_norm(network)
    assert [norm.training for norm in network] == [False, False]


def test_freezing_what_is_not_there_is_refused(tiny_settings: Maker) -> None:
    for name in ("backbone.layer9", "normalise", "''"):
        with pytest.raises(ValueError, match=r"no part .* that trains; there are backbone, .*backbone.layer1, .*head"):
            run_of(tiny_settings(f"train.freeze=[{name}]"), 1)


def test_an_unknown_joint_to_look_at_again_is_told_before_the_first_epoch(tiny_settings: Maker) -> None:
    settings = tiny_settings("test.zoom=[nose, hat]")
    with pytest.raises(ValueError, match="coco has no joint 'hat'"):
        trainer.train(settings)
    assert not (settings.run_dir / "metrics.jsonl").exists()


def test_an_unlabelled_test_set_chooses_no_best(tiny_settings: Maker, tiny_crowd: Path, tmp_path: Path) -> None:
    labels = json.loads((tiny_crowd / "annotations/person_keypoints_val2017.json").read_text())
    (tmp_path / "image_info.json").write_text(json.dumps(labels | {"annotations": []}))
    settings = tiny_settings("train.validate_every=1", f"data.test.annotations={tmp_path / 'image_info.json'}")
    assert trainer.train(settings) == settings.run_dir / "final_state.safetensors"
    assert not (settings.run_dir / "model_best.safetensors").exists()


@pytest.mark.slow
def test_two_processes_have_the_loss_and_gradients_of_one(tiny_settings: Maker, tmp_path: Path) -> None:
    options = ("augment.half_body=0", "train.freeze_batch_norm=true", "loss.reduction=mean")
    one, two = tiny_settings(*options, "train.batch_size=8"), tiny_settings(*options, "train.batch_size=4")
    path = tmp_path / "two.yaml"
    path.write_text(loading.to_yaml(two))
    assert_no_thread_of_the_group(torchrun(2, Path(__file__).parents[1] / "one_step.py", path, tmp_path / "two.pt"))
    found, expected = torch.load(tmp_path / "two.pt"), one_step(one)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name].numpy(), value.numpy(), atol=1e-5, rtol=1e-5, err_msg=name)
    assert expected["backbone.conv1.weight"].abs().max() > 1e-3


@pytest.mark.slow
def test_the_command_line_trains_on_two_processes(tiny_config: Path, tiny_crowd: Path, tmp_path: Path) -> None:
    out = torchrun(
        2,
        *("-m", "rdpose", "train", tiny_config, f"data.root={tiny_crowd}", f"output_dir={tmp_path}"),
        *("train.batch_size=3", "train.validate_every=1", "train.ema=0.9", "test.flip=false"),
    )
    folder = tmp_path / "crowds" / "hrnet_small" / "tiny"
    assert out.count("weights: ") == 1
    assert [line["epoch"] for line in metrics(folder)] == [1]
    assert (folder / "model_best.safetensors").exists()
    results = json.loads((folder / "results" / "keypoints_val2017_results.json").read_text())
    settings = loading.load(folder / "settings.yaml")
    scores = tester.test_weights(settings, folder / "model_best.safetensors")
    alone = json.loads((folder / "results" / "keypoints_val2017_results.json").read_text())
    assert scores is not None
    assert [row["annotation_id"] for row in results] == [row["annotation_id"] for row in alone]
    # Both processes tested the main one's network; a peak among equals may move by rounding.
    both, one = (np.array([row["keypoints"] for row in rows]).reshape(-1, 3) for rows in (results, alone))
    np.testing.assert_allclose(both[:, 2], one[:, 2], atol=2e-3)
    assert (np.abs(both - one) < 0.5).mean() > 0.99
