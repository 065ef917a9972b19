"""The loss of a second stage."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from specc_runtime.boxes import Coder
from specc_runtime.losses.divisors import PerImage
from specc_runtime.losses.scores import Softmax
from specc_runtime.matching import UNDECIDED, Assigned
from specc_runtime.predictions import Predictions


@dataclass(frozen=True)
class FastRCNNLoss(PerImage, Softmax):
    """Cross entropy, and smooth L1 on the offsets of the true class: Girshick, Fast R-CNN, equations 1 to 3.

    Smooth L1 is quadratic up to `beta`, 1 in the paper. Both sums of a picture are divided by the
    number of its regions that are not undecided, and averaged over the batch. This equals
    torchvision's `fastrcnn_loss` if every picture has the same number.
    """

    beta: float = 1 / 9

    def __call__(
        self, predictions: Predictions, assigned: Assigned, coder: Coder, regions: Tensor
    ) -> dict[str, Tensor]:
        """Two scalars: `bbox_regression`, `classification`.

        Offsets are (B, S, 4 * C), four for each class, and regions (B, S, 4).
        """
        labels = assigned.labels
        positive, decided = labels >= 0, labels != UNDECIDED
        target = (labels + 1).clamp(min=0)
        of_classes = F.cross_entropy(predictions.logits.mT, target, reduction="none")
        own = of_class(predictions.offsets, target)
        wanted = coder.encode(assigned.boxes, regions).where(positive[..., None], 0.0)
        of_boxes = F.smooth_l1_loss(own, wanted, reduction="none", beta=self.beta).sum(dim=-1)
        count = decided.sum(dim=1).clamp(min=1)
        return {
            "bbox_regression": (torch.where(positive, of_boxes, 0.0).sum(dim=1) / count).mean(),
            "classification": (torch.where(decided, of_classes, 0.0).sum(dim=1) / count).mean(),
        }


def of_class(offsets: Tensor, classes: Tensor) -> Tensor:
    """The offsets (B, S, 4) for classes (B, S), out of offsets (B, S, 4 * C) for all classes."""
    of_classes = offsets.reshape(*classes.shape, -1, 4)
    return of_classes.gather(2, classes[..., None, None].expand(-1, -1, 1, 4)).squeeze(2)
