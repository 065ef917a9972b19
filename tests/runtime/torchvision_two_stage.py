"""torchvision's Faster R-CNN as an oracle of both stages: its own parts around our features."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FasterRCNN, FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.ops import MultiScaleRoIAlign

from specc_runtime.detector import Detector
from specc_runtime.matching import UNDECIDED
from specc_runtime.sampling import Drawn

LIGHT = Path(__file__).parents[2] / "generated" / "faster_rcnn_light.py"

PARTS = {
    "rpn.head.conv.0.0": "rpn.head.conv.0.0",
    "rpn.head.cls_logits": "rpn.head.objectness",
    "rpn.head.bbox_pred": "rpn.head.deltas",
    "roi_heads.box_head.fc6": "box.fc6",
    "roi_heads.box_head.fc7": "box.fc7",
    "roi_heads.box_predictor.cls_score": "box.logits",
    "roi_heads.box_predictor.bbox_pred": "box.deltas",
}
"""Our layers behind the features, by torchvision's names."""


def masks(drawn: Drawn, anchors: int) -> list[Tensor]:
    """What was drawn of each picture, as masks of its anchors."""
    found = torch.zeros(len(drawn.places), anchors, dtype=torch.bool)
    return list(found.scatter(1, drawn.places, drawn.counts))


def of_real(labels: Tensor, drawn: Drawn) -> list[Tensor]:
    """What was drawn, as masks of the regions that torchvision has: those with an area."""
    found = zip(masks(drawn, labels.shape[1]), labels, strict=True)
    return [mask[of != UNDECIDED] for mask, of in found]


class Replay:
    """In the place of torchvision's sampler: what is to be drawn of each image, as masks."""

    def __init__(self, chosen: list[Tensor]) -> None:
        self.chosen = chosen

    def __call__(self, labels: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        pairs = list(zip(labels, self.chosen, strict=True))
        return [(of > 0) & mask for of, mask in pairs], [(of == 0) & mask for of, mask in pairs]


class Features(nn.Module):
    """Our features as torchvision's backbone."""

    out_channels = 64

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.of = [network]  # a list, so that the weights stay ours

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        return OrderedDict((str(i), made) for i, made in enumerate(self.of[0].features(x)))


def light(detector: Detector) -> FasterRCNN:
    """Make torchvision's of `faster_rcnn_light` with the detector's weights, in float64."""
    sizes = ((16, 24), (36, 56), (80, 120))
    counts = {"rpn_pre_nms_top_n": 300, "rpn_post_nms_top_n": 100}
    made = FasterRCNN(
        Features(detector.network),
        rpn_anchor_generator=AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * 3),
        rpn_head=RPNHead(64, 6),
        box_roi_pool=MultiScaleRoIAlign(["0", "1", "2"], 5, 2, canonical_scale=56),
        box_head=TwoMLPHead(64 * 5 * 5, 256),
        box_predictor=FastRCNNPredictor(256, detector.num_classes),
        **{f"{name}_{mode}": n for name, n in counts.items() for mode in ("train", "test")},
    ).double()
    ours = detector.network.state_dict()
    weights = {f"{t}.{p}": ours[f"{o}.{p}"] for t, o in PARTS.items() for p in ("weight", "bias")}
    made.load_state_dict(weights)
    _in_double(made.rpn)
    return made.train(detector.training)


def _in_double(network: RegionProposalNetwork) -> None:
    """Have labels in float64: with torchvision's, in float32, the objectness costs float32."""
    assign = network.assign_targets_to_anchors

    def assigned(*arguments):
        labels, boxes = assign(*arguments)
        return [of.double() for of in labels], boxes

    network.assign_targets_to_anchors = assigned


def objects(boxes: Tensor, labels: Tensor) -> list[dict[str, Tensor]]:
    """Targets as torchvision takes them, of boxes (B, M, 4) and labels (B, M), -1 for padding."""
    pairs = zip(boxes, labels, strict=True)
    return [{"boxes": of[by >= 0], "labels": by[by >= 0] + 1} for of, by in pairs]


def run(model: FasterRCNN, images: Tensor, targets: list[dict[str, Tensor]] | None):
    """Detections and losses of images that are the network's input already."""
    pictures = ImageList(images, [tuple(images.shape[-2:])] * len(images))
    maps = model.backbone(images)
    proposals, of_anchors = model.rpn(pictures, maps, targets)
    found, of_regions = model.roi_heads(maps, proposals, pictures.image_sizes, targets)
    return found, of_anchors | of_regions


def rpn(examples: int, positive: float) -> RegionProposalNetwork:
    """A network that only matches, draws and computes losses."""
    few = {"training": 1, "testing": 1}
    made = RegionProposalNetwork(
        AnchorGenerator(), RPNHead(4, 1), 0.7, 0.3, examples, positive, few, few, 0.7
    )
    _in_double(made)
    return made


def rpn_loss(
    network: RegionProposalNetwork, said: tuple[Tensor, Tensor], anchors: Tensor, targets
) -> dict[str, Tensor]:
    """`compute_loss` of offsets (B, A, 4) and objectness (B, A, 1)."""
    offsets, logits = said
    grids = [anchors] * len(offsets)
    labels, matched = network.assign_targets_to_anchors(grids, targets)
    wanted = network.box_coder.encode(matched, grids)
    objectness, boxes = network.compute_loss(
        logits.flatten(0, 1), offsets.flatten(0, 1), labels, wanted
    )
    return {"rpn_bbox_regression": boxes, "objectness": objectness}
