"""Ranks as `torchrun` starts them, but forked from this process, which has imported all already."""

import os
import socket
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from specc_runtime import distributed
from specc_runtime.distributed import DistributedError

from .training import forked

PATIENCE = 180.0
"""Seconds until a test gives up waiting."""


def begun(function: Callable[[], object], world: int = 2) -> list[BaseProcess]:
    """The processes of `world` ranks, each of which runs a function; one that loses another leaves by 9."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]

    def run(rank: int) -> None:
        os.environ |= {
            "TORCHELASTIC_RUN_ID": "tests",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "WORLD_SIZE": str(world),
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
        }
        torch.set_num_threads(1)
        try:
            with distributed.joined():
                function()
        except DistributedError as error:
            print(error, file=sys.stderr)
            os._exit(9)

    return [forked(lambda rank=rank: run(rank)) for rank in range(world)]


def together(function: Callable[[], Any], folder: Path, world: int = 2) -> list[Any]:
    """What a function, of tensors, numbers and texts, gives on each of `world` ranks."""
    folder.mkdir(parents=True, exist_ok=True)

    def run() -> None:
        torch.save(function(), folder / f"{distributed.rank()}.pt")

    for process in begun(run, world):
        process.join(PATIENCE)
        assert process.exitcode == 0
    return [torch.load(folder / f"{rank}.pt") for rank in range(world)]
