"""How fast objects are chosen from a network's outputs, against torchvision's post-processing.

    python benchmarks/postprocess.py --pairs 10 --out benchmarks/results/postprocess.json

Both start from the same outputs and end at the same detections, decoding included; that they are the
same is checked first. `ssd300` has the outputs of 21 classes, most of them background, as a trained
network's are; `ssd300_untrained` those of a network that is sure of nothing, so that every class has
as many candidates as are let in. `retinanet` has five maps of 800 x 800 and 91 classes. Boxes lie
anywhere there, so that among the best enough stay. In `crowded` they lie on 20 objects of a picture,
dozens on each: more candidates are compared, and less is gained. A ratio above one says that ours is
the faster one.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import torch
from pairs import ROOT, alternate, report, summary
from torch import Tensor

sys.path.append(str(ROOT / "tests/runtime"))

import ssd300
import torchvision_one_stage
import torchvision_ssd

from specc_runtime.anchors import AnchorGrid
from specc_runtime.boxes import BoxCoder, iou
from specc_runtime.decode import NMS, Detections, LevelNMS
from specc_runtime.detector import Detector
from specc_runtime.losses import FocalLoss, Loss, MultiBoxLoss
from specc_runtime.predictions import Predictions

CLAMP = math.log(1000 / 16)
SIDE = 800
STRIDES = (8, 16, 32, 64, 128)
MAPS = [(math.ceil(SIDE / stride),) * 2 for stride in STRIDES]
GRID = AnchorGrid(
    sizes=tuple(tuple(4.0 * s * 2 ** (third / 3) for third in range(3)) for s in STRIDES),
    ratios=(0.5, 1.0, 2.0),
)


class Case(NamedTuple):
    """Two ways from outputs to the boxes, scores and labels (from 0) of each picture."""

    ours: Callable[[], Detections]
    theirs: Callable[[], list[dict[str, Tensor]]]
    background: int


def detect(
    said: Predictions,
    loss: Loss,
    coder: BoxCoder,
    anchors: Tensor,
    levels: Sequence[int],
    size: tuple[int, int],
    select: NMS | LevelNMS,
) -> Detections:
    """Return what a detector of these parts finds: its own method, called without its network."""
    parts = SimpleNamespace(
        criterion=loss,
        coder=coder,
        anchors=anchors,
        levels=levels,
        select=select,
        input=SimpleNamespace(size=size),
    )
    return Detector.detect(parts, said)


def ssd(batch: int, certainty: float) -> Case:
    """SSD300's selection; the background's score is raised by `certainty` in most places."""
    anchors = ssd300.anchors()
    offsets, logits = torch.randn(batch, len(anchors), 4), torch.randn(batch, len(anchors), 21)
    logits[..., 0] += certainty * (torch.rand(batch, len(anchors)) < 0.98)
    return ssd_case(anchors, offsets, logits)


def ssd_crowded(batch: int) -> Case:
    """SSD300's selection, where some thousand boxes lie on the objects of a picture."""
    anchors = ssd300.anchors()
    offsets = torch.randn(batch, len(anchors), 4) * 0.1
    logits = crowd(batch, anchors, 21, ssd300.SIZE)
    logits[..., 0] += 8
    return ssd_case(anchors, offsets, logits)


def ssd_case(anchors: Tensor, offsets: Tensor, logits: Tensor) -> Case:
    """Both ways from SSD300's outputs."""
    select = NMS()
    size, said = (ssd300.SIZE, ssd300.SIZE), Predictions(offsets, logits)
    ours = partial(
        detect, said, MultiBoxLoss(), BoxCoder(clamp=CLAMP), anchors, (len(anchors),), size, select
    )
    theirs = partial(torchvision_ssd.detections, offsets, logits, anchors, size, select)
    return Case(ours, theirs, 1)


def retinanet(batch: int) -> Case:
    """RetinaNet's selection; one pair of an anchor and a class in 2,000 is a candidate."""
    anchors = GRID(MAPS, (SIDE, SIDE))
    offsets = torch.randn(batch, len(anchors), 4) * 0.3
    return retinanet_case(anchors, offsets, torch.randn(batch, len(anchors), 91) - 6.2)


def retinanet_crowded(batch: int) -> Case:
    """RetinaNet's selection, where some thousand boxes lie on the objects of a picture."""
    anchors = GRID(MAPS, (SIDE, SIDE))
    offsets = torch.randn(batch, len(anchors), 4) * 0.1
    return retinanet_case(anchors, offsets, crowd(batch, anchors, 91, SIDE) - 7)


def retinanet_case(anchors: Tensor, offsets: Tensor, logits: Tensor) -> Case:
    """Both ways from RetinaNet's outputs."""
    size, select = (SIDE, SIDE), LevelNMS()
    levels = [height * width * 9 for height, width in MAPS]
    coder = BoxCoder(weights=(1.0, 1.0, 1.0, 1.0), clamp=CLAMP)
    said = Predictions(offsets, logits)

    ours = partial(detect, said, FocalLoss(), coder, anchors, levels, size, select)
    theirs = partial(
        torchvision_one_stage.retinanet_detections, said, anchors, levels, size, select
    )
    return Case(ours, theirs, 0)


def crowd(batch: int, anchors: Tensor, classes: int, side: int, objects: int = 20) -> Tensor:
    """Logits (B, A, classes) that grow with how much an anchor overlaps an object of that class."""
    logits = torch.randn(batch, len(anchors), classes) * 0.5
    for picture in logits:
        centres, half = torch.rand(objects, 2) * side, torch.rand(objects, 2) * 0.15 * side + 10
        overlap = iou(torch.cat((centres - half, centres + half), dim=1), anchors)
        picture.index_add_(1, torch.randint(1, classes, (objects,)), 12 * overlap.mT)
    return logits


def rows(boxes: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
    """Return detections as rows (N, 6) of score, label and box, those of one score by label."""
    found = torch.cat((scores[:, None], labels[:, None], boxes), dim=1)
    found = found[found[:, 1].argsort(stable=True)]
    return found[found[:, 0].argsort(stable=True, descending=True)]


def require_equal(case: Case) -> int:
    """Stop unless both find the same; how many objects that is."""
    found = case.ours()
    for number, theirs in enumerate(case.theirs()):
        labels = theirs["labels"] - case.background
        expected = rows(theirs["boxes"], theirs["scores"], labels)
        torch.testing.assert_close(rows(*found.of(number)), expected, rtol=0, atol=1e-2)
        torch.testing.assert_close(found.of(number)[1], theirs["scores"], rtol=0, atol=1e-6)
    return int(found.counts.sum())


def seconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 8])
    parser.add_argument("--threads", type=int, nargs="+", default=[torch.get_num_threads(), 1])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    cases = {
        "ssd300": partial(ssd, certainty=12.0),
        "ssd300_untrained": partial(ssd, certainty=0.0),
        "ssd300_crowded": ssd_crowded,
        "retinanet": retinanet,
        "retinanet_crowded": retinanet_crowded,
    }
    figures: dict[str, object] = {}
    for (name, make), batch in itertools.product(cases.items(), options.batch):
        torch.manual_seed(0)
        case = make(batch)
        objects = require_equal(case)
        for threads in dict.fromkeys(options.threads):
            torch.set_num_threads(threads)
            runs = alternate(
                partial(seconds, case.ours), partial(seconds, case.theirs), options.pairs
            )
            figures[f"{name}_batch{batch}_threads{threads}"] = {
                "objects": objects,
                "seconds": summary([ours for ours, _ in runs]),
                "torchvision_seconds": summary([theirs for _, theirs in runs]),
                "ratio": summary([theirs / ours for ours, theirs in runs]),
            }
    report(figures, options.out)


if __name__ == "__main__":
    with torch.inference_mode():
        main()
