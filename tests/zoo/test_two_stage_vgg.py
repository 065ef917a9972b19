"""Two-stage detectors on VGG16 beside torchvision's parts, put together as the papers say."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path

import pytest
import torch
from figures import on_meta
from parity import SPECS, Outputs, Pair, agree, emitted, fill, images
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import (
    RegionProposalNetwork,
    RPNHead,
    concat_box_prediction_layers,
)
from torchvision.ops import roi_align, roi_pool

import specc

torch.set_num_threads(1)

SIZE = (96, 130)
PARTS = ("weight", "bias")
AT_ONE_SIZE = """\
specc: 1
name: at_one_size
inputs: {{images: [N, 3, {0}, {1}], regions: [N, {2}, 4]}}
use: {{Net: zoo/{3}}}
layers:
  net: Net()(images, regions)
outputs: [net]
"""


def regions(batch: Tensor, count: int = 6) -> Tensor:
    """Draw boxes (N, count, 4) inside images of at least 96 pixels."""
    generator = torch.Generator().manual_seed(2)
    drawn = torch.rand(len(batch), count, 4, dtype=torch.float64, generator=generator)
    corner = drawn[..., :2] * 50
    return torch.cat([corner, corner + 5 + drawn[..., 2:] * 40], dim=-1).to(batch)


class Reference(nn.Module):
    """torchvision's VGG16, and linear layers that a paper adds, with the weights of ours."""

    def __init__(self, name: str, ours: nn.Module, *added: str) -> None:
        super().__init__()
        self.vgg = on_meta(models.vgg16)
        table, state = specc.compile(f"{SPECS / name}.yaml").weights["vgg16"], ours.state_dict()
        taken = {theirs: state[key] for theirs, key in table.items()}
        self.vgg.load_state_dict(taken, strict=False, assign=True)
        self.added = nn.ModuleDict(
            {path.rpartition(".")[2]: deepcopy(ours.get_submodule(path)) for path in added}
        )

    def features(self, batch: Tensor) -> Tensor:
        """Run VGG16 without its last pooling."""
        return self.vgg.features[:-1](batch)

    def say(self, x: Tensor, *names: str) -> Outputs:
        """Run layers side by side."""
        return {name: self.added[name](x) for name in names}


def fast_head(theirs: Reference, x: Tensor, boxes: Tensor) -> Outputs:
    x = theirs.vgg.classifier[:6](roi_pool(x, list(boxes), 7, 1 / 16).flatten(1))
    return theirs.say(x, "logits", "deltas")


def fast(theirs: Reference, batch: Tensor) -> Outputs:
    return fast_head(theirs, theirs.features(batch), regions(batch))


def spp(theirs: Reference, batch: Tensor) -> Outputs:
    x, boxes = theirs.features(batch), list(regions(batch))
    bins = torch.cat([roi_pool(x, boxes, n, 1 / 16).flatten(1) for n in (6, 3, 2, 1)], dim=1)
    x = theirs.vgg.classifier[3:6](theirs.added["fc6"](bins).relu())
    return theirs.say(x, "scores") | theirs.say(bins, "deltas")


def warped(theirs: Reference, batch: Tensor) -> Outputs:
    """R-CNN's: each region has the network for itself."""
    boxes = list(regions(batch, 1))
    pool5 = theirs.vgg.features(roi_align(batch, boxes, 224, 1, 1)).flatten(1)
    svm = theirs.added["svm"](theirs.vgg.classifier[:6](pool5))
    return {"scores": svm, "deltas": theirs.added["ridge"](pool5)}


def run_ours(model: nn.Module, batch: Tensor, count: int = 6) -> Outputs:
    """Return what is said of all regions (N * count, columns)."""
    found = model(batch, regions(batch, count))
    return {name: rows.flatten(0, 1) for name, rows in found._asdict().items()}


def filled(name: str, **params: object) -> nn.Module:
    """Make a network of ours, which is of a gigabyte, once."""
    ours = on_meta(lambda: emitted(name, **params)).to_empty(device="cpu")
    return fill(ours, lambda model: None)


def counted(pair: Pair) -> int:
    """Return torch's multiply-adds of the reference for one image."""
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        pair.run_theirs(pair.theirs, images(SIZE))
    return flops.get_total_flops() // 2


def macs(name: str, count: int, folder: Path) -> int | None:
    """Return ours for one image with so many regions."""
    spec = folder / "at_one_size.yaml"
    spec.write_text(AT_ONE_SIZE.format(*SIZE, count, name), encoding="utf-8")
    return specc.compile(spec).macs


@pytest.mark.parametrize(
    ("name", "run_theirs", "added"),
    [
        ("fast_rcnn_vgg16", fast, ("box.logits", "box.deltas")),
        ("sppnet_vgg16", spp, ("fc6", "scores", "deltas")),
    ],
)
def test_regions_from_elsewhere(
    name: str,
    run_theirs: Callable[[Reference, Tensor], Outputs],
    added: tuple[str, ...],
    tmp_path: Path,
) -> None:
    ours = filled(name)
    theirs = Reference(name, ours, *added).eval()
    pair = Pair(ours, theirs, run_ours, run_theirs)
    agree(pair, images(SIZE, 2))
    assert macs(name, 6, tmp_path) == counted(pair)


def test_rcnn(tmp_path: Path) -> None:
    ours = filled("rcnn_vgg16")
    theirs = Reference("rcnn_vgg16", ours, "svm", "ridge").eval()
    pair = Pair(ours, theirs, partial(run_ours, count=1), warped)
    agree(pair, images(SIZE, 2))
    assert macs("rcnn_vgg16", 1, tmp_path) == counted(pair)


def faster(theirs: Reference, batch: Tensor) -> Outputs:
    """Run the first stage's head, and the second stage on given regions."""
    x = theirs.features(batch)
    objectness, rpn_deltas = concat_box_prediction_layers(*theirs.added["head"]([x]))
    first = {"objectness": objectness, "rpn_deltas": rpn_deltas}
    return first | fast_head(theirs, x, regions(batch))


def staged(model: nn.Module, batch: Tensor) -> Outputs:
    """Run ours stage by stage, on the same regions."""
    x = model.features(batch)
    objectness, rpn_deltas, _ = model.propose(batch, x)
    found = model.roi(x, objectness, rpn_deltas, regions(batch))
    names = "objectness", "rpn_deltas", "logits", "deltas"
    return {name: getattr(found, name).flatten(0, 1) for name in names}


def test_faster_rcnn() -> None:
    """The heads, the proposals with the paper's nine anchors, and what is said of them."""
    batch = images(SIZE, 2)
    height, width = SIZE
    ours = emitted("faster_rcnn_vgg16", height=height, width=width, per_map=200, keep=50)
    fill(ours, lambda model: None)
    ours.rpn.head.deltas.weight.data *= 0.02
    ours.rpn.head.objectness.weight.data *= 0.1
    theirs = Reference("faster_rcnn_vgg16", ours, "box.logits", "box.deltas").eval()
    head, state = RPNHead(512, 9).double(), ours.state_dict()
    names = {"conv.0.0": "conv.0.0", "cls_logits": "objectness", "bbox_pred": "deltas"}
    head.load_state_dict(
        {f"{t}.{p}": state[f"rpn.head.{o}.{p}"] for t, o in names.items() for p in PARTS}
    )
    theirs.added["head"] = head
    anchors = AnchorGenerator(((128, 256, 512),), ((0.5, 1.0, 2.0),))
    few = [{"training": count, "testing": count} for count in (200, 50)]
    rpn = RegionProposalNetwork(anchors, head, 0.7, 0.3, 256, 0.5, *few, 0.7).eval()
    rpn.min_size = 16
    with torch.no_grad():
        found = ours(batch)
        x = theirs.features(batch)
        expected, _ = rpn(ImageList(batch, [SIZE] * 2), {"0": x})
        said = fast_head(theirs, x, found.proposals)
    assert found.valid.sum(1).tolist() == [len(boxes) for boxes in expected]
    assert min(map(len, expected)) > 5
    for boxes, valid, value in zip(found.proposals, found.valid, expected, strict=True):
        torch.testing.assert_close(boxes[valid], value, rtol=0, atol=1e-8)
    for name, value in said.items():
        assert value.std() > 1e-2
        assert (getattr(found, name).flatten(0, 1) - value).abs().max() <= 1e-8 * value.std()
    pair = Pair(ours, theirs, staged, faster)
    agree(pair, batch)
    sized = specc.compile(SPECS / "faster_rcnn_vgg16.yaml", height=height, width=width, keep=6)
    assert sized.macs == counted(pair)
