"""What a run asks of the machine that it is on."""

import platform
import resource

import pytest
import torch

from specc_runtime.device import choose

BYTES = 64 * 2**20


def pages_cleared(rounds: int) -> int:
    """How many pages the kernel has to give for tensors that are filled and forgotten."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(rounds):
        torch.ones(BYTES, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another malloc")
@pytest.mark.skipif(torch.cuda.is_available(), reason="PyTorch itself keeps a GPU's memory")
def test_memory_that_a_step_frees_is_there_for_the_next():
    choose()
    pages_cleared(rounds=20)
    assert pages_cleared(rounds=4) < BYTES / resource.getpagesize()
