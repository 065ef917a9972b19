"""The losses of YOLO, versions 2 and 3."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from specc_runtime.boxes import Coder, area, cells_of, iou
from specc_runtime.losses.divisors import PerImage
from specc_runtime.losses.scores import Scored
from specc_runtime.matching import NOTHING, Assigned
from specc_runtime.predictions import Predictions


class _Objectness(PerImage, Scored):
    """Whether there is an object, apart from its class: output k is class k."""

    background: ClassVar[int] = 0
    reads: ClassVar[tuple[str, ...]] = ("boxes", "classes", "objectness")


@dataclass(frozen=True)
class YOLOLoss(_Objectness):
    """The loss of YOLOv3: Redmon and Farhadi, 2018, sections 2.1 and 2.2, as Darknet has it.

    Cross entropy on objectness and on each class; on an object's anchor, cross entropy on where in
    its cell the centre lies and half the squared error of the log sizes, both times 2 less the
    object's share of the picture. A box that overlaps any object by more than `ignore` is not told
    that it has none. Sums of a picture are averaged over the batch. Where a centre lies is no yes or
    no, so its cross entropy does not fall to 0: about 1 an object is left, before that factor.

    The gradient is, number by number, minus the `delta` of Darknet's `yolo_layer`, but where objects
    share an anchor: there Darknet wants the classes of all.
    """

    ignore: float = 0.5

    def __call__(
        self, predictions: Predictions, assigned: Assigned, coder: Coder, anchors: Tensor
    ) -> dict[str, Tensor]:
        """Three scalars: `bbox_regression`, `objectness`, `classification`."""
        logits, labels = predictions.logits, assigned.labels
        positive = labels >= 0
        of_boxes = offset_loss(predictions.offsets, assigned.boxes, coder, anchors)
        found = coder.decode(predictions.offsets.detach(), anchors)
        counts = positive | is_free(found, assigned, self.ignore)
        of_objects = binary_cross_entropy(predictions.confidences, positive)
        own = torch.arange(logits.shape[2], device=labels.device) == labels[..., None]
        of_classes = binary_cross_entropy(logits, own).sum(dim=2)
        return {
            "bbox_regression": total(of_boxes, positive),
            "objectness": total(of_objects, counts),
            "classification": total(of_classes, positive),
        }

    def scores(self, predictions: Predictions) -> Tensor:
        """Objectness times the class's sigmoid: (B, A, classes)."""
        return predictions.confidences.sigmoid()[..., None] * predictions.logits.sigmoid()


@dataclass(frozen=True)
class YOLOv2Loss(_Objectness):
    """The loss of YOLOv2: Redmon and Farhadi, YOLO9000, CVPR 2017, section 2, as Darknet has it.

    As `YOLOLoss`, but classes are a softmax, and an object's anchor is to say how much its box
    overlaps the object, which counts `objects` times as much as to say that there is none.

    The gradient is, number by number, minus the `delta` of Darknet's `region_layer` with `rescore`,
    after the first 12,800 images, which draw all boxes to their priors.
    """

    ignore: float = 0.6
    objects: float = 5.0

    def __call__(
        self, predictions: Predictions, assigned: Assigned, coder: Coder, anchors: Tensor
    ) -> dict[str, Tensor]:
        """Three scalars: `bbox_regression`, `objectness`, `classification`."""
        logits, labels = predictions.logits, assigned.labels
        positive = labels >= 0
        of_boxes = offset_loss(predictions.offsets, assigned.boxes, coder, anchors)
        found = coder.decode(predictions.offsets.detach(), anchors)
        overlap = iou(found[..., None, :], assigned.boxes[..., None, :]).flatten(1)
        of_objects = self.objects * binary_cross_entropy(predictions.confidences, overlap)
        of_nothing = binary_cross_entropy(predictions.confidences, positive)
        of_classes = F.cross_entropy(logits.mT, labels.clamp(min=0), reduction="none")
        return {
            "bbox_regression": total(of_boxes, positive),
            "objectness": total(of_objects, positive)
            + total(of_nothing, is_free(found, assigned, self.ignore)),
            "classification": total(of_classes, positive),
        }

    def scores(self, predictions: Predictions) -> Tensor:
        """Objectness times the class's share of the softmax: (B, A, classes)."""
        return predictions.confidences.sigmoid()[..., None] * predictions.logits.softmax(dim=-1)


def offset_loss(offsets: Tensor, boxes: Tensor, coder: Coder, anchors: Tensor) -> Tensor:
    """Loss (B, A) of offsets (B, A, 4), as `CellCoder` has them, that are to reach boxes (B, A, 4).

    A small object counts up to twice as much as one that fills the picture.
    """
    wanted = coder.encode(boxes, anchors)
    place = binary_cross_entropy(offsets[..., :2], wanted[..., :2].sigmoid())
    growth = F.mse_loss(offsets[..., 2:], wanted[..., 2:], reduction="none") / 2
    picture = cells_of(anchors)[:, 2:].amax(dim=0).prod()
    return (2 - area(boxes) / picture) * (place + growth).sum(dim=-1)


def is_free(found: Tensor, assigned: Assigned, ignore: float) -> Tensor:
    """Which anchors (B, A) without an object have found, in boxes (B, A, 4), nothing that is one."""
    overlap = iou(assigned.objects, found).amax(dim=1)
    return (assigned.labels == NOTHING) & (overlap <= ignore)


def binary_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Cross entropy of each logit with a target from 0 to 1."""
    return F.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="none")


def total(losses: Tensor, where: Tensor) -> Tensor:
    """Sum of losses (B, A) of a picture where they count, averaged over the batch."""
    return torch.where(where, losses, 0.0).sum(dim=1).mean()
