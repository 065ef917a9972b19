"""The loss of a region proposal network."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from specc_runtime.boxes import Coder
from specc_runtime.losses.divisors import PerImage
from specc_runtime.losses.scores import Sigmoid
from specc_runtime.matching import Assigned
from specc_runtime.predictions import Predictions, take
from specc_runtime.sampling import draw


@dataclass(frozen=True)
class RPNLoss(PerImage, Sigmoid):
    """Cross entropy and smooth L1 over anchors drawn at random: Ren et al., Faster R-CNN, section 3.1.

    Of each picture `examples` anchors are drawn, at most a fraction `positive` of them with an object.
    Smooth L1 is quadratic up to `beta`. Both sums of a picture are divided by the number of its
    anchors drawn, and averaged over the batch. This equals torchvision's
    `RegionProposalNetwork.compute_loss` if the same number is drawn of every picture.
    """

    reads: ClassVar[tuple[str, ...]] = ("boxes", "objectness")

    examples: int = 256
    positive: float = 0.5
    beta: float = 1 / 9

    def __call__(
        self, predictions: Predictions, assigned: Assigned, coder: Coder, anchors: Tensor
    ) -> dict[str, Tensor]:
        """Two scalars: `rpn_bbox_regression`, `objectness`."""
        places, counts = draw(assigned.labels, self.examples, self.positive)
        positive = assigned.labels.gather(1, places) >= 0
        wanted = coder.encode(take(assigned.boxes, places), anchors[places])
        of_boxes = F.smooth_l1_loss(
            take(predictions.offsets, places), wanted, reduction="none", beta=self.beta
        )
        logits = take(predictions.logits, places)[..., 0]
        of_objects = F.binary_cross_entropy_with_logits(
            logits, positive.to(logits.dtype), reduction="none"
        )
        count = counts.sum(dim=1).clamp(min=1)
        of_boxes = torch.where(counts & positive, of_boxes.sum(dim=-1), 0.0).sum(dim=1)
        of_objects = torch.where(counts, of_objects, 0.0).sum(dim=1)
        return {
            "rpn_bbox_regression": (of_boxes / count).mean(),
            "objectness": (of_objects / count).mean(),
        }
