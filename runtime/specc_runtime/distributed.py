"""Several processes, the ranks, that train one model together, as `torchrun` starts them.

Each holds the whole model and computes its share of every batch. Tensors are exchanged between devices,
by NCCL on GPUs and by Gloo on CPUs; messages between hosts use Gloo and wait for no device. A single
process is rank 0 of 1, and for it every function here returns its argument.
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

TIMEOUT = timedelta(minutes=10)
"""How long a rank waits for another: rank 0 may be scoring."""


class DistributedError(Exception):
    """The ranks cannot work together; the message says why."""


@contextmanager
def joined() -> Generator[None]:
    """Join the processes that `torchrun` started into one process group; without it, do nothing.

    Each process uses the GPU of its local rank; without GPUs all use the CPU. Raises `DistributedError`.
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
    with _peer_errors():
        _join("cpu:gloo,cuda:nccl" if gpus else "gloo")
    yield
    dist.destroy_process_group()  # not after an error: the others may no longer answer


def _join(backend: str) -> None:
    """Meet the other ranks in the store that `torchrun` keeps for them.

    The store survives a restart, with the addresses of the processes that died, and a rank that is too
    quick would call those. So each start uses keys of its own.
    """
    store, number, count = next(rendezvous("env://", timeout=TIMEOUT))  # pyright: ignore[reportUnknownMemberType]
    restarts = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    own = PrefixStore(f"specc/{restarts}/{count}", store)
    dist.init_process_group(backend, store=own, rank=number, world_size=count, timeout=TIMEOUT)


def rank() -> int:
    """The index of this process, from 0; rank 0 writes files and messages for all."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """The number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_main() -> bool:
    """Whether this is rank 0."""
    return rank() == 0


@torch.no_grad()
def all_reduce(tensor: Tensor) -> None:
    """Replace a tensor by its sum over all ranks, the same on all to the last bit.

    Raises `DistributedError`.
    """
    if world_size() > 1:
        with _peer_errors():
            dist.all_reduce(tensor)


class Bucket:
    """Tensors of one dtype, and a flat copy of them all, to be reduced at once."""

    @torch.no_grad()
    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._tensors = list(tensors)
        self._flat = torch.cat([tensor.flatten() for tensor in tensors])

    @torch.no_grad()
    def all_reduce(self) -> None:
        """Replace each tensor by its sum over all ranks. Raises `DistributedError`."""
        all_reduce(self._flat)
        sums = torch.split_with_sizes(self._flat, [tensor.numel() for tensor in self._tensors])
        shaped = [total.view_as(tensor) for total, tensor in zip(sums, self._tensors, strict=True)]
        torch._foreach_copy_(self._tensors, shaped)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]


def all_max(number: int) -> int:
    """The largest of all ranks' numbers. Raises `DistributedError`."""
    if world_size() == 1:
        return number
    numbers = torch.tensor(number)
    with _peer_errors():
        dist.all_reduce(numbers, dist.ReduceOp.MAX)
    return int(numbers)


def all_gather(value: T) -> list[T]:
    """The values of all ranks, in order of rank. Raises `DistributedError`."""
    if world_size() == 1:
        return [value]
    values: list[T] = [value] * world_size()
    with _peer_errors():
        dist.all_gather_object(values, value)
    return values


@contextmanager
def raised_on_all(kind: type[Exception]) -> Generator[None]:
    """An exception of this kind that one rank raises within is raised on all ranks."""
    raised: Exception | None = None
    try:
        yield
    except kind as error:
        raised = error
    if all_max(raised is not None):
        raise raised or kind("on another rank")


def launched_processes() -> int:
    """The number of processes that `torchrun` started, joined or not; 1 without it."""
    return int(os.environ["WORLD_SIZE"]) if dist.is_torchelastic_launched() else 1


def launch_id() -> str:
    """The `--rdzv-id` of `torchrun`, which its restarts share; empty without it."""
    return os.environ.get("TORCHELASTIC_RUN_ID", "")


def is_restart_of(launch: str | None) -> bool:
    """Whether `torchrun` may have started this process again for the launch with this id.

    Without `--rdzv-id` the id is `none`, and only a restart after a failure is recognised.
    """
    again = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0
    return launch == launch_id() != "" and (again or launch != "none")


@contextmanager
def _peer_errors() -> Generator[None]:
    """Turn PyTorch's various errors of communication into a `DistributedError`."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).partition(". ")[0]
        raise DistributedError(f"another process of this run is lost: {reason}") from error
