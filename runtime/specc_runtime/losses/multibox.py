"""The MultiBox loss of SSD."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from specc_runtime.matching import NOTHING


@dataclass(frozen=True)
class MultiBoxLoss:
    """Smooth L1 on offsets, cross entropy on classes: Liu et al., SSD, equations 1 to 3.

    Of each picture's background anchors only those with the greatest class loss count,
    `negatives_per_positive` for each anchor that has an object, or all if there are fewer. Both sums
    are divided by the number of anchors with an object in the whole batch, at least 1.

    The figures are those of torchvision's `SSD.compute_loss`, but where background runs short:
    there torchvision counts positives twice, and this, like the paper's own code, does not.
    """

    negatives_per_positive: float = 3.0

    def __call__(
        self, offsets: Tensor, logits: Tensor, target_offsets: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        """Loss of offsets (B, A, 4) and logits (B, A, C), class 0 background.

        `target_offsets` (B, A, 4) and `labels` (B, A), counted from 0 without background, are
        what the anchors were matched with. Two scalars: `bbox_regression`, `classification`.
        """
        positive = labels >= 0
        count = positive.sum(dim=1)  # (B,)
        offset_loss = F.smooth_l1_loss(offsets, target_offsets, reduction="none").sum(dim=2)
        target = labels.clamp(min=NOTHING) + 1
        class_loss = F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none")
        class_loss = class_loss.view_as(offset_loss)
        hardest = self._hardest_negatives(class_loss, labels == NOTHING, count)
        total = count.sum().clamp(min=1)
        return {
            "bbox_regression": torch.where(positive, offset_loss, 0.0).sum() / total,
            "classification": (torch.where(positive, class_loss, 0.0).sum() + hardest) / total,
        }

    def _hardest_negatives(self, loss: Tensor, negative: Tensor, positives: Tensor) -> Tensor:
        """Sum of the greatest losses of background anchors: one sort, no index."""
        ranked = torch.where(negative, loss, 0.0).sort(dim=1, descending=True).values
        rank = torch.arange(ranked.shape[1], device=ranked.device)
        taken = rank < self.negatives_per_positive * positives[:, None]
        return torch.where(taken, ranked, 0.0).sum()
