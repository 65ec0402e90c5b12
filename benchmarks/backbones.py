"""Every backbone under the same test: parameters, multiply-adds, the method's share of them, people per second.

    python benchmarks/backbones.py --out docs/logs/backbones.json     # all of them, minutes on two cores
    python benchmarks/backbones.py hrnet_small resnet18

Work is counted on torch's meta device, for one crop and 17 joints. Speed is that of the plain network with weights of
no training, in batches: torch, and the exports of fp32 that are installed; networks of more than --most multiply-adds
are counted alone. `docs/generate.py` makes docs/model-zoo.md of the file.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from rdpose import skeletons
from rdpose.backends import exported
from rdpose.checkpoints import load as loads
from rdpose.checkpoints import native
from rdpose.config.schema import ModelSettings, Settings
from rdpose.export import export
from rdpose.io import files
from rdpose.models import builders
from rdpose.models.fuse import fused
from rdpose.utils import malloc
from rdpose.utils.progress import Bar

COCO = skeletons.get("coco")
METHOD = "rdpose-paper"
"""Whose work is told beside the plain network's: FDM, as the paper has it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="backbones; all without one")
    parser.add_argument("--size", type=int, nargs=2, default=(192, 256), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=float, default=8e9, help="multiply-adds of the largest network to time")
    parser.add_argument("--out", type=Path, help="JSON to write")
    options = parser.parse_args()
    malloc.keep_freed()
    size = tuple(options.size)
    names = options.names or list(builders.BACKBONES)
    rows = {}
    with Bar("measuring", total=len(names), unit="backbones") as bar:
        for name in names:
            rows[name] = row = work(name, size)
            if row["multiply_adds"] <= options.most:
                row["people_per_second"] = speeds(name, size, options.batch, options.rounds)
            bar.advance()
    about = {"size": size, "threads": torch.get_num_threads(), "processor": platform.processor() or platform.machine()}
    if options.out:
        files.write_json(options.out, about | {"batch": options.batch, "backbones": rows})
    show(rows)


def work(name: str, size: tuple[int, int]) -> dict[str, Any]:
    """Parameters and multiply-adds of the plain network, and the share that FDM adds to each."""
    counted = {}
    for variant in ("plain", METHOD):
        with torch.device("meta"):
            network = builders.build(name, variant, num_joints=COCO.num_joints).eval()
            crop = torch.zeros(1, 3, size[1], size[0])
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(crop)
        counted[variant] = sum(p.numel() for p in network.parameters()), counter.get_total_flops() / 2
    (parameters, adds), (more_parameters, more_adds) = counted["plain"], counted[METHOD]
    return {
        "parameters": parameters,
        "multiply_adds": adds,
        "fdm_parameters": more_parameters / parameters - 1,
        "fdm_multiply_adds": more_adds / adds - 1,
    }


def speeds(name: str, size: tuple[int, int], batch: int, rounds: int) -> dict[str, float]:
    """People per second by engine."""
    crops = torch.randint(0, 256, (batch, 3, size[1], size[0]), dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.safetensors"
        torch.manual_seed(0)
        network = builders.build(name, "plain", num_joints=COCO.num_joints)
        settings = Settings(model=ModelSettings(backbone=name, variant="plain", image_size=size))
        native.save_weights(weights, network.state_dict(), settings, COCO)
        file = export(weights, weights.with_suffix(".onnx")).path
        engines: dict[str, Callable] = {"torch": fused(loads.load_network(weights)[0])}
        for engine in ("onnxruntime", "openvino"):
            try:
                engines[engine] = exported.load(file, engine=engine)[0]
            except (ImportError, ValueError):
                continue
        return {engine: rate(run, crops, rounds) for engine, run in engines.items()}


@torch.inference_mode()
def rate(run: Callable, crops: torch.Tensor, rounds: int) -> float:
    run(crops)
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        run(crops)
        took.append(time.perf_counter() - start)
    return round(len(crops) / median(took), 2)


def show(rows: dict[str, dict]) -> None:
    table = Table("backbone", "M parameters", "G multiply-adds", "FDM's share", "people/s, torch", "fastest export")
    for name, row in rows.items():
        rates = dict(row.get("people_per_second", {}))
        own = f"{rates.pop('torch'):.1f}" if rates else ""
        best = max(rates, key=lambda engine: rates[engine]) if rates else ""
        fastest = f"{rates[best]:.1f} ({best})" if best else ""
        numbers = (f"{row['parameters'] / 1e6:.1f}", f"{row['multiply_adds'] / 1e9:.2f}")
        table.add_row(name, *numbers, f"{row['fdm_multiply_adds']:.2%}", own, fastest)
    Console().print(table)


if __name__ == "__main__":
    main()
