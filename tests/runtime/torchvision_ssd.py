"""torchvision's SSD as an oracle: its own methods, called without its network or transforms."""

import math
from types import SimpleNamespace

import torch
from torch import Tensor
from torchvision.models.detection import _utils as detection
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD
from torchvision.ops import box_iou

CLAMP = math.log(1000 / 16)


def anchors(sizes, ratios, strides, maps, size, clip) -> Tensor:
    """Default boxes of a square picture, from sizes and strides in pixels."""
    generator = DefaultBoxGenerator(
        [list(r) for r in ratios],
        scales=[s / size for s in sizes],
        steps=list(strides),
        clip=clip,
    )
    pictures = SimpleNamespace(tensors=torch.empty(1, 3, size, size), image_sizes=[(size, size)])
    return generator(pictures, [torch.empty(1, 1, *cells) for cells in maps])[0]


def matches(anchors: Tensor, boxes: Tensor, labels: Tensor, threshold: float) -> list[Tensor]:
    """Index of the object of each anchor, -1 for none, picture by picture without padding."""
    match = detection.SSDMatcher(threshold)
    found = []
    for of_picture, classes in zip(boxes, labels, strict=True):
        real = of_picture[classes >= 0]
        none = torch.full((len(anchors),), -1, dtype=torch.int64)
        found.append(match(box_iou(real, anchors)) if len(real) else none)
    return found


def loss(offsets, logits, anchors, boxes, labels, ratio=3.0, threshold=0.5) -> dict[str, Tensor]:
    """`SSD.compute_loss` on targets padded with label -1, classes from 0."""
    ssd = SimpleNamespace(
        box_coder=detection.BoxCoder(weights=(10.0, 10.0, 5.0, 5.0)), neg_to_pos_ratio=ratio
    )
    targets = [
        {"boxes": of_picture[classes >= 0], "labels": classes[classes >= 0] + 1}
        for of_picture, classes in zip(boxes, labels, strict=True)
    ]
    outputs = {"bbox_regression": offsets, "cls_logits": logits}
    found = matches(anchors, boxes, labels, threshold)
    return SSD.compute_loss(ssd, targets, outputs, [anchors] * len(boxes), found)


def detections(offsets, logits, anchors, size, select) -> list[dict[str, Tensor]]:
    """`SSD.postprocess_detections`; labels count background as 0."""
    ssd = SimpleNamespace(
        box_coder=detection.BoxCoder(weights=(10.0, 10.0, 5.0, 5.0)),
        score_thresh=select.score,
        topk_candidates=select.per_class,
        nms_thresh=select.iou,
        detections_per_img=select.keep,
    )
    outputs = {"bbox_regression": offsets, "cls_logits": logits}
    pictures = len(offsets)
    return SSD.postprocess_detections(ssd, outputs, [anchors] * pictures, [size] * pictures)
