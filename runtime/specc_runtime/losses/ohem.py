"""Online hard example mining."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from specc_runtime.boxes import Coder
from specc_runtime.losses.box import box_loss
from specc_runtime.losses.divisors import PerObject
from specc_runtime.losses.scores import Softmax
from specc_runtime.matching import NOTHING, UNDECIDED, Assigned
from specc_runtime.predictions import Predictions


@dataclass(frozen=True)
class OHEM(PerObject, Softmax):
    """Only the hardest examples count: Shrivastava et al., CVPR 2016, section 4.

    Of each picture the `examples` anchors with the largest loss are taken, with objects or without.
    The loss of an anchor is Fast R-CNN's: cross entropy on its class and, if it has an object,
    smooth L1 on its offsets. Both are averaged over the anchors taken. Undecided anchors are never
    taken. The paper first removes overlapping regions by NMS; anchors, which form a grid, are used as they
    are.
    """

    examples: int = 128

    def __call__(
        self, predictions: Predictions, assigned: Assigned, coder: Coder, anchors: Tensor
    ) -> dict[str, Tensor]:
        """Two scalars: `bbox_regression`, `classification`."""
        labels = assigned.labels
        of_boxes = box_loss("smooth_l1", predictions.offsets, assigned.boxes, coder, anchors)
        of_boxes = torch.where(labels >= 0, of_boxes, 0.0)
        target = labels.clamp(min=NOTHING) + 1
        of_classes = F.cross_entropy(predictions.logits.mT, target, reduction="none")
        total = torch.where(labels == UNDECIDED, -1.0, of_boxes + of_classes).detach()
        hardest, index = total.topk(min(self.examples, total.shape[1]))
        taken = hardest >= 0
        count = self.divisor(taken.sum())
        return {
            "bbox_regression": torch.where(taken, of_boxes.gather(1, index), 0.0).sum() / count,
            "classification": torch.where(taken, of_classes.gather(1, index), 0.0).sum() / count,
        }

    def counted(self, labels: Tensor) -> Tensor:
        """The number of anchors taken, given the labels (B, A) of all: a scalar."""
        return (labels != UNDECIDED).sum(dim=1).clamp(max=self.examples).sum()
