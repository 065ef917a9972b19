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

    Cross entropy on objectness and on each class; for an object's anchor, cross entropy on the centre's
    place in its cell and half the squared error of the log sizes, both times 2 minus the
    object's fraction of the picture. An anchor without an object whose box overlaps any object by more
    than `ignore` has no objectness loss. Sums of a picture are averaged over the batch. The centre's
    targets lie between 0 and 1, so their cross entropy does not fall to 0: about 1 per object remains,
    before that factor.

    The gradient equals, number by number, minus the `delta` of Darknet's `yolo_layer`, except where
    objects share an anchor: there Darknet targets the classes of all of them.
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

    As `YOLOLoss`, but classes are a softmax, and the objectness target of an object's anchor is the IoU
    of its box with the object, which counts `objects` times as much as that of empty anchors.

    The gradient equals, number by number, minus the `delta` of Darknet's `region_layer` with `rescore`,
    after the first 12,800 images, in which Darknet also pulls all boxes to their priors.
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
        """Objectness times the class's softmax: (B, A, classes)."""
        return predictions.confidences.sigmoid()[..., None] * predictions.logits.softmax(dim=-1)


def offset_loss(offsets: Tensor, boxes: Tensor, coder: Coder, anchors: Tensor) -> Tensor:
    """Loss (B, A) of `CellCoder`'s offsets (B, A, 4), given target boxes (B, A, 4).

    A small object counts up to twice as much as one that fills the picture.
    """
    wanted = coder.encode(boxes, anchors)
    place = binary_cross_entropy(offsets[..., :2], wanted[..., :2].sigmoid())
    growth = F.mse_loss(offsets[..., 2:], wanted[..., 2:], reduction="none") / 2
    picture = cells_of(anchors)[:, 2:].amax(dim=0).prod()
    return (2 - area(boxes) / picture) * (place + growth).sum(dim=-1)


def is_free(found: Tensor, assigned: Assigned, ignore: float) -> Tensor:
    """Anchors (B, A) without an object whose boxes (B, A, 4) overlap none by more than `ignore`."""
    overlap = iou(assigned.objects, found).amax(dim=1)
    return (assigned.labels == NOTHING) & (overlap <= ignore)


def binary_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Cross entropy of each logit with a target from 0 to 1."""
    return F.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="none")


def total(losses: Tensor, where: Tensor) -> Tensor:
    """Sum of a picture's losses (B, A) where `where` (B, A) is true, averaged over the batch."""
    return torch.where(where, losses, 0.0).sum(dim=1).mean()
