"""One process or many: the same code under plain Python and under torchrun."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
import torch.distributed.nn.functional  # imported first within a group, its functions' defaults hold it for good
from torch import nn
from torch.distributed.rendezvous import rendezvous


@dataclass(frozen=True)
class Process:
    """This process among its peers."""

    rank: int
    world: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        return self.rank == 0


def is_main() -> bool:
    """Whether this process is the one that prints; also outside of `process`."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def process() -> Iterator[Process]:
    """Join the group that torchrun announces (NCCL on GPUs, gloo on CPUs), or be the only process.

    What holds the group, as DistributedDataParallel does, belongs into a function called inside, and so is gone, unless
    it failed, before the group is left: otherwise gloo's threads live on, and one that frees a tensor while Python ends
    aborts its process (pytorch issue 190489).
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local_rank) if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    joined = world > 1 and not dist.is_initialized()
    if joined:
        _join("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Process(dist.get_rank() if world > 1 else 0, world, device)
    finally:
        if joined:
            gc.collect()  # DistributedDataParallel stands in cycles
            dist.destroy_process_group()


def _join(backend: str) -> None:
    """Join the processes that torchrun started together.

    After a restart on one machine torchrun hands out the store of the life before, in which the addresses of the dead
    still stand (pytorch issue 135712): each life keeps to keys of its own. Between machines the count of restarts is
    no common name for a life; docs/many-machines.md says what helps there.
    """
    store, rank, world = next(rendezvous("env://"))
    if os.environ.get("GROUP_WORLD_SIZE") == "1":
        store = dist.PrefixStore(f"life_{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
    dist.init_process_group(backend, store=store, rank=rank, world_size=world)


def device_named(name: str | torch.device | None) -> torch.device:
    """The device of that name; without one the GPU where there is one.

    Raises:
        ValueError: there is no such device, or not here.
    """
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {name} cannot be used here ({reason}); leave it out, or name cpu") from None
    return device


Module = TypeVar("Module", bound=nn.Module)


def place(module: Module, device: torch.device) -> Module:
    """A module on a device, in the memory layout that convolutions are fast in."""
    return module.to(device).to(memory_format=torch.channels_last)  # pyrefly: ignore [no-matching-overload]


def share(module: Module, here: Process) -> Module:
    """The main process's state for a module of all; batch norms' statistics differ between processes on CPUs."""
    if here.world > 1:
        for tensor in module.state_dict().values():
            dist.broadcast(tensor, src=0)
    return module


def gather(value: Any, here: Process) -> list[Any]:
    """Every process's picklable `value`, in the order of ranks, on the main process; elsewhere an empty list."""
    if here.world == 1:
        return [value]
    values: list[Any] | None = [None] * here.world if here.is_main else None
    dist.gather_object(value, values)
    return values or []


def broadcast(value: Any, here: Process) -> Any:
    """The main process's picklable `value`, on every process."""
    if here.world == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box)
    return box[0]
