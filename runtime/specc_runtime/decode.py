"""From scores and boxes to detections, all pictures of a batch and all classes at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from specc_runtime.boxes import iou
from specc_runtime.matching import NOTHING

PAIRS = 2**23
"""How many pairs of boxes are compared at once: bounds the memory, about 250 MB."""

PART = 256
"""How many boxes of a picture are settled at once."""


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

    def __call__(self, boxes: Tensor, scores: Tensor, levels: Sequence[int] = ()) -> Detections:
        """Choose among boxes (B, A, 4) by scores (B, A, C) of the classes but background.

        `levels`, the anchors of each map, is not looked at: a class competes across maps.
        """
        del levels
        _, anchors, classes = scores.shape
        best, index = scores.transpose(1, 2).topk(min(self.per_class, anchors))  # (B, C, k)
        best = torch.where(best > self.score, best, 0.0)
        busiest = max(1, int((best > 0).sum(dim=2).max()))
        best, index = best[..., :busiest], index[..., :busiest]
        candidates = boxes[:, None].expand(-1, classes, -1, -1)
        candidates = candidates.gather(2, index[..., None].expand(-1, -1, -1, 4))
        kept = survivors(candidates.flatten(0, 1), best.flatten(0, 1) > 0, self.iou)
        best = torch.where(kept.view_as(best), best, 0.0).flatten(1)
        labels = torch.arange(classes, device=best.device).repeat_interleave(busiest)
        return _best(candidates.flatten(1, 2), best, labels.expand_as(best), self.keep)


@dataclass(frozen=True)
class LevelNMS:
    """Suppression among the best of each map: Lin et al., Focal Loss, ICCV 2017, section 4.

    Of each map the `per_map` best pairs of an anchor and a class with scores above `score` compete:
    a box goes if a better one of its class that stays overlaps it by more than `iou`. The best
    `keep` of a picture are returned. Those are the detections of torchvision's RetinaNet and FCOS.
    """

    score: float = 0.05
    per_map: int = 1000
    iou: float = 0.5
    keep: int = 300

    def __call__(self, boxes: Tensor, scores: Tensor, levels: Sequence[int]) -> Detections:
        """Choose among boxes (B, A, 4) by scores (B, A, C), where `levels` sum up to A."""
        best, pairs = self._candidates(scores, levels)
        best = torch.where(best > self.score, best, 0.0)
        best, order = best.sort(dim=1, descending=True)
        busiest = max(1, int((best > 0).sum(dim=1).max()))
        best, pairs = best[:, :busiest], pairs.gather(1, order[:, :busiest])
        anchors = torch.div(pairs, scores.shape[2], rounding_mode="floor")
        candidates = boxes.gather(1, anchors[..., None].expand(-1, -1, 4))
        labels = pairs % scores.shape[2]
        kept = first_survivors(candidates, labels, best > 0, self.iou, self.keep)
        return _best(candidates, torch.where(kept, best, 0.0), labels, self.keep)

    def _candidates(self, scores: Tensor, levels: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The best scores (B, K) of each map, and which anchor * C + class they belong to."""
        best: list[Tensor] = []
        pairs: list[Tensor] = []
        before = 0
        for of_map in torch.split(scores, list(levels), dim=1):
            flat = of_map.flatten(1)
            top, index = flat.topk(min(self.per_map, flat.shape[1]))
            best.append(top)
            pairs.append(index + before)
            before += flat.shape[1]
        return torch.cat(best, dim=1), torch.cat(pairs, dim=1)


@dataclass(frozen=True)
class TopNMS:
    """Suppression among the best of a picture: Tan et al., EfficientDet, as automl/efficientdet does it.

    The `best` pairs of an anchor and a class of all maps compete, as those of one map do in `LevelNMS`.
    """

    score: float = 0.0
    best: int = 5000
    iou: float = 0.5
    keep: int = 100

    def __call__(self, boxes: Tensor, scores: Tensor, levels: Sequence[int] = ()) -> Detections:
        """Choose among boxes (B, A, 4) by scores (B, A, C); `levels` is not looked at."""
        del levels
        of_one_map = LevelNMS(self.score, self.best, self.iou, self.keep)
        return of_one_map(boxes, scores, (scores.shape[1],))


def _best(boxes: Tensor, scores: Tensor, labels: Tensor, keep: int) -> Detections:
    """The best of boxes (B, K, 4) whose score (B, K) is not 0, with labels (B, K), padded to `keep`."""
    top, index = scores.topk(min(keep, scores.shape[1]))
    real = top > 0
    chosen = boxes.gather(1, index[..., None].expand(-1, -1, 4)) * real[..., None]
    short = keep - top.shape[1]
    return Detections(
        torch.nn.functional.pad(chosen, (0, 0, 0, short)),
        torch.nn.functional.pad(top, (0, short)),
        torch.nn.functional.pad(
            torch.where(real, labels.gather(1, index), NOTHING), (0, short), value=NOTHING
        ),
        real.sum(dim=1),
    )


def survivors(boxes: Tensor, valid: Tensor, threshold: float) -> Tensor:
    """Which of the boxes (R, k, 4), each row sorted best first, greedy suppression keeps: (R, k)."""
    rows = max(1, PAIRS // boxes.shape[1] ** 2)
    parts = zip(torch.split(boxes, rows), torch.split(valid, rows), strict=True)
    return torch.cat([_settle(iou(part, part) > threshold, real) for part, real in parts])


def first_survivors(
    boxes: Tensor, labels: Tensor, valid: Tensor, threshold: float, enough: int
) -> Tensor:
    """Which of the boxes (R, k, 4), each row sorted best first, suppression within labels keeps.

    Of a row's answer (R, k) the first `enough` that are kept count, and what follows does not. So a
    part of the boxes at a time is compared with those few, and nothing is where they are complete.
    """
    kept = torch.zeros_like(valid)
    rank = torch.arange(valid.shape[1], 0, -1, device=valid.device)
    for start in range(0, valid.shape[1], PART):
        part = slice(start, start + PART)
        some, of = boxes[:, part], labels[:, part]
        first = (kept[:, :start] * rank[:start]).topk(min(enough, start)).indices
        better = boxes.gather(1, first[..., None].expand(-1, -1, 4))
        rivals = labels.gather(1, first)[..., None] == of[:, None]
        rivals &= kept.gather(1, first)[..., None]
        covered = ((iou(better, some) > threshold) & rivals).any(dim=1)
        overlaps = (iou(some, some) > threshold) & (of[..., None] == of[:, None])
        kept[:, part] = _settle(overlaps, valid[:, part] & ~covered)
        if bool((kept.sum(dim=1) >= enough).all()):
            break
    return kept


def _settle(overlaps: Tensor, valid: Tensor) -> Tensor:
    """Greedy suppression as a fixed point: Zheng et al., Cluster-NMS, 2020, section 3.3.

    Of boxes (R, k), of which pairs `overlaps` (R, k, k), a box stays unless a better, earlier one
    that stays overlaps it. Starting from all, each round settles at least one more link of every
    chain of overlaps, so k rounds always suffice; few are needed.
    """
    overlaps = overlaps.triu(diagonal=1)
    keep = valid
    for _ in range(valid.shape[1]):
        settled = valid & ~(overlaps & keep[..., None]).any(dim=1)
        if torch.equal(settled, keep):
            break
        keep = settled
    return keep


KINDS: dict[str, type[NMS | LevelNMS | TopNMS]] = {
    "LevelNMS": LevelNMS,
    "NMS": NMS,
    "TopNMS": TopNMS,
}
