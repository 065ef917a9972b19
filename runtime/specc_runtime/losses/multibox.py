"""The MultiBox loss of SSD."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from specc_runtime.boxes import Coder
from specc_runtime.losses.divisors import PerObject
from specc_runtime.losses.mining import hardest
from specc_runtime.losses.scores import Softmax
from specc_runtime.matching import NOTHING, Assigned
from specc_runtime.predictions import Predictions


@dataclass(frozen=True)
class MultiBoxLoss(PerObject, Softmax):
    """Smooth L1 on offsets, cross entropy on classes: Liu et al., SSD, equations 1 to 3.

    Of each picture's background anchors only those with the greatest class loss count,
    `negatives_per_positive` for each anchor that has an object, or all if there are fewer. Both sums
    are divided by the number of anchors with an object in the whole batch, at least 1.

    The figures are those of torchvision's `SSD.compute_loss`, but where background runs short:
    there torchvision counts positives twice, and this, like the paper's own code, does not.
    """

    negatives_per_positive: float = 3.0

    def __call__(
        self, predictions: Predictions, assigned: Assigned, coder: Coder, anchors: Tensor
    ) -> dict[str, Tensor]:
        """Two scalars: `bbox_regression`, `classification`."""
        offsets, logits, labels = predictions.offsets, predictions.logits, assigned.labels
        positive = labels >= 0
        count = positive.sum(dim=1)  # (B,)
        wanted = coder.encode(assigned.boxes, anchors)
        offset_loss = F.smooth_l1_loss(offsets, wanted, reduction="none")
        target = labels.clamp(min=NOTHING) + 1
        class_loss = F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none")
        class_loss = class_loss.view_as(labels)
        negative_loss = torch.where(labels == NOTHING, class_loss, 0.0)
        mined = hardest(negative_loss, (self.negatives_per_positive * count).ceil())
        total = self.divisor(self.counted(labels))
        return {
            "bbox_regression": torch.where(positive[..., None], offset_loss, 0.0).sum() / total,
            "classification": (
                torch.where(positive, class_loss, 0.0).sum() + (mined * negative_loss).sum()
            )
            / total,
        }
