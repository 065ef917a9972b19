"""From scores and boxes to detections, all pictures of a batch and all classes at once."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from specc_runtime.boxes import iou
from specc_runtime.matching import NOTHING

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
        busiest = max(1, int((scores.amax(dim=2) > self.score).sum(dim=1).max()))
        anchors, few = _best_anchors(scores, busiest)
        best, index = few.transpose(1, 2).topk(min(self.per_class, busiest), sorted=False)
        labels = torch.arange(scores.shape[2], device=best.device)[:, None].expand_as(best)
        best = torch.where(best > self.score, best, 0.0).flatten(1)
        anchors = anchors.gather(1, index.flatten(1))
        return _select(boxes, best, anchors, labels.flatten(1), self.iou, self.keep)


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
        of_maps = torch.split(scores, list(levels), dim=1)
        best, anchors, labels = zip(*map(self._candidates, of_maps), strict=True)
        starts = itertools.accumulate(levels, initial=0)
        anchors = [found + start for found, start in zip(anchors, starts, strict=False)]
        scores = torch.cat(best, dim=1)
        scores = torch.where(scores > self.score, scores, 0.0)
        return _select(
            boxes, scores, torch.cat(anchors, dim=1), torch.cat(labels, dim=1), self.iou, self.keep
        )

    def _candidates(self, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The best scores (B, K) of a map (B, A, C), their anchors and their classes.

        The best n pairs have anchors among the n whose best class is best: the others are not sorted.
        """
        anchors, few = _best_anchors(scores, self.per_map)
        best, pairs = few.flatten(1).topk(min(self.per_map, few[0].numel()), sorted=False)
        classes = scores.shape[2]
        index = torch.div(pairs, classes, rounding_mode="floor")
        return best, anchors.gather(1, index), pairs % classes


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


def _best_anchors(scores: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """The n of a picture's anchors whose best class is best, and what their scores are.

    Of scores (B, A, C): positions (B, n) in A, in no order, and (B, n, C); fewer if A is smaller.
    """
    top = scores.amax(dim=2).topk(min(n, scores.shape[1]), sorted=False).indices
    return top, scores.gather(1, top[..., None].expand(-1, -1, scores.shape[2]))


def _select(
    boxes: Tensor, scores: Tensor, anchors: Tensor, labels: Tensor, threshold: float, keep: int
) -> Detections:
    """The best `keep` of a picture that greedy suppression within labels leaves.

    Candidates have scores (B, K), 0 if they are none, anchors (B, K), positions in boxes (B, A, 4),
    and labels (B, K).
    """
    scores, order = scores.sort(dim=1, descending=True)
    busiest = max(1, int((scores > 0).sum(dim=1).max()))
    scores, order = scores[:, :busiest], order[:, :busiest]
    labels = labels.gather(1, order)
    candidates = boxes.gather(1, anchors.gather(1, order)[..., None].expand(-1, -1, 4))
    kept = first_survivors(candidates, labels, scores > 0, threshold, keep)
    return _best(candidates, torch.where(kept, scores, 0.0), labels, keep)


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
