"""The loss of EfficientDet."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from specc_runtime.boxes import Coder
from specc_runtime.losses.divisors import PerObject
from specc_runtime.losses.focal import focal_loss
from specc_runtime.losses.scores import Sigmoid
from specc_runtime.matching import Assigned
from specc_runtime.predictions import Predictions


@dataclass(frozen=True)
class EfficientDetLoss(PerObject, Sigmoid):
    """Focal loss on classes, Huber loss on offsets: Tan et al., EfficientDet, CVPR 2020, section 5.1.

    Both are summed over the batch and divided by one more than its number of anchors with an object.
    The Huber loss, quadratic up to `delta`, is the mean over an anchor's four offsets, times
    `box_weight`. This is the loss of automl/efficientdet.
    """

    alpha: float = 0.25
    gamma: float = 1.5
    delta: float = 0.1
    box_weight: float = 50.0

    def __call__(
        self, predictions: Predictions, assigned: Assigned, coder: Coder, anchors: Tensor
    ) -> dict[str, Tensor]:
        """Two scalars: `bbox_regression`, `classification`."""
        positive = assigned.labels >= 0
        count = self.divisor(self.counted(assigned.labels))
        wanted = coder.encode(assigned.boxes, anchors)
        of_boxes = F.huber_loss(predictions.offsets, wanted, reduction="none", delta=self.delta)
        of_boxes = torch.where(positive, of_boxes.mean(dim=-1), 0.0)
        of_classes = focal_loss(predictions.logits, assigned.labels, self.alpha, self.gamma)
        return {
            "bbox_regression": self.box_weight * of_boxes.sum() / count,
            "classification": of_classes.sum() / count,
        }

    def divisor(self, counted: Tensor) -> Tensor:
        """One more than the number of anchors with an object in the whole batch."""
        return counted + 1
