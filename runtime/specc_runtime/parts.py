"""A batch computed in parts, for want of memory, gives the loss of the whole batch.

A loss divides its sums by a number that follows from the whole batch. So the loss of a part counts
as much as what it was divided by is of what the whole is divided by.
"""

import torch
from torch import Tensor

from specc_runtime.losses import (
    OHEM,
    EfficientDetLoss,
    FCOSLoss,
    FocalLoss,
    Loss,
    MultiBoxLoss,
    YOLOLoss,
    YOLOv2Loss,
)
from specc_runtime.matching import UNDECIDED
from specc_runtime.model import Detector


@torch.no_grad()
def shares(detector: Detector, parts: list[tuple[Tensor, Tensor]]) -> list[Tensor]:
    """What the loss of each part counts, given the boxes (B, M, 4) and labels (B, M) of each."""
    found = [detector.match(detector.anchors, *part).labels for part in parts]
    whole = _divisor(detector.criterion, torch.cat(found))
    return [_divisor(detector.criterion, labels) / whole for labels in found]


def _divisor(loss: Loss, labels: Tensor) -> Tensor:
    """What a loss divides by for anchors with these labels (B, A)."""
    match loss:
        case MultiBoxLoss() | FCOSLoss():
            return (labels >= 0).sum().clamp(min=1)
        case EfficientDetLoss():
            return (labels >= 0).sum() + 1
        case FocalLoss() | YOLOLoss() | YOLOv2Loss():
            return torch.full((), len(labels), device=labels.device)
        case OHEM():
            decided = (labels != UNDECIDED).sum(dim=1)
            return decided.clamp(max=loss.examples).sum().clamp(min=1)
