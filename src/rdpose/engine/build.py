"""What a training is put together from: the network with its losses, on all processes, and the batches of its crops."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from rdpose.config.schema import LossSettings, Settings
from rdpose.data import sources
from rdpose.data.loaders import CropDataset, EpochSampler, num_workers, one_thread
from rdpose.engine.training_step import LossWeights, OfficialForTraining, RDPoseForTraining
from rdpose.models import losses
from rdpose.models.perturbation import Perturbation
from rdpose.models.rdpose import RDPose
from rdpose.models.reference import OfficialRDPose
from rdpose.skeletons import Skeleton
from rdpose.utils.distributed import Process


def wrap(network: RDPose | OfficialRDPose, settings: Settings, skeleton: Skeleton) -> nn.Module:
    """A network with its losses and, where it decouples, PDM.

    Raises:
        ValueError: something that the published code's training does not know is asked of it.
    """
    loss = partial(losses.heatmap_loss, reduction=settings.loss.reduction, ohkm_topk=settings.loss.ohkm_topk)
    if isinstance(network, OfficialRDPose):
        refuse_additions(settings)
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
        rivals=settings.loss.rivals,
    )


def refuse_additions(settings: Settings) -> None:
    """The published code (model.variant=official) has its own terms, and takes no others."""
    own = LossSettings()
    asked = {
        "model.unbiased": settings.model.unbiased,
        "model.geometry": settings.model.geometry != "hrnet",
        "loss.rivals": settings.loss.rivals,
        "loss.joint_weights": settings.loss.joint_weights,
        **{f"loss.{term}": getattr(settings.loss, term) != getattr(own, term) for term in LossWeights._fields},
    }
    for name, is_asked in asked.items():
        if is_asked:
            raise ValueError(f"the published code (model.variant=official) trains without {name}; leave it out")


def spread(training: nn.Module, settings: Settings, here: Process) -> nn.Module:
    """The same module, its gradients averaged over all processes."""
    if here.world == 1:
        return training
    if here.device.type == "cuda" and settings.train.sync_batch_norm:
        training = nn.SyncBatchNorm.convert_sync_batchnorm(training)
    return DistributedDataParallel(training, device_ids=[here.device] if here.device.type == "cuda" else None)


def make_dataset(settings: Settings, skeleton: Skeleton) -> CropDataset:
    """The crops of everybody in the training files.

    Raises:
        FileNotFoundError, ValueError: a picture is not there, or as `sources.training_people`.
    """
    people, repeats = sources.training_people(settings.data, skeleton)
    people.check_pictures()
    return CropDataset(
        people,
        settings.model.image_size,
        augment=settings.augment,
        neighbours=settings.neighbours,
        max_neighbours=settings.data.max_neighbours,
        seed=settings.seed,
        convention=settings.model.geometry,
        padding=settings.model.padding,
        repeats=repeats,
    )


def make_loader(crops: CropDataset, settings: Settings, here: Process) -> tuple[DataLoader, EpochSampler]:
    """Batches of training crops, and the sampler that is told the epoch."""
    sampler = EpochSampler(len(crops), settings.train.batch_size, seed=settings.seed, rank=here.rank, world=here.world)
    workers = num_workers(settings.data.workers)
    loader = DataLoader(
        crops,
        batch_sampler=sampler,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=here.device.type == "cuda",
        worker_init_fn=one_thread,
        generator=torch.Generator(),  # samples bring their randomness: loading draws nothing from the global one
    )
    return loader, sampler
