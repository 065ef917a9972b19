"""Two-stage detectors on VGG16 beside torchvision's parts, put together as the papers say."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from figures import on_meta
from parity import SPECS, emitted, fill, images
from torch import Tensor, nn
from torch.nn.functional import linear
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
State = Mapping[str, Tensor]


def regions() -> Tensor:
    """Draw boxes (2, 6, 4) inside the images."""
    drawn = torch.rand(2, 6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    corner = drawn[..., :2] * 50
    return torch.cat([corner, corner + 5 + drawn[..., 2:] * 40], dim=-1)


def vgg(name: str, state: State) -> nn.Module:
    """Make torchvision's VGG16 around the tensors of ours, through the spec's own map."""
    made = on_meta(models.vgg16)
    table = specc.compile(f"{SPECS / name}.yaml").weights["vgg16"]
    made.load_state_dict({t: state[o] for t, o in table.items()}, strict=False, assign=True)
    return made.eval()


def layer(state: State, path: str, x: Tensor) -> Tensor:
    return linear(x, state[f"{path}.weight"], state[f"{path}.bias"])


def fast_head(made: nn.Module, state: State, x: Tensor, boxes: Tensor) -> list[Tensor]:
    """Return logits and deltas (all regions, columns)."""
    x = made.classifier[:6](roi_pool(x, list(boxes), 7, 1 / 16).flatten(1))
    return [layer(state, f"box.{name}", x) for name in ("logits", "deltas")]


def spp_head(made: nn.Module, state: State, x: Tensor, boxes: Tensor) -> list[Tensor]:
    bins = [roi_pool(x, list(boxes), n, 1 / 16).flatten(1) for n in (6, 3, 2, 1)]
    spp = torch.cat(bins, dim=1)
    x = made.classifier[3:6](layer(state, "fc6", spp).relu())
    return [layer(state, "scores", x), layer(state, "deltas", spp)]


def warped_head(made: nn.Module, state: State, batch: Tensor, boxes: Tensor) -> list[Tensor]:
    """R-CNN's: each region has the network for itself."""
    pool5 = made.features(roi_align(batch, list(boxes), 224, 1, 1)).flatten(1)
    x = made.classifier[:6](pool5)
    return [layer(state, "svm", x), layer(state, "ridge", pool5)]


def same(found: Tensor, expected: Tensor) -> None:
    assert expected.std() > 1e-2
    assert (found.flatten(0, 1) - expected).abs().max() <= 1e-8 * expected.std()


@pytest.mark.parametrize(
    ("name", "head"), [("fast_rcnn_vgg16", fast_head), ("sppnet_vgg16", spp_head)]
)
def test_regions_from_elsewhere(name: str, head) -> None:
    batch, boxes = images(SIZE, 2), regions()
    ours = on_meta(lambda: emitted(name)).to_empty(device="cpu")
    fill(ours, lambda model: None)
    state = ours.state_dict()
    theirs = vgg(name, state)
    with torch.no_grad():
        found = ours(batch, boxes)
        expected = head(theirs, state, theirs.features[:-1](batch), boxes)
    for mine, value in zip(found, expected, strict=True):
        same(mine, value)


def test_rcnn() -> None:
    batch, boxes = images(SIZE, 2), regions()[:, :1]
    ours = on_meta(lambda: emitted("rcnn_vgg16")).to_empty(device="cpu")
    state = fill(ours, lambda model: None).state_dict()
    with torch.no_grad():
        found = ours(batch, boxes)
        expected = warped_head(vgg("rcnn_vgg16", state), state, batch, boxes)
    for mine, value in zip(found, expected, strict=True):
        same(mine, value)


def test_faster_rcnn() -> None:
    """The heads, the proposals with the paper's nine anchors, and what is said of them."""
    batch = images(SIZE, 2)
    height, width = SIZE
    ours = emitted("faster_rcnn_vgg16", height=height, width=width, per_map=200, keep=50)
    fill(ours, lambda model: None)
    ours.rpn.head.deltas.weight.data *= 0.02
    ours.rpn.head.objectness.weight.data *= 0.1
    state = ours.state_dict()
    theirs, head = vgg("faster_rcnn_vgg16", state), RPNHead(512, 9).double()
    names = {"conv.0.0": "conv.0.0", "cls_logits": "objectness", "bbox_pred": "deltas"}
    head.load_state_dict(
        {f"{t}.{p}": state[f"rpn.head.{o}.{p}"] for t, o in names.items() for p in PARTS}
    )
    anchors = AnchorGenerator(((128, 256, 512),), ((0.5, 1.0, 2.0),))
    few = [{"training": count, "testing": count} for count in (200, 50)]
    rpn = RegionProposalNetwork(anchors, head, 0.7, 0.3, 256, 0.5, *few, 0.7).eval()
    rpn.min_size = 16
    with torch.no_grad():
        x = theirs.features[:-1](batch)
        rows = concat_box_prediction_layers(*head([x]))
        expected, _ = rpn(ImageList(batch, [SIZE] * 2), {"0": x})
    with torch.no_grad():
        found = ours(batch)
        said = fast_head(theirs, state, x, found.proposals)
    for mine, value in zip((found.objectness, found.rpn_deltas), rows, strict=True):
        same(mine, value)
    assert found.valid.sum(1).tolist() == [len(boxes) for boxes in expected]
    assert min(map(len, expected)) > 5
    for boxes, valid, value in zip(found.proposals, found.valid, expected, strict=True):
        torch.testing.assert_close(boxes[valid], value, rtol=0, atol=1e-8)
    for mine, value in zip((found.logits, found.deltas), said, strict=True):
        same(mine, value)
