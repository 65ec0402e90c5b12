"""The ablation: every variant branches from the same weights, sees the same crops, and is measured on crowds.

    python recipes/ablation.py --init pretrained.safetensors --data data --out output/ablation --crops 10000

DATA holds sets/ (recipes/make_sets.py) and coco/. Runs that are finished are skipped, so the command resumes where it
stopped. OUT gets runs/, table.md, figures.json and curves.png, rewritten after each run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ablation_report
import numpy as np
import torch

from rdpose import checkpoint, config, files, memory, robustness, skeletons, training
from rdpose.models import builders
from rdpose.robustness import Benchmark
from rdpose.robustness.looking import PoseNetwork
from rdpose.settings import Settings


@dataclass(frozen=True)
class Row:
    """A configuration: a line of the tables."""

    name: str
    title: str
    overrides: tuple[str, ...] = ()


RIVALS = "loss.rivals=3"
"""An error at the same joint of a neighbour counts four times."""
START = Row("start", "shared start, not trained further")
ROWS = (
    Row("plain", "plain", ("model.variant=plain",)),
    Row("rdpose", "rdpose: boxes + neighbour-aware FDM + PDM + rivals", ("model.variant=rdpose", RIVALS)),
    Row("boxes", "boxes at every level", ("model.variant=boxes",)),
    Row("boxes-rivals", "boxes + rivals", ("model.variant=boxes", RIVALS)),
    Row("fdm-pdm", "FDM + PDM (rdpose-paper)", ("model.variant=rdpose-paper",)),
    Row("rdpose-no-pdm", "rdpose without PDM", ("model.variant=rdpose", RIVALS, "loss.perturbed=0")),
    Row("plain-rivals", "plain + rivals", ("model.variant=plain", RIVALS)),
    Row("fdm", "FDM", ("model.variant=rdpose-paper", "loss.perturbed=0")),
    Row("residual", "FDM + PDM, residual (rdpose-residual)", ("model.variant=rdpose-residual",)),
    Row("official", "published code's behaviour (official)", ("model.variant=official",)),
)
SHARES = {"sets/pasted": 0.5, "sets/rendered": 0.4, "coco": 0.1}
"""Of the training crops, by source; sources that are not there leave their share to the others."""
PARTS = {"sets/pasted": "train", "sets/rendered": "train", "coco": "train2017"}
LEVELS = ("none", "some", "heavy")
CURVES = ("rendered heavy", "pasted heavy", "coco crowded")


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    refuse_other_runs(options)
    if options.parallel > 1:
        run_shards(options.parallel, sys.argv[1:] if arguments is None else arguments)
        ablation_report.write(options.out, [START, *options.rows])
        return
    memory.keep_freed()
    torch.set_num_threads(options.threads)
    benchmarks = read_benchmarks(options.data, options.people)
    runs = [(START, 0), *((row, seed) for seed in options.seeds for row in options.rows)]
    for row, seed in runs[options.shard :: options.shards]:
        if not figures_file(options.out, row, seed).exists():
            run(row, seed, options, benchmarks)
        ablation_report.write(options.out, [START, *options.rows])


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--init", type=Path, required=True, help="plain weights from which every row branches")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of sets/ and coco/")
    parser.add_argument("--out", type=Path, default=Path("output/ablation"))
    parser.add_argument("--crops", type=int, default=10000, help="training crops of a run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", default=[row.name for row in ROWS], choices=[row.name for row in ROWS])
    parser.add_argument("--people", type=int, help="measure on so many people of each benchmark only")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of a run")
    parser.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16"], help="of the training")
    parser.add_argument("--parallel", type=int, default=1, help="runs at once")
    parser.add_argument("--shard", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--shards", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    options.rows = [row for name in options.variants for row in ROWS if row.name == name]
    return options


def refuse_other_runs(options: argparse.Namespace) -> None:
    """Runs that are averaged must have been asked for alike; what was asked for stands in OUT/asked.json.

    Raises:
        ValueError: OUT holds runs from other weights, or of another length, or measured on other people.
    """
    weights = hashlib.sha256(options.init.read_bytes()).hexdigest()
    asked = {"init": weights, "crops": options.crops, "people": options.people, "precision": options.precision}
    file = options.out / "asked.json"
    before = json.loads(file.read_text()) if file.exists() else asked
    different = [key for key in asked if asked[key] != before.get(key)]
    if different:
        raise ValueError(f"{options.out} holds runs with other {', '.join(different)}; choose another --out")
    files.write_json(file, asked)


def run_shards(number: int, arguments: list[str]) -> None:
    """Each of `number` processes takes every number-th run."""
    rest = [*arguments, "--parallel", "1", "--shards", str(number)]
    processes = [subprocess.Popen([sys.executable, __file__, *rest, "--shard", str(i)]) for i in range(number)]
    ended = [process.wait() for process in processes]
    if any(ended):
        raise SystemExit("a run failed; what it printed is above, and the same command goes on from there")


def run(row: Row, seed: int, options: argparse.Namespace, benchmarks: list[Benchmark]) -> None:
    """Train one row with one seed, measure it, and write its figures."""
    started = time.monotonic()
    weights = options.init if row is START else train(row, seed, options)
    trained = time.monotonic()
    network, settings = load(weights)
    figures = robustness.cost(network, settings.model.image_size)
    for benchmark in benchmarks:
        figures |= robustness.table_figures(network, benchmark, settings)
        if benchmark.name in CURVES:
            figures |= robustness.curve_figures(network, benchmark, settings)
    files.write_json(figures_file(options.out, row, seed), figures)
    measured = time.monotonic() - trained
    print(f"{row.name}, seed {seed}: trained in {trained - started:.0f} s, measured in {measured:.0f} s", flush=True)


def load(weights: Path) -> tuple[PoseNetwork, Settings]:
    """A network as it is measured: the ablation's test settings, the memory layout that convolutions are fast in."""
    network, settings, _ = checkpoint.load_network(weights)
    settings = settings.model_copy(update={"test": shared_settings().test})
    return network.to(memory_format=torch.channels_last), settings


def train(row: Row, seed: int, options: argparse.Namespace) -> Path:
    """The weights of one row, trained from the shared start."""
    start = checkpoint.load_weights(options.init)
    overrides = [f"name={row.name}-{seed}", f"seed={seed}", f"train.threads={options.threads}", *row.overrides]
    overrides += [f"train.precision={options.precision}"]
    settings = shared_settings(f"output_dir={options.out / 'runs'}", f"data.root={options.data}", *overrides)
    model = {"backbone": start.settings.model.backbone, "image_size": start.settings.model.image_size}
    model |= {"sigma": start.settings.model.sigma, "init": str(options.init)}
    if settings.model.variant == "official":
        model["init"] = str(official_start(options.out / "official_start.safetensors", start))
    else:
        model["unbiased"] = start.settings.model.unbiased
    tree = settings.model_dump(mode="json")
    tree["model"] |= model
    tree["train"]["freeze"] = start.settings.train.freeze
    sources, epochs = draw_sources(options.data, options.out / "people", options.crops, seed)
    tree["data"]["train"], tree["train"]["epochs"] = sources, epochs
    return training.train(config.from_tree(tree, where="the ablation"), resume=True)


def shared_settings(*overrides: str) -> Settings:
    return config.load(Path(__file__).with_suffix(".yaml"), overrides)


def official_start(path: Path, start: checkpoint.Weights) -> Path:
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
    checkpoint.save_weights(path, tensors, settings, start.skeleton)
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
    people = {name: sum(map(is_trained, content["annotations"])) for name, content in present.items()}
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
    for person in filter(is_trained, content["annotations"]):
        of_picture[person["image_id"]] = of_picture.get(person["image_id"], 0) + 1
    order = rng.permutation(sorted(of_picture))
    counts = np.cumsum([of_picture[image] for image in order])
    kept = set(order[: int(np.searchsorted(counts, num_people)) + 1].tolist())
    return content | {
        "images": [image for image in content["images"] if image["id"] in kept],
        "annotations": [person for person in content["annotations"] if person["image_id"] in kept],
    }


def is_trained(person: dict) -> bool:
    return any(person.get("keypoints", ())[2::3]) and not person.get("iscrowd")


def read_benchmarks(data: Path, max_people: int | None) -> list[Benchmark]:
    """All benchmarks whose files are there.

    Raises:
        FileNotFoundError: there is none.
    """
    places: dict[str, tuple[Path, str, float | None]] = {
        f"{kind} {level}": (data / "sets" / kind, level, None) for kind in ("rendered", "pasted") for level in LEVELS
    }
    places |= {"coco": (data / "coco", "val2017", None), "coco crowded": (data / "coco", "val2017", 0.1)}
    read: Callable[..., Benchmark] = robustness.read
    found, missing = [], []
    for name, (folder, part, crowd_index) in places.items():
        path = folder / f"annotations/person_keypoints_{part}.json"
        if not path.exists():
            missing.append(name)
            continue
        limits = {"min_crowd_index": crowd_index, "max_people": max_people}
        found.append(read(name, path, folder / "images" / part, skeleton=skeletons.COCO_17, **limits))
    if not found:
        raise FileNotFoundError(f"there is no benchmark in {data}; make them by recipes/make_sets.py")
    if missing:
        print(f"left out, as {data} does not hold them: {', '.join(missing)}")
    return found


def figures_file(out: Path, row: Row, seed: int) -> Path:
    return out / "figures" / f"{row.name}-{seed}.json"


if __name__ == "__main__":
    main()
