"""From scores and boxes to detections, all pictures of a batch and all classes at once."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from specc_runtime.boxes import iou
from specc_runtime.matching import NOTHING

PAIRS = 2**23
"""How many pairs of boxes are compared at once: bounds the memory, about 250 MB."""


class Detections(NamedTuple):
    """The boxes found in each picture, best first, padded to the same number."""

    boxes: Tensor  # (B, K, 4)
    scores: Tensor  # (B, K), 0 where padded
    labels: Tensor  # (B, K), classes from 0, -1 where padded
    counts: Tensor  # (B,), how many are real

    def of(self, i: int) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes (n, 4), scores (n,) and labels (n,) of picture `i`, without padding."""
        n = int(self.counts[i])
        return self.boxes[i, :n], self.scores[i, :n], self.labels[i, :n]


@dataclass(frozen=True)
class NMS:
    """Greedy non-maximum suppression within each class: Liu et al., SSD, section 2.2, Inference.

    Of each class the `per_class` boxes with the best scores above `score` compete: a box goes if a
    better one that stays overlaps it by more than `iou`. The best `keep` of a picture are returned.
    """

    score: float = 0.01
    per_class: int = 400
    iou: float = 0.45
    keep: int = 200

    def __call__(self, boxes: Tensor, scores: Tensor) -> Detections:
        """Choose among boxes (B, A, 4) by scores (B, A, C) of the classes but background."""
        _, anchors, classes = scores.shape
        best, index = scores.transpose(1, 2).topk(min(self.per_class, anchors))  # (B, C, k)
        best = torch.where(best > self.score, best, 0.0)
        busiest = max(1, int((best > 0).sum(dim=2).max()))
        best, index = best[..., :busiest], index[..., :busiest]
        candidates = boxes[:, None].expand(-1, classes, -1, -1)
        candidates = candidates.gather(2, index[..., None].expand(-1, -1, -1, 4))
        kept = survivors(candidates.flatten(0, 1), best.flatten(0, 1) > 0, self.iou)
        best = torch.where(kept.view_as(best), best, 0.0).flatten(1)
        return self._best(candidates.flatten(1, 2), best, busiest)

    def _best(self, boxes: Tensor, scores: Tensor, boxes_a_class: int) -> Detections:
        """The best of boxes (B, C * k, 4) whose score (B, C * k) is not 0, padded to `keep`."""
        top, index = scores.topk(min(self.keep, scores.shape[1]))
        real = top > 0
        labels = torch.where(real, index // boxes_a_class, NOTHING)
        chosen = boxes.gather(1, index[..., None].expand(-1, -1, 4)) * real[..., None]
        short = self.keep - top.shape[1]
        return Detections(
            torch.nn.functional.pad(chosen, (0, 0, 0, short)),
            torch.nn.functional.pad(top, (0, short)),
            torch.nn.functional.pad(labels, (0, short), value=NOTHING),
            real.sum(dim=1),
        )


def survivors(boxes: Tensor, valid: Tensor, threshold: float) -> Tensor:
    """Which of the boxes (R, k, 4), each row sorted best first, greedy suppression keeps: (R, k)."""
    rows = max(1, PAIRS // boxes.shape[1] ** 2)
    parts = zip(torch.split(boxes, rows), torch.split(valid, rows), strict=True)
    return torch.cat([_suppress(part, real, threshold) for part, real in parts])


def _suppress(boxes: Tensor, valid: Tensor, threshold: float) -> Tensor:
    """Greedy suppression as a fixed point: Zheng et al., Cluster-NMS, 2020, section 3.3.

    A box stays unless a better box that stays overlaps it. Starting from all, each round settles
    at least one more link of every chain of overlaps, so k rounds always suffice; few are needed.
    """
    overlaps = (iou(boxes, boxes) > threshold).triu(diagonal=1)
    keep = valid
    for _ in range(boxes.shape[1]):
        settled = valid & ~(overlaps & keep[..., None]).any(dim=1)
        if torch.equal(settled, keep):
            break
        keep = settled
    return keep


KINDS = {"NMS": NMS}
