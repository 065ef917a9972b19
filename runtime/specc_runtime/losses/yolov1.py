"""The loss of YOLO, version 1."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from specc_runtime.boxes import Coder, cells_of, centres_and_sizes, iou
from specc_runtime.losses.divisors import PerImage
from specc_runtime.losses.scores import Scored
from specc_runtime.losses.yolo import total
from specc_runtime.matching import Assigned
from specc_runtime.predictions import Predictions


@dataclass(frozen=True)
class YOLOv1Loss(PerImage, Scored):
    """The loss of YOLO: Redmon et al., You Only Look Once, CVPR 2016, equation 3.

    Squared errors throughout, with objects assigned by `GridMatch` and offsets of `RootCoder`. One of a
    cell's anchors is responsible for the cell's object: the one whose box now overlaps it most or, if none
    does, is nearest to it, as in Darknet. Its offsets count `box_weight` times, the target of its
    confidence is the IoU, and its classes are those of the cell. The target confidence of all others is 0,
    which counts `empty_weight` times. Sums of a picture are averaged over the batch.
    """

    background: ClassVar[int] = 0
    reads: ClassVar[tuple[str, ...]] = ("boxes", "classes", "objectness")

    box_weight: float = 5.0
    empty_weight: float = 0.5

    def __call__(
        self, predictions: Predictions, assigned: Assigned, coder: Coder, anchors: Tensor
    ) -> dict[str, Tensor]:
        """Three scalars: `bbox_regression`, `objectness`, `classification`."""
        logits, labels = predictions.logits, assigned.labels
        found = coder.decode(predictions.offsets.detach(), anchors)
        overlap = iou(found[..., None, :], assigned.boxes[..., None, :]).flatten(1)
        likeness = torch.where(overlap > 0, overlap, -distance(found, assigned.boxes, anchors))
        responsible = (labels >= 0) & best_of_cell(likeness, anchors)
        wanted = coder.encode(assigned.boxes, anchors)
        of_boxes = (predictions.offsets - wanted).square().sum(dim=2)
        of_objects = (predictions.confidences - torch.where(responsible, overlap, 0.0)).square()
        own = torch.arange(logits.shape[2], device=labels.device) == labels[..., None]
        of_classes = (logits - own.to(logits.dtype)).square().sum(dim=2)
        return {
            "bbox_regression": self.box_weight * total(of_boxes, responsible),
            "objectness": total(of_objects, responsible)
            + self.empty_weight * total(of_objects, ~responsible),
            "classification": total(of_classes, responsible),
        }

    def scores(self, predictions: Predictions) -> Tensor:
        """Confidence times class score, both clamped to 0..1: (B, A, classes)."""
        confidence = predictions.confidences.clamp(0, 1)
        return confidence[..., None] * predictions.logits.clamp(0, 1)


def distance(found: Tensor, wanted: Tensor, anchors: Tensor) -> Tensor:
    """Distance (B, A) of boxes (B, A, 4): norm of the differences of centre and sides, in anchor sides."""
    _, sides = centres_and_sizes(anchors)
    one, other = (torch.stack(centres_and_sizes(boxes), dim=-1) for boxes in (found, wanted))
    return ((one - other) / sides[..., None]).square().sum(dim=(-2, -1)).sqrt()


def best_of_cell(likeness: Tensor, anchors: Tensor) -> Tensor:
    """Anchors (B, A) with the greatest likeness (B, A) in their cell, the first of equals."""
    cells = cells_of(anchors)
    together = (cells[:, None] == cells).all(dim=2)
    best = torch.where(together, likeness[:, None], -torch.inf).argmax(dim=2)
    return best == torch.arange(len(anchors), device=best.device)
