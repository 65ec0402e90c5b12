"""Training: epochs of steps, tests between them, and files that an interruption cannot spoil.

The run's folder holds settings.yaml, metrics.jsonl, checkpoint.pt (the state to resume from), model_best and
final_state (weights; epoch_<number>, too, if asked), and results/ of the last test.
"""

from __future__ import annotations

import copy
import time
from pathlib import Path

import torch
from torch import Tensor

from rdpose import skeletons
from rdpose.checkpoints import native, zoo
from rdpose.config import loading
from rdpose.config.schema import Settings
from rdpose.data import sources
from rdpose.engine import build, optim, tester, transfer
from rdpose.engine.metrics_log import Means, Records, epoch_line
from rdpose.engine.optim import Stepper, WeightAverage
from rdpose.io import files
from rdpose.models import builders
from rdpose.models.rdpose import RDPose
from rdpose.models.reference import OfficialRDPose
from rdpose.skeletons import Skeleton
from rdpose.utils import distributed
from rdpose.utils.distributed import Process
from rdpose.utils.progress import Bar


def train(settings: Settings, *, resume: bool = False) -> Path:
    """Train as the settings say, from the start or, if asked and there is one, from the run's checkpoint.

    Returns:
        The weights to use: the best tested ones, or the final ones where nothing was measured.

    Raises:
        ValueError: data, weights or the checkpoint do not fit, or the loss is no longer a number.
    """
    if settings.train.threads:
        torch.set_num_threads(settings.train.threads)
    with distributed.process() as here:
        return _train(settings, here, resume=resume)


def _train(settings: Settings, here: Process, *, resume: bool) -> Path:
    run = Run(settings, here)
    if resume:
        run.resume()
    else:
        run.begin()
    with run.bar:
        while run.epoch < settings.train.epochs:
            run.train_epoch()
    return run.finish()


class Run:
    """One training on one process: its parts, how far it is, and the best figure so far."""

    def __init__(self, settings: Settings, here: Process) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.here, self.folder = settings, here, settings.run_dir
        file = sources.test_file(settings.data)
        self.skeleton = sources.skeleton_of(settings.data, file)
        self.skeleton.places(settings.test.zoom)  # an unknown joint is told now, not after an epoch
        backbone = builders.chosen(settings.model.backbone)
        variant, convention = settings.model.variant, settings.model.geometry
        self.network = builders.build(backbone, variant, num_joints=self.skeleton.num_joints, convention=convention)
        tests = settings.data.test and settings.train.validate_every
        self.tested = tester.rehearse(self.skeleton, settings, file) if tests else None
        optim.freeze(self.network, settings.train.freeze)
        crops = build.make_dataset(settings, self.skeleton)
        self.about = crops.people.summary()
        self.loader, self.sampler = build.make_loader(crops, settings, here)
        training = distributed.place(build.wrap(self.network, settings, self.skeleton), here.device)
        self.training = build.spread(training, settings, here)
        self.stepper = Stepper(self.network, settings.train, here.device, steps_per_epoch=len(self.sampler))
        self.average: WeightAverage | None = None
        self.records = Records(self.folder, active=here.is_main)
        self.epoch, self.best = 0, -1.0
        self.best_of = ""
        """The test that the best figure is of."""
        samples = settings.train.epochs * len(self.sampler) * settings.train.batch_size * here.world
        self.bar = Bar("training", total=samples, unit="crops", quiet=not here.is_main)

    def begin(self) -> None:
        """Start from the weights that the settings name, with an empty record, and leave the settings beside it.

        Raises:
            ValueError: the folder holds a training already, which would be lost.
        """
        if (self.folder / "checkpoint.pt").exists():
            raise ValueError(
                f"{self.folder} holds a training already: go on with --resume, choose another name=..., or remove it"
            )
        if self.settings.model.init:
            report = transfer.start_from(self.network, Path(self.settings.model.init), self.skeleton)
            self.bar.say(str(report))
        elif public := zoo.start_of(self.settings.model.backbone):
            remedy = f"`rdpose weights {public.name}`, then model.init={public.name}"
            self.bar.say(f"starting from random weights; published trainings start from ImageNet: {remedy}")
        self._open(told=0)

    def _open(self, *, told: int) -> None:
        """Once the weights to go on from are there: what follows them, and the files, which tell of `told` epochs."""
        if self.settings.train.ema:
            self.average = WeightAverage(self.network, self.settings.train.ema)
        for line in (self._describe(), f"training on {self.about}"):
            self.bar.say(line)
        if self.here.is_main:
            files.write_text(self.folder / "settings.yaml", loading.to_yaml(self.settings))
        self.records.open(epoch=told)

    def _describe(self) -> str:
        """The network and how far it has to go, in a line."""
        model, (width, height) = self.settings.model, self.settings.model.image_size
        parameters = sum(parameter.numel() for parameter in self.network.parameters())
        epochs, batch = self.settings.train.epochs, self.settings.train.batch_size * self.here.world
        return (
            f"{model.backbone} {model.variant}, {parameters:,} parameters, crops of {width}x{height}, on "
            f"{self.here.device}; {epochs} epochs of {len(self.sampler)} steps of {batch} crops"
        )

    def train_epoch(self) -> None:
        """One pass over the people; then the test, when it is due, and the files."""
        self.training.train()
        optim.freeze_batch_norm(self.training, all_of_them=self.settings.train.freeze_batch_norm)
        self.sampler.epoch = self.epoch
        means, started = Means(), time.monotonic()
        for number, batch in enumerate(self.loader):
            rate = self.stepper.set_rate(self.epoch * len(self.sampler) + number)
            terms = self.step({key: value.to(self.here.device, non_blocking=True) for key, value in batch.items()})
            means.add(terms)
            note = None
            if number % 10 == 9 or number + 1 == len(self.sampler):
                self._refuse_nan(means)
                note = f"epoch {self.epoch + 1}/{self.settings.train.epochs} loss {means.loss:.4g}"
            self.bar.advance(len(batch["index"]) * self.here.world, note=note)
        self.epoch += 1
        figures = {"epoch": self.epoch, **means.result(), "lr": rate, "seconds": round(time.monotonic() - started, 1)}
        self._end_epoch(figures)

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """One step on one batch; returns the terms of its loss."""
        with self.stepper.autocast():
            terms = self.training(batch)
        self.stepper.step(terms["loss"])
        if self.average:
            self.average.update(self.network)
        return {name: term.detach() for name, term in terms.items()}

    def shipped(self) -> RDPose | OfficialRDPose:
        """The network as it is tested and shipped: the average's weights where there is one."""
        network = copy.deepcopy(self.network)
        if self.average:
            network.load_state_dict(self.average.tensors)
        return network.eval()

    def _end_epoch(self, figures: dict) -> None:
        """The test, when it is due, and the files; a test that fails does not cost the epoch before it."""
        improved, every, last = False, self.settings.train.validate_every, self.epoch == self.settings.train.epochs
        if self.tested and (self.epoch % every == 0 or last):
            self._save_state(untested=figures)
            network = distributed.share(self.shipped(), self.here)
            scores = tester.test(
                network,
                self.skeleton,
                self.settings,
                self.here,
                folder=self.folder / "results",
                tested=self.tested,
            )
            main = distributed.broadcast(scores.main if scores else -1.0, self.here)
            if self.best_of != as_tested(self.settings):  # figures of two tests cannot be held against each other
                self.best, self.best_of = -1.0, as_tested(self.settings)
            improved, self.best = main > self.best, max(main, self.best)
            figures = figures | (scores.figures if scores else {})
        if self.here.is_main:
            self.records.write(figures)
            self.bar.say(epoch_line(figures, epochs=self.settings.train.epochs, best=self.best))
            if improved:
                self._save_weights("model_best")
            if (kept := self.settings.train.keep_every) and self.epoch % kept == 0:
                self._save_weights(f"epoch_{self.epoch}")
        self._save_state()

    def finish(self) -> Path:
        """Write the final weights; returns the best ones, or the final ones where nothing was tested."""
        final, best = self.folder / "final_state.safetensors", self.folder / "model_best.safetensors"
        if self.here.is_main:
            self._save_weights("final_state")
        self.records.close()
        return best if self.best >= 0 else final

    def _save_weights(self, name: str) -> None:
        path = self.folder / f"{name}.safetensors"
        native.save_weights(path, self.shipped().state_dict(), self.settings, self.skeleton)

    def _save_state(self, *, untested: dict | None = None) -> None:
        if self.here.is_main:
            native.save_state(self.folder / "checkpoint.pt", self.state(untested))

    def state(self, untested: dict | None = None) -> dict:
        """Everything that the next epoch depends on; `untested`: the last one's figures where its test is still due."""
        return {
            "epoch": self.epoch,
            "untested": untested,
            "best": self.best,
            "best_of": self.best_of,
            "settings": self.settings.model_dump(mode="json"),
            "joints": list(self.skeleton.joints),
            "network": self.network.state_dict(),
            "stepper": self.stepper.state(),
            "average": self.average.state() if self.average else None,
            "random": torch.get_rng_state(),
        }

    def resume(self) -> None:
        """Go on from the run's checkpoint, which the main process reads for all; a run without one begins."""
        path = self.folder / "checkpoint.pt"
        saved = native.load_state(path) if self.here.is_main and path.exists() else None
        state = distributed.broadcast(saved, self.here)  # other machines need not see the main one's folder
        if state is None:
            return self.begin()
        before = loading.from_tree(state["settings"], where=str(path))
        refuse_other_settings(before, self.settings, path)
        refuse_other_joints(state.get("joints"), self.skeleton, path)
        self.epoch, self.best = state["epoch"], state["best"]
        self.best_of = state.get("best_of", as_tested(before))
        self.network.load_state_dict(state["network"])
        self.stepper.restore(state["stepper"])
        untested = state.get("untested")
        self._open(told=self.epoch - bool(untested))
        if self.average:
            self.average.restore(state["average"])
        torch.set_rng_state(state["random"])
        self.bar.skip(self.epoch * len(self.sampler) * self.settings.train.batch_size * self.here.world)
        self.bar.say(f"going on after epoch {self.epoch} of {self.settings.train.epochs}, from {path}")
        if untested:
            self._end_epoch(untested)
        return None

    def _refuse_nan(self, means: Means) -> None:
        if means.is_finite():
            return
        kept, again = f"{self.folder / 'checkpoint.pt'} still holds the epoch before", "go on with --resume"
        if not self.epoch:
            kept, again = "nothing is lost, as it is the first one", "start again"
        raise ValueError(
            f"the loss is no longer a number in epoch {self.epoch + 1}; {kept}: lower train.lr, or set train.clip=1, "
            f"and {again}"
        )


def refuse_other_settings(saved: Settings, given: Settings, path: Path) -> None:
    """Resuming is going on with the same training; its length, what holds a loss down, places and tests may change."""
    of_training = {"epochs", "validate_every", "keep_every", "threads", "lr", "clip"}
    exclude = {"train": of_training, "data": {"workers", "test", "root"}, "test": True, "output_dir": True}
    before, now = (settings.model_dump(exclude=exclude) for settings in (saved, given))
    for group, value in now.items():
        is_group = isinstance(value, dict)
        pairs = [(f"{group}.{key}", before[group][key], value[key]) for key in value] if is_group else []
        for key, old, new in pairs or [(group, before[group], value)]:
            if old != new:
                raise ValueError(
                    f"{path} was trained with {key} = {old!r}, now {new!r}; resume with the settings beside it, or "
                    "train without --resume to start afresh"
                )


def refuse_other_joints(saved: list[str] | None, skeleton: Skeleton, path: Path) -> None:
    """The joints stand in the annotation file, which may have changed; older checkpoints do not say theirs."""
    if saved is not None and (where := skeletons.difference(saved, skeleton.joints)):
        raise ValueError(
            f"{path} was trained on other joints than those of the files now ({where}); train under another name=... "
            f"with model.init={path.parent / 'model_best.safetensors'}, which takes joints over by their names"
        )


def as_tested(settings: Settings) -> str:
    """What decides a test's figures, in a line."""
    source = settings.data.test.model_dump_json() if settings.data.test else ""
    return f"{source} {settings.test.model_dump_json(exclude={'batch_size'})}"
