"""The focal loss of RetinaNet."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from specc_runtime.boxes import Coder
from specc_runtime.losses.box import BoxLoss, box_loss, require_box_loss
from specc_runtime.losses.divisors import PerImage
from specc_runtime.losses.scores import Sigmoid
from specc_runtime.matching import UNDECIDED, Assigned
from specc_runtime.predictions import Predictions


@dataclass(frozen=True)
class FocalLoss(PerImage, Sigmoid):
    """Focal loss on classes, a loss on boxes: Lin et al., Focal Loss, ICCV 2017, section 3 and 4.

    All anchors count except undecided ones. The sums of a picture are divided by the number
    of its anchors with an object, at least 1, and averaged over the batch, as in torchvision's
    `RetinaNetHead.compute_loss`.
    """

    alpha: float = 0.25
    gamma: float = 2.0
    boxes: BoxLoss = "smooth_l1"

    def __post_init__(self) -> None:
        require_box_loss("loss.boxes", self.boxes)

    def __call__(
        self, predictions: Predictions, assigned: Assigned, coder: Coder, anchors: Tensor
    ) -> dict[str, Tensor]:
        """Two scalars: `bbox_regression`, `classification`."""
        positive = assigned.labels >= 0
        count = positive.sum(dim=1).clamp(min=1)
        of_boxes = box_loss(self.boxes, predictions.offsets, assigned.boxes, coder, anchors)
        of_boxes = torch.where(positive, of_boxes, 0.0).sum(dim=1)
        of_classes = focal_loss(predictions.logits, assigned.labels, self.alpha, self.gamma)
        return {
            "bbox_regression": (of_boxes / count).mean(),
            "classification": (of_classes / count).mean(),
        }


def focal_loss(logits: Tensor, labels: Tensor, alpha: float, gamma: float) -> Tensor:
    """Sum (B,) of the focal loss of a picture's logits (B, A, C), a binary loss for each class.

    Labels (B, A) are classes from 0; anchors without an object are background for every class, and
    undecided ones do not count. No target of the logits' size is made: the sum takes all logits as
    background, and is then corrected for the class of each object.
    """
    background = _absent(logits, gamma).sum(dim=2)
    own = logits.gather(2, labels.clamp(min=0)[..., None]).squeeze(2)
    of_object = alpha * _absent(-own, gamma) - (1 - alpha) * _absent(own, gamma)
    total = (1 - alpha) * background + torch.where(labels >= 0, of_object, 0.0)
    return torch.where(labels == UNDECIDED, 0.0, total).sum(dim=1)


def _absent(logits: Tensor, gamma: float) -> Tensor:
    """The loss of an absent class: -p**gamma log(1 - p), p = sigmoid(logit); equation 4.

    The loss of a present class is the same function of minus its logit.
    """
    cost = F.softplus(logits, threshold=50.0)
    return torch.exp(gamma * (logits - cost)) * cost
