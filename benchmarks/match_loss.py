"""How fast a batch is matched and its loss computed, against torchvision's SSD.

    python benchmarks/match_loss.py --pairs 20 --out benchmarks/results/match_loss.json

Both start from the same network outputs and targets and end at the same two losses. A ratio above
one says that ours is the faster one. `forward` and `forward_backward` are timed, ours as it is
written (`eager`) and through torch.compile, with one thread and with as many as torch takes.
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
from torch import Tensor

sys.path.append(str(ROOT / "tests/runtime"))

import torchvision_ssd
from ssd300 import anchors, random_targets

from specc_runtime.boxes import BoxCoder
from specc_runtime.losses import MultiBoxLoss
from specc_runtime.matching import IoUMatch
from specc_runtime.predictions import Predictions

CLASSES = 21
Loss = Callable[..., dict[str, Tensor]]


def our_loss(offsets, logits, boxes, targets, labels) -> dict[str, Tensor]:
    """Match all pictures at once, and compute the loss of all."""
    assigned = IoUMatch()(boxes, targets, labels)
    return MultiBoxLoss()(Predictions(offsets, logits), assigned, BoxCoder(), boxes)


def timed(loss: Loss, arguments: tuple[Tensor, ...], *, backward: bool) -> float:
    """Return the seconds that a loss, and its gradient if asked for, takes."""
    start = time.perf_counter()
    total = sum(loss(*arguments).values())
    if backward:
        torch.autograd.grad(total, arguments[:2])
    return time.perf_counter() - start


def compare(ours: Loss, arguments: tuple[Tensor, ...], pairs: int) -> dict[str, object]:
    """Return the ratios of the loss, and of the loss with its gradient."""
    figures: dict[str, object] = {}
    for name, backward in (("forward", False), ("forward_backward", True)):
        runs = alternate(
            partial(timed, ours, arguments, backward=backward),
            partial(timed, torchvision_ssd.loss, arguments, backward=backward),
            pairs,
        )
        figures[name] = {
            "seconds": summary([first for first, _ in runs]),
            "torchvision_seconds": summary([second for _, second in runs]),
            "ratio": summary([second / first for first, second in runs]),
        }
    return figures


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--objects", type=int, default=16, help="the most objects of a picture")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    all_threads = torch.get_num_threads()
    torch.manual_seed(0)
    boxes = anchors()
    targets, labels = random_targets(options.batch, options.objects, CLASSES - 1)
    offsets = torch.randn(options.batch, len(boxes), 4, requires_grad=True)
    logits = torch.randn(options.batch, len(boxes), CLASSES, requires_grad=True)
    arguments = (offsets, logits, boxes, targets, labels)
    ours, theirs = our_loss(*arguments), torchvision_ssd.loss(*arguments)
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=1e-4, atol=1e-5)
    figures: dict[str, object] = {
        "batch": options.batch,
        "boxes": len(boxes),
        "objects": int((labels >= 0).sum()),
        "loss": {name: round(value.item(), 5) for name, value in theirs.items()},
    }
    for threads in sorted({1, all_threads}):
        torch.set_num_threads(threads)
        torch.compiler.reset()
        compiled = torch.compile(our_loss, fullgraph=True, dynamic=False)
        for way, ours in (("eager", our_loss), ("compiled", compiled)):
            figures[f"{way}, threads {threads}"] = compare(ours, arguments, options.pairs)
    report(figures, options.out)


if __name__ == "__main__":
    main()
