"""Faster R-CNN beside torchvision's: figures, weights, heads, proposals and what is said of them."""

from __future__ import annotations

import pytest
import torch
from parity import SPECS, Outputs, Pair, agree, carry, emitted, fill, images
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import detection
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import concat_box_prediction_layers

import specc

torch.set_num_threads(1)

NAME = "faster_rcnn_resnet50_fpn"
CLASSES = 7
PER_MAP, KEEP = 60, 100


def reference() -> nn.Module:
    """Make torchvision's, with few proposals and the same number of them in training."""
    few = {f"rpn_pre_nms_top_n_{mode}": PER_MAP for mode in ("train", "test")}
    few |= {f"rpn_post_nms_top_n_{mode}": KEEP for mode in ("train", "test")}
    make = detection.fasterrcnn_resnet50_fpn
    return make(weights=None, weights_backbone=None, num_classes=CLASSES, **few)


def given(batch: Tensor) -> Tensor:
    """Draw regions (N, 12, 4), some beyond the image, for each map of the pyramid."""
    generator = torch.Generator().manual_seed(2)
    drawn = torch.rand(len(batch), 12, 4, dtype=torch.float64, generator=generator)
    corner, side = 40 * drawn[..., :2], 2 ** (3 + 7 * drawn[..., 2:])
    return torch.cat([corner, corner + side], dim=-1).to(batch)


def run_ours(model: nn.Module, batch: Tensor) -> Outputs:
    fpn, pyramid = model.features(batch)
    objectness, rpn_deltas, *_ = model.propose(batch, pyramid)
    found = model.roi(fpn, objectness, rpn_deltas, given(batch), torch.ones(()))
    assert found.objectness is objectness
    return {
        "objectness": objectness.flatten(0, 1),
        "rpn_deltas": rpn_deltas.flatten(0, 1),
        "logits": found.logits.flatten(0, 1),
        "deltas": found.deltas.flatten(0, 1),
    }


def run_theirs(model: nn.Module, batch: Tensor) -> Outputs:
    maps = model.backbone(batch)
    objectness, rpn_deltas = concat_box_prediction_layers(*model.rpn.head(list(maps.values())))
    logits, deltas = of_regions(model, maps, batch, list(given(batch)))
    return {
        "objectness": objectness,
        "rpn_deltas": rpn_deltas,
        "logits": logits,
        "deltas": deltas,
    }


def of_regions(
    model: nn.Module, maps: dict[str, Tensor], batch: Tensor, boxes: list[Tensor]
) -> tuple[Tensor, Tensor]:
    """Return what torchvision's second stage says of regions of each image."""
    sizes = [tuple(batch.shape[-2:])] * len(batch)
    heads = model.roi_heads
    pooled = heads.box_roi_pool(maps, boxes, sizes)
    return heads.box_predictor(heads.box_head(pooled))


@pytest.fixture(scope="module")
def both() -> Pair:
    """Both with the same weights.

    Offsets are small, so that boxes differ as their anchors do, and so are scores: torchvision
    orders by their sigmoids, which would be 1 for several.
    """
    theirs = fill(reference(), lambda model: run_theirs(model, images(64, 4)))
    theirs.rpn.head.bbox_pred.weight.data *= 0.02
    theirs.rpn.head.cls_logits.weight.data *= 0.1
    table = specc.compile(f"{SPECS / NAME}.yaml", num_classes=CLASSES).weights["torchvision"]
    ours = emitted(NAME, num_classes=CLASSES, per_map=PER_MAP, keep=KEEP)
    return Pair(carry(theirs, ours, table), theirs, run_ours, run_theirs)


def test_heads_agree_with_torchvision(both: Pair) -> None:
    """At 97 pixels maps are of 25, 13, 7, 4 and 2: no factor of 2 fits."""
    agree(both, images((32, 64), batch=4))
    agree(both, images(97))


@pytest.mark.parametrize("side", [(64, 96), (97, 97)])
def test_proposals_are_torchvisions(both: Pair, side: tuple[int, int]) -> None:
    """The valid ones, in their order; at the smaller size there are fewer than places."""
    batch = images(side, 2)
    pictures = ImageList(batch, [side] * 2)
    with torch.no_grad():
        found = both.ours(batch)
        maps = both.theirs.backbone(batch)
        expected, _ = both.theirs.rpn(pictures, maps)
        logits, deltas = of_regions(both.theirs, maps, batch, expected)
    assert found.proposals.shape == (2, KEEP, 4)
    assert found.valid.sum(1).tolist() == [len(boxes) for boxes in expected]
    assert min(map(len, expected)) > 20
    for boxes, valid, theirs in zip(found.proposals, found.valid, expected, strict=True):
        torch.testing.assert_close(boxes[valid], theirs, rtol=0, atol=1e-8)
        assert not boxes[~valid].any()
    for ours, theirs in ((found.logits, logits), (found.deltas, deltas)):
        assert theirs.std() > 1e-2
        assert (ours[found.valid] - theirs).abs().max() <= 1e-8 * theirs.std()


def test_nothing_learns_through_the_boxes(both: Pair) -> None:
    """As in torchvision, the second stage reaches the first one's maps, and not its heads."""
    both.ours.zero_grad()
    found = both.ours(images(64))
    (found.logits.sum() + found.deltas.sum()).backward()
    assert both.ours.rpn.head.conv.weight.grad is None
    assert both.ours.fpn.smooth[0].weight.grad.abs().sum() > 0
    both.ours.zero_grad()


def test_stages_behind_the_features_compile_as_one_graph(both: Pair) -> None:
    """With as many regions kept as the numbers say, and no break for them."""
    batch = images(64, 2)
    torch.compiler.reset()
    with torch.no_grad():
        fpn, pyramid = both.ours.features(batch)
        proposed = both.ours.propose(batch, pyramid)
        found = both.ours.roi(fpn, *proposed)
        propose, roi = (
            torch.compile(stage, fullgraph=True, backend="aot_eager")
            for stage in (both.ours.propose, both.ours.roi)
        )
        compiled = roi(fpn, *propose(batch, pyramid))
    for mine, value in zip(compiled, found, strict=True):
        torch.testing.assert_close(mine, value, rtol=0, atol=1e-9)


def test_figures_are_torchvisions(both: Pair) -> None:
    size = {"height": 64, "width": 64}
    model = specc.compile(f"{SPECS / NAME}.yaml", num_classes=CLASSES, keep=12, **size)
    assert not model.diagnostics
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        run_theirs(both.theirs, images(64))
    assert model.macs == flops.get_total_flops() // 2
    assert model.parameters == sum(p.numel() for p in both.theirs.parameters())


def test_figures_are_the_published_ones() -> None:
    model = specc.compile(f"{SPECS / NAME}.yaml", Norm="FrozenBatchNorm2d")
    published = detection.FasterRCNN_ResNet50_FPN_Weights.COCO_V1.meta
    assert model.parameters == published["num_params"]
    assert round(model.macs / 1e9, 3) == published["_ops"]


def test_begins_as_torchvisions_does() -> None:
    """The spread of what is drawn; biases of the first stage are zero."""
    torch.manual_seed(0)
    ours, theirs = emitted(NAME, num_classes=CLASSES).state_dict(), reference().state_dict()
    table = specc.compile(f"{SPECS / NAME}.yaml", num_classes=CLASSES).weights["torchvision"]
    for key in (key for key in table if key.startswith(("rpn.", "roi_heads."))):
        mine, drawn = ours[table[key]], theirs[key]
        if key.endswith("weight"):
            assert mine.mean() == pytest.approx(drawn.mean().item(), abs=2e-3), key
            assert mine.std() == pytest.approx(drawn.std().item(), rel=0.1), key
        elif key.startswith("rpn."):
            assert torch.equal(mine, drawn), key
