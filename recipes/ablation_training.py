"""How a row of the ablation is trained: from weights that all rows share, or each from the beginning."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from ablation_benchmarks import SHARED

from rdpose.checkpoints import native
from rdpose.config import loading
from rdpose.config.schema import Settings
from rdpose.evaluation.labels import is_labelled
from rdpose.io import files
from rdpose.models import builders

SHARES = {"sets/pasted": 0.5, "sets/rendered": 0.4, "coco": 0.1}
"""Of the training crops, by source; sources that are not there leave their share to the others."""
PARTS = {"sets/pasted": "train", "sets/rendered": "train", "coco": "train2017"}


@dataclass(frozen=True)
class Row:
    """A configuration: a line of the tables."""

    name: str
    title: str
    overrides: tuple[str, ...] = ()


def run_settings(row: Row, seed: int, options: argparse.Namespace) -> Settings:
    """What a run asks for: options.settings and the row's own, or the shared start's network and the row's own."""
    own = [f"name={row.name}-{seed}", f"seed={seed}", f"train.threads={options.threads}", *row.overrides]
    own += [f"train.precision={options.precision}", f"output_dir={options.out / 'runs'}", f"data.root={options.data}"]
    if options.settings:
        return loading.load(options.settings, own)
    return branch(loading.load(SHARED, own), options, seed)


def branch(settings: Settings, options: argparse.Namespace, seed: int) -> Settings:
    """A run's settings, for the network of options.init and about options.crops."""
    start = native.load_weights(options.init)
    same = start.settings.model
    model = {"backbone": same.backbone, "image_size": same.image_size, "sigma": same.sigma, "init": str(options.init)}
    if settings.model.variant == "official":
        model["init"] = str(official_start(options.out / "official_start.safetensors", start))
    else:
        model["unbiased"] = same.unbiased
    tree = settings.model_dump(mode="json")
    tree["model"] |= model
    tree["train"]["freeze"] = start.settings.train.freeze
    sources, epochs = draw_sources(options.data, options.out / "people", options.crops, seed)
    tree["data"]["train"], tree["train"]["epochs"] = sources, epochs
    return loading.from_tree(tree, where="the ablation")


def official_start(path: Path, start: native.Weights) -> Path:
    """The shared start under the published code's names; what a plain network does not have is drawn afresh."""
    torch.manual_seed(0)
    settings = start.settings.model_copy(
        update={"model": start.settings.model.model_copy(update={"variant": "official"})}
    )
    network = builders.build(settings.model.backbone, "official", num_joints=start.skeleton.num_joints)
    tensors = network.state_dict()
    for key, tensor in start.tensors.items():
        if key.startswith("head."):
            tensors[key.replace("head.", "final_layer.")][: len(tensor)] = tensor
        else:
            tensors[key].copy_(tensor)
    native.save_weights(path, tensors, settings, start.skeleton)
    return path


def draw_sources(data: Path, out: Path, crops: int, seed: int) -> tuple[list[dict], int]:
    """Training files with the people of pictures drawn by the seed, about `crops` in all epochs; and the epochs.

    Raises:
        FileNotFoundError: there is nothing to train on.
    """
    paths = {name: data / name / f"annotations/person_keypoints_{part}.json" for name, part in PARTS.items()}
    present = {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}
    if not present:
        raise FileNotFoundError(f"there is no training set in {data}; make them by recipes/make_sets.py")
    total = sum(SHARES[name] for name in present)
    wanted = {name: crops * SHARES[name] / total for name in present}
    people = {name: sum(map(is_labelled, content["annotations"])) for name, content in present.items()}
    # Small sources are repeated within an epoch; epochs begin where the largest would be.
    epochs = max(1, round(max(wanted[name] / people[name] for name in present if SHARES[name] > 0.2)))
    sources = []
    for number, (name, content) in enumerate(present.items()):
        a_epoch = wanted[name] / epochs
        path = out / f"{name.replace('/', '-')}-{crops}-{seed}.json"
        files.write_json(path, some_pictures(content, a_epoch, np.random.default_rng((seed, number))))
        repeat = max(1, round(a_epoch / people[name]))
        images = f"{name}/images/{PARTS[name]}"
        sources.append({"annotations": str(path.resolve()), "images": images, "repeat": repeat})
    return sources, epochs


def some_pictures(content: dict, num_people: float, rng: np.random.Generator) -> dict:
    """A COCO file's pictures in an order drawn by `rng`, until they show so many people."""
    of_picture: dict[int, int] = {}
    for person in filter(is_labelled, content["annotations"]):
        of_picture[person["image_id"]] = of_picture.get(person["image_id"], 0) + 1
    order = rng.permutation(sorted(of_picture))
    counts = np.cumsum([of_picture[image] for image in order])
    kept = set(order[: int(np.searchsorted(counts, num_people)) + 1].tolist())
    return content | {
        "images": [image for image in content["images"] if image["id"] in kept],
        "annotations": [person for person in content["annotations"] if person["image_id"] in kept],
    }
