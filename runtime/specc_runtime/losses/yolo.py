"""The losses of YOLO."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from specc_runtime.boxes import Coder, area, cells_of, iou
from specc_runtime.losses.scores import Sigmoid
from specc_runtime.matching import NOTHING, Assigned
from specc_runtime.predictions import Predictions


@dataclass(frozen=True)
class YOLOLoss(Sigmoid):
    """The loss of YOLOv3: Redmon and Farhadi, 2018, section 2.1 and 2.2, as Darknet has it.

    Cross entropy on objectness and on each class; on an object's anchor, cross entropy on where in
    its cell the centre lies and half the squared error of the log sizes, both times 2 less the
    object's share of the picture. A box that overlaps any object by more than `ignore` is not told
    that it has none. Sums of a picture are averaged over the batch. The gradient is, number by
    number, minus the `delta` of Darknet's `yolo_layer`, but where two objects share an anchor: there
    Darknet wants the classes of both.
    """

    reads: ClassVar[tuple[str, ...]] = ("boxes", "classes", "objectness")

    ignore: float = 0.5

    def __call__(
        self, predictions: Predictions, assigned: Assigned, coder: Coder, anchors: Tensor
    ) -> dict[str, Tensor]:
        """Three scalars: `bbox_regression`, `objectness`, `classification`."""
        offsets, labels = predictions.offsets, assigned.labels
        positive = labels >= 0
        of_boxes = offset_loss(offsets, assigned.boxes, coder, anchors)
        free = labels == NOTHING
        free &= best_overlap(offsets, assigned.objects, coder, anchors) <= self.ignore
        of_objects = binary_cross_entropy(predictions.confidences, positive)
        own = torch.arange(predictions.logits.shape[2], device=labels.device) == labels[..., None]
        of_classes = binary_cross_entropy(predictions.logits, own).sum(dim=2)
        return {
            "bbox_regression": _mean(torch.where(positive, of_boxes, 0.0)),
            "objectness": _mean(torch.where(positive | free, of_objects, 0.0)),
            "classification": _mean(torch.where(positive, of_classes, 0.0)),
        }

    def scores(self, predictions: Predictions) -> Tensor:
        """Objectness times the class's score: (B, A, classes)."""
        return predictions.confidences.sigmoid()[..., None] * predictions.logits.sigmoid()


def offset_loss(offsets: Tensor, boxes: Tensor, coder: Coder, anchors: Tensor) -> Tensor:
    """Loss (B, A) of offsets (B, A, 4), as `CellCoder` has them, that are to reach boxes (B, A, 4).

    Small objects count up to twice as much as one that fills the picture.
    """
    wanted = coder.encode(boxes, anchors)
    place = F.binary_cross_entropy_with_logits(
        offsets[..., :2], wanted[..., :2].sigmoid(), reduction="none"
    )
    growth = F.mse_loss(offsets[..., 2:], wanted[..., 2:], reduction="none") / 2
    picture = cells_of(anchors)[:, 2:].amax(dim=0).prod()
    return (2 - area(boxes) / picture) * (place + growth).sum(dim=-1)


def best_overlap(offsets: Tensor, objects: Tensor, coder: Coder, anchors: Tensor) -> Tensor:
    """Largest IoU (B, A) of each predicted box with any of the objects (B, M, 4); no gradient."""
    return iou(objects, coder.decode(offsets.detach(), anchors)).amax(dim=1)


def binary_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Cross entropy of each logit, given which are to be true."""
    return F.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="none")


def _mean(losses: Tensor) -> Tensor:
    """Sum of losses (B, A) of a picture, averaged over the batch."""
    return losses.sum(dim=1).mean()
