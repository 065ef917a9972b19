"""What a network asks of a device, and what the device can give."""

import copy
import resource
import sys
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from specc_runtime.bench.stopwatch import Stopwatch
from specc_runtime.model import Detector

REPEATS = 10
SIDES = {"cpu": (256, 512, 1024), "cuda": (4096, 8192)}
"""Of the matrices whose products are timed; which of them runs best differs by device."""


def forward_flops(detector: Detector) -> int:
    """Floating-point operations of the network on one image, two for a multiply-add.

    Counted by PyTorch on the meta device, so that nothing is computed.
    """
    network = copy.deepcopy(detector.network).to("meta").eval()
    images = torch.empty(1, 3, *detector.input.size, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(images)
    return counter.get_total_flops()


def matmul_peak(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations a second of the fastest of some products of square matrices."""
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
    """The most memory used so far, in bytes: of this process, and of PyTorch on a GPU."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "peak_rss": used if sys.platform == "darwin" else used * 1024,
        "peak_device": torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None,
    }
