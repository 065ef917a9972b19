"""How fast the emitted SSD300 runs, against torchvision's with the same weights and images.

    python benchmarks/forward.py --pairs 20 --out benchmarks/results/forward.json

Both are the network alone, from normalised images to raw outputs, on the CPU in float32; a pair
runs each once. A ratio above one says that the emitted model is the faster one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from pairs import ROOT, alternate, report, summary
from torch import Tensor, nn

sys.path.append(str(ROOT / "tests/compiler/parity"))

from ssd300_pair import pair, run_ours, run_theirs

Run = Callable[[nn.Module, Tensor], dict[str, Tensor]]


def forward(run: Run, model: nn.Module, images: Tensor) -> float:
    """Return the seconds of a forward pass."""
    start = time.perf_counter()
    with torch.no_grad():
        run(model, images)
    return time.perf_counter() - start


def both_ways(run: Run, model: nn.Module, images: Tensor) -> float:
    """Return the seconds of a forward and a backward pass."""
    model.zero_grad(set_to_none=True)
    start = time.perf_counter()
    outputs = run(model, images)
    (outputs["loc"].sum() + outputs["conf"].sum()).backward()
    return time.perf_counter() - start


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    ours, theirs = pair(21, torch.float32)
    images = torch.randn(options.batch, 3, 300, 300)
    figures: dict[str, object] = {"batch": options.batch, "threads": options.threads}
    for name, timed in (("forward", forward), ("forward_backward", both_ways)):
        runs = alternate(
            partial(timed, run_ours, ours, images),
            partial(timed, run_theirs, theirs, images),
            options.pairs,
        )
        figures[name] = {
            "seconds": summary([first for first, _ in runs]),
            "torchvision_seconds": summary([second for _, second in runs]),
            "ratio": summary([second / first for first, second in runs]),
        }
    report(figures, options.out)


if __name__ == "__main__":
    main()
