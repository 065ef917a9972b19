"""Losses of boxes, for each anchor."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from specc_runtime.boxes import Coder, area
from specc_runtime.contract import require

BoxLoss = Literal["l1", "smooth_l1", "giou"]


def require_box_loss(where: str, name: str) -> None:
    """Raise `ContractError` unless `name` is a box loss."""
    require(where, name, ("l1", "smooth_l1", "giou"))


def box_loss(
    name: BoxLoss, offsets: Tensor, boxes: Tensor, coder: Coder, anchors: Tensor
) -> Tensor:
    """Loss (B, A) of offsets (B, A, 4) from anchors (A, 4), given target boxes (B, A, 4).

    `l1` and `smooth_l1` (Girshick, Fast R-CNN, equation 3) compare offsets and sum over the four; `giou`
    compares boxes.
    """
    if name == "giou":
        return 1 - giou(coder.decode(offsets, anchors), boxes)
    compare = F.l1_loss if name == "l1" else F.smooth_l1_loss
    return compare(offsets, coder.encode(boxes, anchors), reduction="none").sum(dim=-1)


def giou(first: Tensor, second: Tensor, eps: float = 1e-7) -> Tensor:
    """Generalised IoU of boxes (..., 4), pair by pair, -1 to 1: Rezatofighi et al., CVPR 2019.

    `eps` avoids a division by zero for boxes without area, as in torchvision.
    """
    start = torch.maximum(first[..., :2], second[..., :2])
    end = torch.minimum(first[..., 2:], second[..., 2:])
    shared = (end - start).clamp(min=0).prod(dim=-1)
    union = area(first) + area(second) - shared
    start = torch.minimum(first[..., :2], second[..., :2])
    end = torch.maximum(first[..., 2:], second[..., 2:])
    hull = (end - start).prod(dim=-1)
    return shared / (union + eps) - (hull - union) / (hull + eps)
