"""Several processes that train one model, as `torchrun` starts them.

- Each process holds the whole model and takes its own rows of every batch. After the backward pass
  the gradients are averaged, so that all of them move their weights alike.
- Without `torchrun` there is one process, and all of this does nothing.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from helpers.evaluation import device_of


def _are_joined() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def rank() -> int:
    """The number of this process, from 0 on. Number 0 prints and writes files."""
    return distributed.get_rank() if _are_joined() else 0


def count() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if _are_joined() else 1


@contextmanager
def joined() -> Iterator[None]:
    """Within this block, the processes that `torchrun` started know each other.

    Tensors on the CPU travel by gloo, and those on a GPU by nccl.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ or _are_joined():
        yield
        return
    gpus = torch.cuda.is_available()
    distributed.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def pick_device(name: str) -> torch.device:
    """Turn "auto", "cpu", "cuda" or "mps" into a device; of several GPUs, each process has its own.

    "auto" takes a GPU where there is one.

    Raises:
        ValueError: there is no such device here, or not one for each process.
    """
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = "cuda" if here["cuda"] else "mps" if here["mps"] and count() == 1 else "cpu"
    if not here.get(name, True):
        raise ValueError(f"There is no device {name} here: take --device cpu.")
    if name == "mps" and count() > 1:
        raise ValueError("Several processes cannot share mps: take --device cpu.")
    if name != "cuda":
        return torch.device(name)
    number = int(os.environ.get("LOCAL_RANK", "0"))
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # on this machine; all raise alike
    gpus = torch.cuda.device_count()
    if processes > gpus:
        raise ValueError(
            f"{processes} processes need a GPU each, and here are {gpus}: start {gpus}, or take "
            "--device cpu."
        )
    torch.cuda.set_device(number)  # what says "cuda" without a number means this one
    return torch.device("cuda", number)


def own_rows(batch: Tensor) -> Tensor:
    """This process's part of a batch `(n, …)` -> `(n / count, …)`."""
    return batch.chunk(count())[rank()]


def mean_over_processes(value: Tensor) -> float:
    """The mean of one number over all processes. Each waits here until all have come."""
    value = value.detach().cpu()
    if count() > 1:
        value = value.clone()
        distributed.all_reduce(value)
    return value.item() / count()


def wait() -> None:
    """Go on when all processes have come here."""
    mean_over_processes(torch.zeros(()))


def averaging(model: nn.Module) -> nn.Module:
    """The same model, but its backward pass leaves the mean gradient of all processes.

    The weights of process 0 are copied to the others first.

    Source: Li et al., "PyTorch Distributed" (2020), section 3, arXiv:2006.15704.
    """
    if count() == 1:
        return model
    own = [device_of(model)] if device_of(model).type == "cuda" else None
    return DistributedDataParallel(model, own)
