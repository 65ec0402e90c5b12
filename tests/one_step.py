"""One step's loss and gradients by as many processes as torchrun starts: `one_step.py SETTINGS.yaml OUT.pt`.

The last thing it prints is the names of the threads that are left to a process when Python begins to end.
"""

from __future__ import annotations

import atexit
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from many import print_threads
from rdpose.config import loading
from rdpose.config.schema import Settings
from rdpose.engine import optim
from rdpose.engine.trainer import Run
from rdpose.utils import distributed
from rdpose.utils.distributed import Process


def one_step(settings: Settings) -> dict[str, torch.Tensor]:
    """The gradients by parameter, and the mean loss of all processes under `loss`."""
    with distributed.process() as here:
        return step_of(settings, here)


def step_of(settings: Settings, here: Process) -> dict[str, torch.Tensor]:
    run = Run(settings, here)
    run.training.train()
    optim.freeze_batch_norm(run.training)
    loss = run.training(next(iter(run.loader)))["loss"]
    loss.backward()
    loss = loss.detach()
    if here.world > 1:
        dist.all_reduce(loss)
    gradients = {name: p.grad for name, p in run.network.named_parameters() if p.grad is not None}
    return {"loss": loss / here.world, **gradients}


if __name__ == "__main__":
    atexit.register(print_threads)
    torch.set_num_threads(1)
    found = one_step(loading.load(sys.argv[1]))
    if distributed.is_main():
        torch.save(found, Path(sys.argv[2]))
