"""Matching: which object, if any, each anchor is to find.

All pictures of a batch are matched at once, on targets padded to the same number of objects, so
that shapes never depend on the data and the host never waits for the device.

Labels are classes counted from 0; `NOTHING` pads targets and marks the anchors that are to
say background, `UNDECIDED` marks anchors that count neither as an object nor as background.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from specc_runtime.boxes import iou

NOTHING = -1
UNDECIDED = -2


class Assigned(NamedTuple):
    """What each anchor is to find."""

    boxes: Tensor  # (B, A, 4), the anchor itself where there is no object
    labels: Tensor  # (B, A), class, NOTHING or UNDECIDED


@dataclass(frozen=True)
class IoUMatch:
    """Match by overlap: Liu et al., SSD, section 2.2, Matching strategy.

    An anchor takes the object that it overlaps most if their IoU is at least `foreground`; below
    `background` it is background. With `best_for_each_object` the anchor that overlaps an object
    most takes it however small the overlap; of objects that share that anchor the last wins.
    """

    foreground: float = 0.5
    background: float = 0.5
    best_for_each_object: bool = True

    def __call__(self, anchors: Tensor, boxes: Tensor, labels: Tensor) -> Assigned:
        """Match anchors (A, 4) with boxes (B, M, 4), labels (B, M), M >= 1."""
        found = self.indices(anchors, boxes, labels)
        matched = found >= 0
        index = found.clamp(min=0)
        of_object = boxes.gather(1, index[..., None].expand(-1, -1, 4))
        return Assigned(
            torch.where(matched[..., None], of_object, anchors),
            torch.where(matched, labels.gather(1, index), found),
        )

    def indices(self, anchors: Tensor, boxes: Tensor, labels: Tensor) -> Tensor:
        """Index (B, A) of each anchor's object, or NOTHING or UNDECIDED."""
        real = labels >= 0
        overlap = torch.where(real[..., None], iou(boxes, anchors), -1.0)  # (B, M, A)
        best, index = overlap.max(dim=1)
        index = torch.where(best < self.foreground, UNDECIDED, index)
        index = torch.where(best < self.background, NOTHING, index)
        return self._force(index, overlap, real) if self.best_for_each_object else index

    @staticmethod
    def _force(index: Tensor, overlap: Tensor, real: Tensor) -> Tensor:
        objects = torch.arange(real.shape[1], device=real.device)
        winner = torch.full_like(index, NOTHING).scatter_reduce(
            1, overlap.argmax(dim=2), torch.where(real, objects, NOTHING), "amax"
        )
        return torch.where(winner >= 0, winner, index)


KINDS = {"IoUMatch": IoUMatch}
