"""The MultiBox loss of SSD."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from specc_runtime.boxes import Coder
from specc_runtime.fusion import stored
from specc_runtime.losses.divisors import PerObject
from specc_runtime.losses.mining import hardest
from specc_runtime.losses.scores import Softmax
from specc_runtime.matching import NOTHING, Assigned
from specc_runtime.predictions import Predictions


@dataclass(frozen=True)
class MultiBoxLoss(PerObject, Softmax):
    """Smooth L1 on offsets, cross entropy on classes: Liu et al., SSD, equations 1 to 3.

    Of each picture's background anchors only those with the largest class loss count,
    `negatives_per_positive` for each anchor that has an object, or all if there are fewer. Both sums
    are divided by the number of anchors with an object in the whole batch, at least 1.

    This equals torchvision's `SSD.compute_loss` unless there is too little background:
    then torchvision counts positives twice, and this, like the authors' code, does not.
    """

    negatives_per_positive: float = 3.0

    def __call__(
        self, predictions: Predictions, assigned: Assigned, coder: Coder, anchors: Tensor
    ) -> dict[str, Tensor]:
        """Two scalars: `bbox_regression`, `classification`."""
        offsets, logits, labels = predictions.offsets, predictions.logits, assigned.labels
        total = self.divisor(self.counted(labels))
        class_loss = cross_entropy(logits, labels.clamp(min=NOTHING) + 1)
        weights = self._weights(class_loss, labels)
        with torch.no_grad():
            # The target of an anchor without an object is its prediction: no loss, and no gradient.
            measures = assigned.each(coder.measures(assigned.objects))
            wanted = coder.offsets(measures, anchors)
            wanted = stored(torch.where((labels >= 0)[..., None], wanted, offsets))
        return {
            "bbox_regression": F.smooth_l1_loss(offsets, wanted, reduction="sum") / total,
            "classification": (class_loss * weights).sum() / total,
        }

    @torch.no_grad()
    def _weights(self, class_loss: Tensor, labels: Tensor) -> Tensor:
        """Weights (B, A) of the anchors' class losses: 1 with an object, 0 to 1 for background."""
        positive, background = labels >= 0, labels == NOTHING
        counts = (self.negatives_per_positive * positive.sum(dim=1)).ceil()
        mined = hardest(torch.where(background, class_loss, 0.0), counts)
        return stored(torch.where(background, mined, positive.to(mined.dtype)))


def cross_entropy(logits: Tensor, classes: Tensor) -> Tensor:
    """Cross entropy (...) of logits (..., C) with the target classes (...).

    When compiled it is written out, so that the target's logit is found in the same pass as the
    maximum, and the backward pass scatters nothing into a tensor of zeros.
    """
    if not torch.compiler.is_compiling():
        each = F.cross_entropy(logits.flatten(0, -2), classes.flatten(), reduction="none")
        return each.view_as(classes)
    every = torch.arange(logits.shape[-1], dtype=torch.int32, device=logits.device)
    right = torch.where(every == classes.int()[..., None], logits, 0.0).sum(dim=-1)
    return logits.logsumexp(dim=-1) - right
