"""Faster R-CNN beside torchvision's: figures, weights, heads, proposals and what is said of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from parity import SPECS, Outputs, Pair, agree, carry, emitted, fill, frozen, images
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import detection
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import concat_box_prediction_layers

import specc

torch.set_num_threads(1)

CLASSES = 7
PER_MAP, KEEP = 60, 100
FEW = {f"rpn_pre_nms_top_n_{mode}": PER_MAP for mode in ("train", "test")}
FEW |= {f"rpn_post_nms_top_n_{mode}": KEEP for mode in ("train", "test")}

REFERENCES = {
    "faster_rcnn_resnet50_fpn": detection.fasterrcnn_resnet50_fpn,
    "faster_rcnn_resnet50_fpn_v2": detection.fasterrcnn_resnet50_fpn_v2,
    "faster_rcnn_mobilenet_v3_large_fpn": detection.fasterrcnn_mobilenet_v3_large_fpn,
}


class Both(NamedTuple):
    """The name of a spec, its network and torchvision's with the same weights."""

    name: str
    pair: Pair

    @property
    def ours(self) -> nn.Module:
        return self.pair.ours

    @property
    def theirs(self) -> nn.Module:
        return self.pair.theirs


def given(batch: Tensor) -> Tensor:
    """Draw regions (N, 12, 4), some beyond the image, for each map of the pyramid."""
    generator = torch.Generator().manual_seed(2)
    drawn = torch.rand(len(batch), 12, 4, dtype=torch.float64, generator=generator)
    corner, side = 40 * drawn[..., :2], 2 ** (3 + 7 * drawn[..., 2:])
    return torch.cat([corner, corner + side], dim=-1).to(batch)


def staged(model: nn.Module, batch: Tensor, **changed: Tensor) -> NamedTuple:
    """Run stage by stage, and give the second stage these values in place of the first one's."""
    *maps, pyramid = model.features(batch)
    names = "objectness", "rpn_deltas", "proposals"
    proposed = dict(zip(names, model.propose(batch, pyramid), strict=True))
    return model.roi(*maps, **{**proposed, **changed})


def run_ours(model: nn.Module, batch: Tensor) -> Outputs:
    found = staged(model, batch, proposals=given(batch))
    names = "objectness", "rpn_deltas", "logits", "deltas"
    return {name: getattr(found, name).flatten(0, 1) for name in names}


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


@pytest.fixture(scope="module", params=REFERENCES)
def both(request: pytest.FixtureRequest) -> Both:
    """Both with the same weights.

    Offsets are small, so that boxes differ as their anchors do, and so are scores: torchvision
    orders by their sigmoids, which would be 1 for several.
    """
    name = request.param
    theirs = REFERENCES[name](weights=None, weights_backbone=None, num_classes=CLASSES, **FEW)
    fill(theirs, lambda model: run_theirs(model, images(128, 4)))
    theirs.rpn.head.bbox_pred.weight.data *= 0.02
    with torch.no_grad():
        spread = run_theirs(theirs, images(128, 4))["objectness"].std()
    theirs.rpn.head.cls_logits.weight.data /= spread
    theirs.rpn.head.cls_logits.bias.data -= 3  # the small one leaves out scores below 0.05
    table = specc.compile(f"{SPECS / name}.yaml", num_classes=CLASSES).weights["torchvision"]
    ours = emitted(name, num_classes=CLASSES, per_map=PER_MAP, keep=KEEP)
    return Both(name, Pair(carry(theirs, ours, table), theirs, run_ours, run_theirs))


def test_heads_agree_with_torchvision(both: Both) -> None:
    """At 97 pixels maps are of 25, 13, 7, 4 and 2: no factor of 2 fits."""
    agree(both.pair, images((32, 64), batch=4))
    agree(both.pair, images(97))


@pytest.mark.parametrize("side", [(64, 96), (97, 97)])
def test_proposals_are_torchvisions(both: Both, side: tuple[int, int]) -> None:
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
    assert min(map(len, expected)) > 10
    for boxes, valid, theirs in zip(found.proposals, found.valid, expected, strict=True):
        torch.testing.assert_close(boxes[valid], theirs, rtol=0, atol=1e-8)
        assert not boxes[~valid].any()
    for ours, theirs in ((found.logits, logits), (found.deltas, deltas)):
        assert theirs.std() > 1e-2
        assert (ours[found.valid] - theirs).abs().max() <= 1e-8 * theirs.std()


@pytest.mark.parametrize("both", ["faster_rcnn_resnet50_fpn"], indirect=True)
def test_nothing_learns_through_the_boxes(both: Both) -> None:
    """As in torchvision, the second stage reaches the first one's maps, and not its heads."""
    both.ours.zero_grad()
    found = both.ours(images(64))
    (found.logits.sum() + found.deltas.sum()).backward()
    assert both.ours.rpn.head.conv[0][0].weight.grad is None
    assert both.ours.fpn.smooth[0].weight.grad.abs().sum() > 0
    both.ours.zero_grad()


@pytest.mark.parametrize("both", ["faster_rcnn_resnet50_fpn"], indirect=True)
def test_stages_behind_the_features_compile_as_one_graph(both: Both) -> None:
    """With as many regions kept as the numbers say, and no break for them."""
    batch = images(64, 2)
    torch.compiler.reset()
    with torch.no_grad():
        found = staged(both.ours, batch)
        compiled = SimpleNamespace(features=both.ours.features)
        for stage in ("propose", "roi"):
            method = getattr(both.ours, stage)
            setattr(compiled, stage, torch.compile(method, fullgraph=True, backend="aot_eager"))
        again = staged(compiled, batch)
    for mine, value in zip(again, found, strict=True):
        torch.testing.assert_close(mine, value, rtol=0, atol=1e-9)


def test_figures_are_torchvisions(both: Both) -> None:
    size = {"height": 64, "width": 64}
    model = specc.compile(f"{SPECS / both.name}.yaml", num_classes=CLASSES, keep=12, **size)
    assert not model.diagnostics
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        run_theirs(both.theirs, images(64))
    assert model.macs == flops.get_total_flops() // 2
    assert model.parameters == sum(p.numel() for p in both.theirs.parameters())


@pytest.mark.parametrize(
    ("spec", "weights"),
    [
        ("faster_rcnn_resnet50_fpn.yaml:coco", detection.FasterRCNN_ResNet50_FPN_Weights),
        ("faster_rcnn_resnet50_fpn_v2.yaml", detection.FasterRCNN_ResNet50_FPN_V2_Weights),
    ],
)
def test_figures_are_the_published_ones(spec: str, weights: Any) -> None:
    model = specc.compile(SPECS / spec)
    assert not model.diagnostics
    assert model.parameters == weights.COCO_V1.meta["num_params"]
    assert round(model.macs / 1e9, 3) == weights.COCO_V1.meta["_ops"]


@pytest.mark.parametrize("variant", ["", ":at_320"])
def test_parameters_of_the_small_one_are_the_published_ones(variant: str) -> None:
    """But for the norms, which torchvision froze: gain and shift of each channel."""
    model = specc.compile(f"{SPECS}/faster_rcnn_mobilenet_v3_large_fpn.yaml{variant}")
    assert not model.diagnostics
    published = detection.FasterRCNN_MobileNet_V3_Large_FPN_Weights.COCO_V1.meta
    state = model.facts.costs.state
    channels = sum(tensor.shape[0] for key, tensor in state.items() if key.endswith("running_mean"))
    assert model.parameters == published["num_params"] + 2 * channels


@pytest.mark.parametrize("name", REFERENCES)
def test_what_is_learned_from_is_torchvisions(name: str) -> None:
    """The numbers of matching, drawing and offsets, of both stages."""
    with torch.device("meta"):
        theirs = REFERENCES[name](weights=None, weights_backbone=None)
    detector = specc.compile(f"{SPECS / name}.yaml").facts.detector
    assert detector is not None
    first, second = detector, detector["regions"]
    for ours, stage, draws in (
        (first, theirs.rpn, first["loss"]),
        (second, theirs.roi_heads, second["sample"]),
    ):
        matcher, drawer = stage.proposal_matcher, stage.fg_bg_sampler
        assert ours["match"] == {
            "kind": "IoUMatch",
            "foreground": matcher.high_threshold,
            "background": matcher.low_threshold,
            "best_for_each_object": False,
            "allow_low_quality_matches": matcher.allow_low_quality_matches,
        }
        assert (draws["examples"], draws["positive"]) == (
            drawer.batch_size_per_image,
            drawer.positive_fraction,
        )
        assert tuple(ours["coder"]["weights"]) == stage.box_coder.weights
    assert second["coder"]["clamp"] == theirs.roi_heads.box_coder.bbox_xform_clip


def test_the_small_one_at_320_is_torchvisions() -> None:
    """What sets the two apart but for the size: 150 proposals, chosen from 150 of each map."""
    model = specc.compile(f"{SPECS}/faster_rcnn_mobilenet_v3_large_fpn.yaml:at_320")
    make = detection.fasterrcnn_mobilenet_v3_large_320_fpn
    with torch.device("meta"):
        rpn = make(weights=None, weights_backbone=None).eval().rpn
    settings = model.hierarchy["proposals"].op.settings()
    assert (settings["per_map"], settings["keep"]) == (rpn.pre_nms_top_n(), rpn.post_nms_top_n())
    assert (settings["score"], settings["iou"]) == (rpn.score_thresh, rpn.nms_thresh)
    assert settings["smallest"] == rpn.min_size


def test_agrees_as_torchvisions_trained_one() -> None:
    """COCO_V1 was trained with norms that add nothing to the variance, and is run with such."""
    name = "faster_rcnn_resnet50_fpn"
    theirs = REFERENCES[name](weights=None, weights_backbone=None, num_classes=CLASSES)
    theirs = frozen(fill(theirs, lambda model: run_theirs(model, images(64, 4))), 0.0)
    spec = specc.compile(f"{SPECS / name}.yaml:coco", num_classes=CLASSES)
    ours = emitted(f"{name}:coco", num_classes=CLASSES)
    carry(theirs, ours, spec.weights["torchvision"])
    agree(Pair(ours, theirs, run_ours, run_theirs), images((32, 64)))
