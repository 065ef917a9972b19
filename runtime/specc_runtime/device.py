"""The device that a run uses, how to make it fast, and how it runs out of memory."""

import ctypes
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

import torch

SHORTAGES = (
    "DefaultCPUAllocator: ",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
)
"""How other errors of PyTorch than `OutOfMemoryError` mention a lack of memory."""


MALLOPT = {
    -1: -1,  # M_TRIM_THRESHOLD: never shrink the heap
    -2: 64 * 2**20,  # M_TOP_PAD: grow it by this much more than is asked for
    -4: 0,  # M_MMAP_MAX: allocate nothing outside of it
}
"""Settings for `mallopt` of glibc's malloc.h."""


def choose() -> torch.device:
    """The GPU if there is one, else the CPU, with fast settings.

    Inputs have one size, so cuDNN may benchmark its algorithms once and keep the fastest; what is left in
    float32 may use TF32.
    """
    if not torch.cuda.is_available():
        _keep_freed_memory()
        return torch.device("cpu")
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    return torch.device("cuda")


def _keep_freed_memory() -> None:
    """Have glibc's malloc keep freed memory for the next step.

    By default it returns large blocks to the kernel, which clears every page again: a
    hundred thousand pages in each step of SSD300.
    """
    if sys.platform != "linux" or not hasattr(libc := ctypes.CDLL(None), "mallopt"):
        return
    for parameter, value in MALLOPT.items():
        libc.mallopt(parameter, value)


def can_compile(
    wanted: Literal["auto", "always", "never"], device: torch.device
) -> tuple[bool, str]:
    """Whether to use torch.compile, and the reason if it is unexpectedly not used.

    `auto` compiles on a GPU if there is a C compiler, which the generated kernels need.
    """
    if wanted != "auto":
        return wanted == "always", ""
    if device.type != "cuda":
        return False, ""
    if not any(shutil.which(name) for name in ("cc", "gcc", "clang")):
        return False, "not compiled: torch.compile needs a C compiler, and there is none here"
    return True, ""


def peak_memory(device: torch.device) -> int:
    """The most memory that PyTorch has reserved on a GPU so far, in bytes; 0 for a CPU."""
    return torch.cuda.max_memory_reserved(device) if device.type == "cuda" else 0


@contextmanager
def shortages() -> Generator[None]:
    """Raise any lack of memory within as `torch.OutOfMemoryError`, even one a compiler has wrapped."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        reason: BaseException | None = error
        while reason is not None and not _is_shortage(reason):
            reason = reason.__cause__ or reason.__context__
        if reason is None:
            raise
        raise torch.OutOfMemoryError(str(reason) or "out of memory") from error


def _is_shortage(error: BaseException) -> bool:
    known = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return known or any(sign in str(error) for sign in SHORTAGES)
