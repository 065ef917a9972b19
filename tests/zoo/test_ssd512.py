"""SSD512 beside Caffe's figures and default boxes, and torchvision's layers with Caffe's strides."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import pytest
import torch
from detectors import first_loss, loaded
from parity import SPECS, Outputs, Pair, agree, carry, emitted, fill, images
from torch import Tensor, nn
from torchvision.models.detection.ssd import SSDFeatureExtractorVGG, SSDHead
from torchvision.models.vgg import cfgs, make_layers

import specc

torch.set_num_threads(1)

SIZE = 512
MAPS = [64, 32, 16, 8, 4, 2, 1]
STEPS = [8, 16, 32, 64, 128, 256, 512]
ASPECTS = [[2], [2, 3], [2, 3], [2, 3], [2, 3], [2], [2]]
SMALLEST = {"": (7, 15), ":coco": (4, 10)}
"""Of each data set, the percentages at which Caffe's script begins: its first map, the others."""


class TorchvisionLayers(nn.Module):
    """torchvision's SSD for high resolution, its last three maps with Caffe's strides and padding."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = SSDFeatureExtractorVGG(make_layers(cfgs["D"]), highres=True)
        for block, stride in ((3, 2), (4, 2), (5, 1)):
            conv = self.backbone.extra[block][2]
            conv.stride, conv.padding = (stride, stride), (1, 1)
        channels = [512, 1024, 512, 256, 256, 256, 256]
        self.head = SSDHead(channels, [4, 6, 6, 6, 6, 4, 4], num_classes=21)

    def forward(self, x: Tensor) -> Outputs:
        maps = list(self.backbone(x).values())
        head = self.head(maps)
        named = {f"map {place}": value for place, value in enumerate(maps)}
        return {**named, "loc": head["bbox_regression"], "conf": head["cls_logits"]}


def amdegroot(key: str) -> str:
    """Return what ssd.pytorch calls a tensor of torchvision's."""
    for pattern, theirs in (
        (r"backbone\.scale_weight", lambda m: "L2Norm.weight"),
        (r"backbone\.features\.(\d+)\.(.+)", lambda m: f"vgg.{m[1]}.{m[2]}"),
        (r"backbone\.extra\.0\.7\.(\d+)\.(.+)", lambda m: f"vgg.{int(m[1]) + 30}.{m[2]}"),
        (r"backbone\.extra\.0\.(\d+)\.(.+)", lambda m: f"vgg.{int(m[1]) + 23}.{m[2]}"),
        (
            r"backbone\.extra\.(\d+)\.(\d+)\.(.+)",
            lambda m: f"extras.{2 * int(m[1]) - 2 + int(m[2]) // 2}.{m[3]}",
        ),
        (r"head\.regression_head\.module_list\.(.+)", lambda m: f"loc.{m[1]}"),
        (r"head\.classification_head\.module_list\.(.+)", lambda m: f"conf.{m[1]}"),
    ):
        match = re.fullmatch(pattern, key)
        if match:
            return theirs(match)
    raise KeyError(key)


def run_ours(network: nn.Module, batch: Tensor) -> Outputs:
    maps = network.features(batch)
    loc, conf = network.heads(maps)
    return {**{f"map {place}": x for place, x in enumerate(maps)}, "loc": loc, "conf": conf}


@pytest.fixture(scope="module")
def pair() -> Pair:
    theirs = fill(TorchvisionLayers(), lambda network: network(images(268)))
    by_amdegroot = specc.compile(SPECS / "ssd512_vgg.yaml").weights["amdegroot"]
    table = {key: by_amdegroot[amdegroot(key)] for key in theirs.state_dict()}
    ours = carry(theirs, emitted("ssd512_vgg"), table)
    return Pair(ours, theirs, run_ours, lambda network, batch: network(batch))


@pytest.mark.parametrize("size", [268, (268, 300)])
def test_equal_to_torchvisions_layers(pair, size):
    agree(pair, images(size))


@pytest.mark.parametrize(
    ("variant", "classes", "params", "giga"),
    [("", 21, 27_188_676, 90.208), (":coco", 81, 36_038_196, 98.629)],
)
def test_published_figures(variant, classes, params, giga):
    found = specc.compile(f"{SPECS / 'ssd512_vgg.yaml'}{variant}", num_classes=classes)
    assert not found.diagnostics
    assert found.parameters == params
    assert len(found.weights["amdegroot"]) == 79
    assert round(found.macs / 1e9, 3) == giga
    assert found.boxes == 24_564


def caffe_sizes(first: int, smallest: int) -> tuple[list[float], list[float]]:
    """Return min_sizes and max_sizes as Caffe's script computes them from percentages."""
    min_ratio, max_ratio = smallest, 90
    step = math.floor((max_ratio - min_ratio) / (len(MAPS) - 2))
    min_sizes: list[float] = []
    max_sizes: list[float] = []
    for ratio in range(min_ratio, max_ratio + 1, step):
        min_sizes.append(SIZE * ratio / 100.0)
        max_sizes.append(SIZE * (ratio + step) / 100.0)
    return [SIZE * first / 100.0, *min_sizes], [SIZE * smallest / 100.0, *max_sizes]


def caffe_boxes(min_sizes: list[float], max_sizes: list[float]) -> Iterator[list[float]]:
    """Yield prior_box_layer's boxes, from corner to corner, in units of the picture, not clipped."""
    for k, cells in enumerate(MAPS):
        aspects = [ratio for aspect in ASPECTS[k] for ratio in (aspect, 1 / aspect)]
        for h in range(cells):
            for w in range(cells):
                x, y = (w + 0.5) * STEPS[k], (h + 0.5) * STEPS[k]
                shapes = [(min_sizes[k], min_sizes[k])]
                shapes += [(math.sqrt(min_sizes[k] * max_sizes[k]),) * 2]
                shapes += [
                    (min_sizes[k] * math.sqrt(a), min_sizes[k] / math.sqrt(a)) for a in aspects
                ]
                for width, height in shapes:
                    corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
                    yield [corner / SIZE for corner in corners]


@pytest.mark.parametrize("variant", SMALLEST)
def test_every_default_box_is_caffes(variant):
    expected = torch.tensor(
        list(caffe_boxes(*caffe_sizes(*SMALLEST[variant]))), dtype=torch.float64
    )
    anchors = loaded(f"ssd512_vgg{variant.replace(':', '_')}").anchors
    assert anchors.shape == (24_564, 4)
    assert (anchors.double() / SIZE - expected).abs().max() < 1e-6


def test_the_detector_has_a_loss():
    with torch.no_grad():
        loss = first_loss(loaded("ssd512_vgg", classes=3), batch=1)
    assert torch.isfinite(loss)
    assert loss > 0
