"""Several processes, the ranks, that train one model together, as `torchrun` starts them.

Each holds the whole model and computes its share of every batch. Tensors are exchanged where they lie,
by NCCL between GPUs and by Gloo elsewhere; what hosts tell one another goes by Gloo and waits for no
device. A process by itself is rank 0 of 1, and each function here gives it back what it gave.
"""

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import PrefixStore, rendezvous  # pyright: ignore[reportPrivateImportUsage, reportUnknownVariableType]

T = TypeVar("T")

PATIENCE = timedelta(minutes=10)
"""How long a rank waits for another: rank 0 may be scoring."""


class DistributedError(Exception):
    """The ranks cannot work together; the message says why."""


@contextmanager
def joined() -> Generator[None]:
    """Within this, the processes that `torchrun` started are the ranks of one run.

    Each computes on the GPU of its local rank, or all on the CPU. Raises `DistributedError`.
    """
    if not dist.is_torchelastic_launched() or dist.is_initialized():
        yield
        return
    gpus = torch.cuda.device_count()
    if gpus:
        local = int(os.environ["LOCAL_RANK"])
        if local >= gpus:
            raise DistributedError(f"a process for each GPU: --nproc-per-node {gpus} at most")
        torch.cuda.set_device(local)
    with _peers():
        _join("cpu:gloo,cuda:nccl" if gpus else "gloo")
    yield
    dist.destroy_process_group()  # after an error the others may be past answering


def _join(backend: str) -> None:
    """Meet the other ranks, by what they tell in the store that `torchrun` keeps for them.

    It keeps that store when it starts the ranks again, with the addresses of those that died: a rank
    that is too quick would call them. So each start has names of its own there.
    """
    store, number, count = next(rendezvous("env://", timeout=PATIENCE))  # pyright: ignore[reportUnknownMemberType]
    restarts = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    names = PrefixStore(f"specc/{restarts}/{count}", store)
    dist.init_process_group(backend, store=names, rank=number, world_size=count, timeout=PATIENCE)


def rank() -> int:
    """Which of the processes this is, from 0; rank 0 writes and speaks for all."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def leads() -> bool:
    """Whether this is rank 0."""
    return rank() == 0


@torch.no_grad()
def add_up(tensor: Tensor) -> None:
    """Make a tensor the sum of those of all ranks: the same on all, to the last bit.

    Raises `DistributedError`.
    """
    if world() > 1:
        with _peers():
            dist.all_reduce(tensor)


class Row:
    """Tensors of one type, and a copy of all in a row, to be added up at once."""

    @torch.no_grad()
    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._tensors = list(tensors)
        self._row = torch.cat([tensor.flatten() for tensor in tensors])

    @torch.no_grad()
    def add_up(self) -> None:
        """Make each of the tensors the sum of those of all ranks. Raises `DistributedError`."""
        add_up(self._row)
        sums = torch.split_with_sizes(self._row, [tensor.numel() for tensor in self._tensors])
        shaped = [total.view_as(tensor) for total, tensor in zip(sums, self._tensors, strict=True)]
        torch._foreach_copy_(self._tensors, shaped)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]


def most(number: int) -> int:
    """The greatest of all ranks' numbers. Raises `DistributedError`."""
    if world() == 1:
        return number
    numbers = torch.tensor(number)
    with _peers():
        dist.all_reduce(numbers, dist.ReduceOp.MAX)
    return int(numbers)


def gathered(value: T) -> list[T]:
    """All ranks' values, in their order. Raises `DistributedError`."""
    if world() == 1:
        return [value]
    values: list[T] = [value] * world()
    with _peers():
        dist.all_gather_object(values, value)
    return values


@contextmanager
def alike(kind: type[Exception]) -> Generator[None]:
    """What is raised within on any rank, if it is of this kind, is raised on all."""
    raised: Exception | None = None
    try:
        yield
    except kind as error:
        raised = error
    if most(raised is not None):
        raise raised or kind("on another rank")


def launched() -> int:
    """How many processes `torchrun` started, whether they have joined or not; 1 without it."""
    return int(os.environ["WORLD_SIZE"]) if dist.is_torchelastic_launched() else 1


def launch() -> str:
    """What `torchrun` calls the processes that it starts, and starts again: its `--rdzv-id`, or empty."""
    return os.environ.get("TORCHELASTIC_RUN_ID", "")


def starts_again(name: str | None) -> bool:
    """Whether this may be what `torchrun` started before under this name.

    What was given no name is called `none`, and known by being started again after a failure.
    """
    again = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0
    return name == launch() != "" and (again or name != "none")


@contextmanager
def _peers() -> Generator[None]:
    """Say what PyTorch's many errors mean here: there is nobody at the other end."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).partition(". ")[0]
        raise DistributedError(f"another process of this run is lost: {reason}") from error
