"""Training: epochs of steps, tests between them, and files that an interruption cannot spoil.

The run's folder holds settings.yaml, metrics.jsonl, checkpoint.pt (the state to resume from), model_best and
final_state (weights), and results/ of the last test.
"""

from __future__ import annotations

import copy
import time
from functools import partial
from pathlib import Path

import cv2
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from rdpose import checkpoint, config, distributed, files, losses, optimisation, testing, transfer
from rdpose.data import sources
from rdpose.data.loading import CropDataset, EpochSampler
from rdpose.distributed import Process
from rdpose.models import builders
from rdpose.models.official import OfficialRDPose
from rdpose.models.perturbation import Perturbation
from rdpose.models.rdpose import RDPose
from rdpose.models.training_step import LossWeights, OfficialForTraining, RDPoseForTraining
from rdpose.optimisation import Stepper, WeightAverage
from rdpose.progress import Bar
from rdpose.records import Means, Records
from rdpose.settings import Settings
from rdpose.skeletons import Skeleton

RIVALS = {"rdpose": 3.0}
"""`loss.rivals` by default, by variant; 0 for the others."""


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
        self.skeleton = sources.skeleton_of(settings.data)
        self.skeleton.places(settings.test.zoom)  # an unknown joint is told now, not after an epoch
        self.network = builders.build(
            settings.model.backbone, settings.model.variant, num_joints=self.skeleton.num_joints
        )
        if settings.model.init:
            report = transfer.start_from(self.network, Path(settings.model.init), self.skeleton)
            if here.is_main:
                print(report)
        optimisation.freeze(self.network, settings.train.freeze)
        self.loader, self.sampler = make_loader(settings, self.skeleton, here)
        training = distributed.place(wrap(self.network, settings, self.skeleton), here)
        self.training = spread(training, settings, here)
        self.stepper = Stepper(self.network, settings.train, here.device, steps_per_epoch=len(self.sampler))
        self.average = WeightAverage(self.network, settings.train.ema) if settings.train.ema else None
        self.records = Records(self.folder, active=here.is_main)
        self.epoch, self.best = 0, -1.0
        samples = settings.train.epochs * len(self.sampler) * settings.train.batch_size * here.world
        self.bar = Bar("training", total=samples, unit="crops", quiet=not here.is_main)

    def begin(self) -> None:
        """Start an empty record, and leave the settings beside it.

        Raises:
            ValueError: the folder holds a training already, which would be lost.
        """
        if (self.folder / "checkpoint.pt").exists():
            raise ValueError(
                f"{self.folder} holds a training already: go on with --resume, choose another name=..., or remove it"
            )
        self._open_records()

    def _open_records(self) -> None:
        if self.here.is_main:
            files.write_text(self.folder / "settings.yaml", config.to_yaml(self.settings))
        self.records.open(epoch=self.epoch)

    def train_epoch(self) -> None:
        """One pass over the people; then the test, when it is due, and the files."""
        self.training.train()
        optimisation.freeze_batch_norm(self.training, all_of_them=self.settings.train.freeze_batch_norm)
        self.sampler.epoch = self.epoch
        means, started = Means(), time.monotonic()
        for number, batch in enumerate(self.loader):
            rate = self.stepper.set_rate(self.epoch * len(self.sampler) + number)
            terms = self.step({key: value.to(self.here.device, non_blocking=True) for key, value in batch.items()})
            means.add(terms)
            if number % 10 == 9 or number + 1 == len(self.sampler):
                self._refuse_nan(means)
            count = len(batch["index"]) * self.here.world
            self.bar.advance(count, note=f"epoch {self.epoch + 1}/{self.settings.train.epochs} loss {means.latest:.4g}")
        self.epoch += 1
        figures = {"epoch": self.epoch, **means.result(), "lr": rate, "seconds": round(time.monotonic() - started, 1)}
        self._test_and_save(figures)

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

    def _test_and_save(self, figures: dict) -> None:
        every, last = self.settings.train.validate_every, self.epoch == self.settings.train.epochs
        improved = False
        if self.settings.data.test and every and (self.epoch % every == 0 or last):
            network = distributed.share(self.shipped(), self.here)
            scores = testing.test(network, self.skeleton, self.settings, self.here, folder=self.folder / "results")
            main = distributed.broadcast(scores.main if scores else -1.0, self.here)
            improved, self.best = main > self.best, max(main, self.best)
            figures |= scores.figures if scores else {}
        if self.here.is_main:
            self.records.write(figures)
            if improved:
                self._save_weights("model_best")
            checkpoint.save_state(self.folder / "checkpoint.pt", self.state())

    def finish(self) -> Path:
        """Write the final weights; returns the best ones, or the final ones where nothing was tested."""
        final, best = self.folder / "final_state.safetensors", self.folder / "model_best.safetensors"
        if self.here.is_main:
            self._save_weights("final_state")
        self.records.close()
        return best if self.best >= 0 else final

    def _save_weights(self, name: str) -> None:
        path = self.folder / f"{name}.safetensors"
        checkpoint.save_weights(path, self.shipped().state_dict(), self.settings, self.skeleton)

    def state(self) -> dict:
        """Everything that the next epoch depends on."""
        return {
            "epoch": self.epoch,
            "best": self.best,
            "settings": self.settings.model_dump(mode="json"),
            "network": self.network.state_dict(),
            "stepper": self.stepper.state(),
            "average": self.average.state() if self.average else None,
            "random": torch.get_rng_state(),
        }

    def resume(self) -> None:
        """Go on from the run's checkpoint, which the main process reads for all; a run without one begins."""
        path = self.folder / "checkpoint.pt"
        saved = checkpoint.load_state(path) if self.here.is_main and path.exists() else None
        state = distributed.broadcast(saved, self.here)  # other machines need not see the main one's folder
        if state is None:
            return self.begin()
        refuse_other_settings(config.from_tree(state["settings"], where=str(path)), self.settings, path)
        self.epoch, self.best = state["epoch"], state["best"]
        self.network.load_state_dict(state["network"])
        self.stepper.restore(state["stepper"])
        if self.average:
            self.average.restore(state["average"])
        torch.set_rng_state(state["random"])
        self._open_records()
        self.bar.skip(self.epoch * len(self.sampler) * self.settings.train.batch_size * self.here.world)
        if self.here.is_main:
            print(f"going on after epoch {self.epoch} of {self.settings.train.epochs}, from {path}")
        return None

    def _refuse_nan(self, means: Means) -> None:
        if means.is_finite():
            return
        raise ValueError(
            f"the loss is no longer a number in epoch {self.epoch + 1}; {self.folder / 'checkpoint.pt'} still holds "
            "the epoch before: lower train.lr, or set train.clip=1, and go on with --resume"
        )


def wrap(network: RDPose | OfficialRDPose, settings: Settings, skeleton: Skeleton) -> nn.Module:
    """A network with its losses and, where it decouples, PDM.

    Raises:
        ValueError: `loss.rivals` or `model.unbiased` for the published code's training, which knows neither.
    """
    loss = partial(losses.heatmap_loss, reduction=settings.loss.reduction, ohkm_topk=settings.loss.ohkm_topk)
    if isinstance(network, OfficialRDPose):
        for name, asked in (("loss.rivals", settings.loss.rivals), ("model.unbiased", settings.model.unbiased)):
            if asked:
                raise ValueError(f"the published code (model.variant=official) trains without {name}; leave it out")
        return OfficialForTraining(network, loss=loss, sigma=settings.model.sigma)
    perturb = network.decoupling is not None and settings.loss.perturbed > 0
    weights = torch.from_numpy(losses.joint_weights(skeleton)) if settings.loss.joint_weights else None
    return RDPoseForTraining(
        network,
        Perturbation(**settings.perturbation.model_dump()) if perturb else None,
        loss=loss,
        weights=LossWeights(settings.loss.direct, settings.loss.decoupled, settings.loss.perturbed),
        sigma=settings.model.sigma,
        unbiased=settings.model.unbiased,
        joint_weights=weights,
        rivals=RIVALS.get(settings.model.variant, 0.0) if settings.loss.rivals is None else settings.loss.rivals,
    )


def spread(training: nn.Module, settings: Settings, here: Process) -> nn.Module:
    """The same module, its gradients averaged over all processes."""
    if here.world == 1:
        return training
    if here.device.type == "cuda" and settings.train.sync_batch_norm:
        training = nn.SyncBatchNorm.convert_sync_batchnorm(training)
    return DistributedDataParallel(training, device_ids=[here.device] if here.device.type == "cuda" else None)


def make_dataset(settings: Settings, skeleton: Skeleton) -> CropDataset:
    """The crops of everybody in the training files."""
    people, repeats = sources.training_people(settings.data, skeleton)
    return CropDataset(
        people,
        settings.model.image_size,
        augment=settings.augment,
        neighbours=settings.neighbours,
        max_neighbours=settings.data.max_neighbours,
        seed=settings.seed,
        repeats=repeats,
    )


def make_loader(settings: Settings, skeleton: Skeleton, here: Process) -> tuple[DataLoader, EpochSampler]:
    """Batches of training crops, and the sampler that is told the epoch."""
    crops = make_dataset(settings, skeleton)
    sampler = EpochSampler(len(crops), settings.train.batch_size, seed=settings.seed, rank=here.rank, world=here.world)
    workers = settings.data.workers
    loader = DataLoader(
        crops,
        batch_sampler=sampler,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=here.device.type == "cuda",
        worker_init_fn=_one_thread,
        generator=torch.Generator(),  # samples bring their randomness: loading draws nothing from the global one
    )
    return loader, sampler


def _one_thread(_worker: int) -> None:
    cv2.setNumThreads(0)


def refuse_other_settings(saved: Settings, given: Settings, path: Path) -> None:
    """Resuming is going on with the same training; more epochs, workers and tests are the exceptions."""
    free = {"train": {"epochs", "validate_every", "threads"}, "data": {"workers", "test", "root"}, "test": True}
    before, now = (settings.model_dump(exclude=free | {"output_dir": True}) for settings in (saved, given))
    for group, value in now.items():
        if value != before[group]:
            raise ValueError(
                f"{path} was trained with {group} = {before[group]}, now {value}; resume with the settings beside it, "
                "or train without --resume to start afresh"
            )
