"""The arithmetic that a network needs, and the arithmetic peak and memory of a device."""

import resource
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

from specc_runtime.bench.stopwatch import Stopwatch

REPEATS = 10
SIDES = {"cpu": (256, 512, 1024), "cuda": (4096, 8192)}
"""Sides of the square matrices whose products are timed; the fastest size differs by device."""


def flops(work: Callable[[], object]) -> int:
    """Floating-point operations of some work as PyTorch counts them, two for a multiply-add.

    Gradients that are not needed, such as those of frozen weights, are not counted.
    """
    backward = {torch.ops.aten.convolution_backward: _of_convolutions_backward}
    with FlopCounterMode(display=False, custom_mapping=backward) as counter:
        work()
    return counter.get_total_flops()


def _of_convolutions_backward(
    gradient: list[int],
    images: list[int],
    weight: list[int],
    _bias: object,
    _stride: object,
    _padding: object,
    _dilation: object,
    transposed: bool,
    _output_padding: object,
    _groups: object,
    wanted: list[bool],
    **_: object,
) -> int:
    """As many as forward for each gradient wanted: of the images, and of the weight.

    PyTorch's own formula ignores groups, and so counts too many.
    """
    return conv_flop_count(images, weight, gradient, transposed) * sum(wanted[:2])


def matmul_peak(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations per second of the fastest product of square matrices."""
    watch, best = Stopwatch(device), 0.0
    for side in SIDES[device.type]:
        a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
        for _ in range(REPEATS):
            watch.begin()
            torch.mm(a, b)
            watch.lap("product")
        best = max(best, *(2 * side**3 / step["product"] for step in watch.read()))
    return best


def memory(device: torch.device) -> dict[str, Any]:
    """Peak memory in bytes: of this process, and of PyTorch on a GPU."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "peak_rss": used if sys.platform == "darwin" else used * 1024,
        "peak_device": torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None,
    }
