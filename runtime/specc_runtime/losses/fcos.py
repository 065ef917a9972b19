"""The loss of FCOS."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from specc_runtime.boxes import Coder, centres_and_sizes
from specc_runtime.losses.box import box_loss
from specc_runtime.losses.divisors import PerObject
from specc_runtime.losses.focal import focal_loss
from specc_runtime.losses.scores import Sigmoid
from specc_runtime.matching import Assigned
from specc_runtime.predictions import Predictions


@dataclass(frozen=True)
class FCOSLoss(PerObject, Sigmoid):
    """Focal loss on classes, GIoU on boxes, cross entropy on center-ness: Tian et al., 2019, 2020.

    Each is a sum over the batch, divided by the number of its anchors with an object, at least 1,
    as in torchvision's `FCOSHead.compute_loss`.
    """

    reads: ClassVar[tuple[str, ...]] = ("boxes", "classes", "centerness")

    alpha: float = 0.25
    gamma: float = 2.0

    def __call__(
        self, predictions: Predictions, assigned: Assigned, coder: Coder, anchors: Tensor
    ) -> dict[str, Tensor]:
        """Three scalars: `bbox_regression`, `bbox_ctrness`, `classification`."""
        positive = assigned.labels >= 0
        of_boxes = box_loss("giou", predictions.offsets, assigned.boxes, coder, anchors)
        of_centre = F.binary_cross_entropy_with_logits(
            predictions.confidences, centerness(assigned.boxes, anchors), reduction="none"
        )
        of_classes = focal_loss(predictions.logits, assigned.labels, self.alpha, self.gamma)
        count = self.divisor(self.counted(assigned.labels))
        return {
            "bbox_regression": torch.where(positive, of_boxes, 0.0).sum() / count,
            "bbox_ctrness": torch.where(positive, of_centre, 0.0).sum() / count,
            "classification": of_classes.sum() / count,
        }

    def scores(self, predictions: Predictions) -> Tensor:
        """Square root of class score times center-ness: (B, A, classes)."""
        centre = predictions.confidences.sigmoid()
        return (predictions.logits.sigmoid() * centre[..., None]).sqrt()

    def alone(self, score: float) -> float:
        """What the sigmoid of a class is at least, where its score is `score`."""
        return score**2


def centerness(boxes: Tensor, anchors: Tensor) -> Tensor:
    """How central anchors (A, 4) are in boxes (..., A, 4), from 0 at an edge to 1: FCOS, equation 3.

    An anchor's centre must be inside its box.
    """
    centres, _ = centres_and_sizes(anchors)
    before, behind = centres - boxes[..., :2], boxes[..., 2:] - centres
    ratio = torch.minimum(before, behind) / torch.maximum(before, behind)
    return ratio.prod(dim=-1).sqrt()
