"""The ablation: every variant sees the same crops, and is measured on crowds.

    python recipes/ablation.py --init pretrained.safetensors --data data --out output/ablation --crops 10000
    python recipes/ablation.py --settings recipes/ablation_whole.yaml --data data --out output/ablation-whole

The first branches from weights that all rows share, the second trains each row from the beginning.
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
from pathlib import Path

import ablation_report
import torch
from ablation_benchmarks import load, read_benchmarks
from ablation_training import Row, run_settings

from rdpose import robustness
from rdpose.config import loading
from rdpose.engine import trainer
from rdpose.io import files
from rdpose.robustness import Benchmark
from rdpose.utils import malloc

RIVALS = "loss.rivals=3"
"""An error at the same joint of a neighbour counts four times."""
START = Row("start", "shared start, not trained further")
ROWS = (
    Row("plain", "plain", ("model.variant=plain",)),
    Row("rdpose", "rdpose: boxes + neighbour-aware FDM + PDM", ("model.variant=rdpose",)),
    Row("rdpose-rivals", "rdpose + rivals", ("model.variant=rdpose", RIVALS)),
    Row("boxes", "boxes at every level", ("model.variant=boxes",)),
    Row("boxes-rivals", "boxes + rivals", ("model.variant=boxes", RIVALS)),
    Row("fdm-pdm", "FDM + PDM (rdpose-paper)", ("model.variant=rdpose-paper",)),
    Row("rdpose-rivals-no-pdm", "rdpose + rivals without PDM", ("model.variant=rdpose", RIVALS, "loss.perturbed=0")),
    Row("plain-rivals", "plain + rivals", ("model.variant=plain", RIVALS)),
    Row("fdm", "FDM", ("model.variant=rdpose-paper", "loss.perturbed=0")),
    Row("residual", "FDM + PDM, residual (rdpose-residual)", ("model.variant=rdpose-residual",)),
    Row("official", "published code's behaviour (official)", ("model.variant=official", "model.unbiased=false")),
)
CURVES = ("rendered heavy", "pasted heavy", "coco crowded")


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    refuse_other_runs(options)
    if options.parallel > 1:
        run_shards(options.parallel, sys.argv[1:] if arguments is None else arguments)
        ablation_report.write(options.out, [START, *options.rows])
        return
    malloc.keep_freed()
    torch.set_num_threads(options.threads)
    benchmarks = read_benchmarks(options.data, options.people)
    runs = [(row, seed) for seed in options.seeds for row in options.rows]
    runs = [(START, 0), *runs] if options.init else runs
    for row, seed in runs[options.shard :: options.shards]:
        if not figures_file(options.out, row, seed).exists():
            run(row, seed, options, benchmarks)
        ablation_report.write(options.out, [START, *options.rows])


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    begin = parser.add_mutually_exclusive_group(required=True)
    begin.add_argument("--init", type=Path, help="plain weights from which every row branches")
    begin.add_argument("--settings", type=Path, help="a whole training for every row, as this file has it")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of sets/ and coco/")
    parser.add_argument("--out", type=Path, default=Path("output/ablation"))
    parser.add_argument("--crops", type=int, default=10000, help="training crops of a run that branches")
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
    if options.init:
        asked = {"init": digest(options.init.read_bytes()), "crops": options.crops}
    else:
        asked = {"settings": digest(loading.load(options.settings).model_dump_json().encode())}
    asked |= {"people": options.people, "precision": options.precision}
    file = options.out / "asked.json"
    before = json.loads(file.read_text()) if file.exists() else asked
    different = [key for key in {**asked, **before} if asked.get(key) != before.get(key)]
    if different:
        raise ValueError(f"{options.out} holds runs with other {', '.join(different)}; choose another --out")
    files.write_json(file, asked)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


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
    weights = options.init if row is START else trainer.train(run_settings(row, seed, options), resume=True)
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


def figures_file(out: Path, row: Row, seed: int) -> Path:
    return out / "figures" / f"{row.name}-{seed}.json"


if __name__ == "__main__":
    main()
