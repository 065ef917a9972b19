"""How fast emitted networks run, against the code that they were checked against.

    python benchmarks/zoo.py --pairs 20 --out benchmarks/results/zoo.json
    python benchmarks/zoo.py resnet:resnet50 --pairs 5

Both are the network alone, from normalised images to raw outputs, on the CPU in float32; a pair
runs each once. The second stage of two gets the same regions on both sides. A ratio above one says
that the emitted network is the faster one.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from effdet import EfficientDet, get_efficientdet_config
from efficientnet_pytorch import EfficientNet
from pairs import ROOT, alternate, report, setting, summary
from torch import Tensor, nn
from torchvision import models
from torchvision.models import detection
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.rpn import concat_box_prediction_layers

sys.path.append(str(ROOT / "tests/zoo"))

from parity import emitted

Run = Callable[[nn.Module, Tensor], object]


def whole(model: nn.Module, images: Tensor) -> object:
    """Run a network as it is."""
    return model(images)


class Reference(NamedTuple):
    """The network of someone else, the side of its images, and how it and ours are run."""

    make: Callable[[], nn.Module]
    side: int
    run: Run = whole
    run_ours: Run = whole


def heads(model: nn.Module, images: Tensor) -> object:
    """Run a torchvision detector without its transforms, anchors and selection."""
    return model.head(list(model.backbone(images).values()))


def detector(make: Callable[..., nn.Module], side: int) -> Reference:
    """Return a detector of torchvision, without weights from the network."""
    return Reference(partial(make, weights=None, weights_backbone=None), side, heads)


def two_stages(make: Callable[..., nn.Module]) -> Reference:
    """Return a Faster R-CNN of torchvision, without weights from the network."""
    return Reference(
        partial(make, weights=None, weights_backbone=None), 256, with_regions, ours_with_regions
    )


def with_regions(model: nn.Module, images: Tensor) -> object:
    """Run a Faster R-CNN of torchvision on given regions, without its transforms and selection."""
    maps = model.backbone(images)
    of_anchors = concat_box_prediction_layers(*model.rpn.head(list(maps.values())))
    sizes = [tuple(images.shape[-2:])] * len(images)
    pooled = model.roi_heads.box_roi_pool(maps, list(regions(images)), sizes)
    return of_anchors, model.roi_heads.box_predictor(model.roi_heads.box_head(pooled))


def ours_with_regions(model: nn.Module, images: Tensor) -> object:
    """Run an emitted Faster R-CNN on given regions, without its proposals."""
    *maps, pyramid = model.features(images)
    return model.roi(*maps, *model.rpn(pyramid), regions(images))


def regions(images: Tensor) -> Tensor:
    """Draw 100 boxes (N, 100, 4) for each image, of all sizes."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.rand(len(images), 100, 4, generator=generator)
    corner, side = images.shape[-1] / 2 * drawn[..., :2], 2 ** (3 + 5 * drawn[..., 2:])
    return torch.cat([corner, corner + side], dim=-1)


def effdet_d0() -> nn.Module:
    """Return effdet's EfficientDet-D0, without weights from the network."""
    return EfficientDet(get_efficientdet_config("tf_efficientdet_d0"), pretrained_backbone=False)


REFERENCES = {
    "vgg16": Reference(models.vgg16, 224),
    **{
        f"resnet:resnet{depth}": Reference(getattr(models, f"resnet{depth}"), 224)
        for depth in (18, 34, 50, 101, 152)
    },
    **{
        f"efficientnet:b{n}": Reference(getattr(models, f"efficientnet_b{n}"), 224)
        for n in range(8)
    },
    **{
        f"efficientnet:tf_b{n}": Reference(
            partial(EfficientNet.from_name, f"efficientnet-b{n}"), 224
        )
        for n in range(8)
    },
    "mobilenet_v3": Reference(models.mobilenet_v3_large, 224),
    "fpn_resnet": Reference(
        partial(
            resnet_fpn_backbone,
            backbone_name="resnet50",
            weights=None,
            norm_layer=nn.BatchNorm2d,
            trainable_layers=5,
        ),
        224,
    ),
    "ssd300_vgg": detector(detection.ssd300_vgg16, 300),
    "ssdlite320_mobilenet_v3": detector(detection.ssdlite320_mobilenet_v3_large, 320),
    "retinanet_resnet50_fpn:v1": detector(detection.retinanet_resnet50_fpn, 256),
    "retinanet_resnet50_fpn:v2": detector(detection.retinanet_resnet50_fpn_v2, 256),
    "fcos_resnet50_fpn": detector(detection.fcos_resnet50_fpn, 256),
    "faster_rcnn_resnet50_fpn": two_stages(detection.fasterrcnn_resnet50_fpn),
    "faster_rcnn_resnet50_fpn_v2": two_stages(detection.fasterrcnn_resnet50_fpn_v2),
    "faster_rcnn_mobilenet_v3_large_fpn": two_stages(detection.fasterrcnn_mobilenet_v3_large_fpn),
    "efficientdet:d0": Reference(effdet_d0, 512),
}


def tensors(value: object) -> Iterator[Tensor]:
    """Yield the tensors of outputs of any form."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors(item)


def forward(run: Run, model: nn.Module, images: Tensor) -> float:
    """Return the seconds of a forward pass in evaluation."""
    model.eval()
    start = time.perf_counter()
    with torch.no_grad():
        run(model, images)
    return time.perf_counter() - start


def both_ways(run: Run, model: nn.Module, images: Tensor) -> float:
    """Return the seconds of a forward and a backward pass in training."""
    model.train().zero_grad(set_to_none=True)
    start = time.perf_counter()
    torch.stack([output.sum() for output in tensors(run(model, images))]).sum().backward()
    return time.perf_counter() - start


def build(name: str, reference: Reference, turn: int) -> tuple[nn.Module, nn.Module]:
    """Return a network and its reference, made in one order or the other."""
    if turn % 2:
        theirs = reference.make().float()
        return emitted(name).float(), theirs
    return emitted(name).float(), reference.make().float()


def compare(
    name: str, reference: Reference, batch: int, pairs: int, builds: int
) -> dict[str, object]:
    """Return the ratios of a network, forward and both ways.

    Where tensors come to lie in memory makes some per cent, for as long as they lie there: both are
    built anew, in turns as to which is first, and the pairs are shared among the builds.
    """
    runs: dict[str, list[tuple[float, float]]] = {"forward": [], "forward_backward": []}
    for turn in range(builds):
        ours, theirs = build(name, reference, turn)
        images = torch.randn(batch, 3, reference.side, reference.side)
        for kind, timed in (("forward", forward), ("forward_backward", both_ways)):
            runs[kind] += alternate(
                partial(timed, reference.run_ours, ours, images),
                partial(timed, reference.run, theirs, images),
                math.ceil(pairs / builds),
            )
    return {
        "batch": batch,
        "side": reference.side,
        "builds": builds,
        **{kind: figures(found) for kind, found in runs.items()},
    }


def figures(runs: list[tuple[float, float]]) -> dict[str, object]:
    """Return the seconds of both in pairs of runs, and the ratio."""
    return {
        "seconds": summary([first for first, _ in runs]),
        "reference_seconds": summary([second for _, second in runs]),
        "ratio": summary([second / first for first, second in runs]),
    }


def measured(out: Path | None) -> dict[str, object]:
    """Return the rows that a file of results holds already."""
    if out is None or not out.exists():
        return {}
    return json.loads(out.read_text(encoding="utf-8"))["networks"]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="networks; all of them if left out")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--builds", type=int, default=5, help="how often both are made anew")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="written after each network; rows there are kept")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = measured(options.out)
    for name in options.names or REFERENCES:
        rows[name] = {
            **compare(name, REFERENCES[name], options.batch, options.pairs, options.builds),
            "threads": options.threads,
            **setting(),
        }
        print(name, rows[name], file=sys.stderr, flush=True)
        report({"networks": rows}, options.out)


if __name__ == "__main__":
    main()
