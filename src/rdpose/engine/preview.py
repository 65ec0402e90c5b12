"""What a network is trained on, drawn: crops with their joints, boxes and target heatmaps."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rdpose import drawing
from rdpose.config.schema import Settings
from rdpose.data import sources
from rdpose.engine.build import make_dataset
from rdpose.engine.training_step import draw_targets
from rdpose.evaluation.results import people_of
from rdpose.geometry import Convention
from rdpose.io.parsed import ParsedFile
from rdpose.skeletons import Skeleton

log = logging.getLogger(__name__)

STRIDE = 4
TITLES = ("joints", "own box and neighbours", "targets", "centre")


def show(settings: Settings, out: Path, *, num: int = 8) -> Path:
    """Draw the first `num` samples of the first epoch, a row each, as training will see them.

    Raises:
        ValueError: `num` is none, the test set could not be measured in these joints, or as `make_dataset`.
    """
    if num < 1:
        raise ValueError(f"num = {num}: at least one person can be shown")
    file = sources.test_file(settings.data)
    skeleton = sources.skeleton_of(settings.data, file)
    _check_order(settings, skeleton, file)
    dataset = make_dataset(settings, skeleton)
    log.info(f"{dataset.people.summary()}\n{sides(skeleton)}")
    picks = np.random.default_rng(settings.seed).permutation(len(dataset))[:num]
    samples = [dataset[0, int(pick)] for pick in picks]
    batch = {key: torch.stack([sample[key] for sample in samples]) for key in samples[0]}
    ones = torch.ones(skeleton.num_joints + 1)
    model, convention = settings.model, settings.model.geometry
    maps = draw_targets(
        batch, ones, stride=STRIDE, sigma=model.sigma, unbiased=model.unbiased, convention=convention
    ).maps
    rows = [_row(sample, row_maps, skeleton, convention) for sample, row_maps in zip(samples, maps, strict=True)]
    return drawing.save(out, drawing.panel(rows, titles=TITLES))


def sides(skeleton: Skeleton) -> str:
    """Which joints change places in a mirrored crop, in a line."""
    names = [f"{skeleton.joints[left]} and {skeleton.joints[right]}" for left, right in skeleton.flip_pairs]
    if not names:
        return "no joints change places in a mirrored crop; if some should, name them as flip_pairs (docs/own-data.md)"
    return f"change places in a mirrored crop: {', '.join(names)}"


def _check_order(settings: Settings, skeleton: Skeleton, file: ParsedFile | None) -> None:
    """Raises ValueError, as a training would, where the test set's file lists the joints in another order."""
    is_coco = settings.data.test and settings.data.test.format == "coco"
    if file and is_coco and file.path.is_file() and settings.train.validate_every:
        people_of(file.categories, skeleton, file.path)


def _row(sample: dict[str, Tensor], maps: Tensor, skeleton: Skeleton, convention: Convention) -> list[np.ndarray]:
    crop = np.ascontiguousarray(sample["image"].permute(1, 2, 0).numpy())
    labelled = (sample["visible"] > 0).float().numpy()[None]
    boxes = torch.cat([sample["box"][None], sample["neighbours"]]).numpy()
    boxes = boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]
    return [
        drawing.draw_poses(crop, sample["joints"].numpy()[None], labelled, skeleton),
        drawing.draw_boxes(crop, boxes, labels=["own", *[""] * (len(boxes) - 1)]),
        drawing.draw_heatmap(crop, maps[:-1].amax(0).numpy(), peak=1.0, convention=convention),
        drawing.draw_heatmap(crop, maps[-1].numpy(), peak=1.0, convention=convention),
    ]
