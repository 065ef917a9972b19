"""From scores and boxes to detections, all pictures of a batch and all classes at once.

Boxes are (B, A, 4), or (B, A, C, 4) where each class has its own.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from specc_runtime.boxes import iou
from specc_runtime.matching import NOTHING
from specc_runtime.predictions import Predictions

Boxes = Tensor | Callable[[Tensor], Tensor]
"""Boxes, or what works them out (B, K, 4) for some anchors of each picture, given positions (B, K)."""

PART = 256
"""How many boxes of a picture are settled at once."""


class Judge(Protocol):
    """What turns predictions into scores: a loss."""

    def best(self, predictions: Predictions, least: float = 0.0) -> Tensor:
        """Score (B, A) of each anchor's best class; for one up to `least`, any up to that."""
        ...

    def bound(self, predictions: Predictions) -> Tensor:
        """What no class of an anchor scores above (B, A), found with less work than `best`."""
        ...


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

    def __call__(self, boxes: Boxes, scores: Tensor, levels: Sequence[int] = ()) -> Detections:
        """Choose among boxes (B, A, 4) by scores (B, A, C) of the classes but background.

        `levels`, the anchors of each map, is not looked at: a class competes across maps.
        """
        del levels
        best, anchors = scores.mT.topk(min(self.per_class, scores.shape[1]), sorted=False)
        labels = torch.arange(scores.shape[2], device=best.device)[:, None].expand_as(best)
        best = torch.where(best > self.score, best, 0.0).flatten(1)
        return _select(boxes, best, anchors.flatten(1), labels.flatten(1), self.iou, self.keep)

    def shortlist(
        self, judge: Judge, predictions: Predictions, levels: Sequence[int]
    ) -> tuple[Tensor, Sequence[int]]:
        """Positions (B, n) of anchors to choose among, and how many lie on each map.

        All of which some class may have a score above `score` are among them.
        """
        del levels
        bound = judge.bound(predictions)
        busiest = _busiest(bound > self.score)
        return bound.topk(busiest, sorted=False).indices, (busiest,)


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

    def __call__(self, boxes: Boxes, scores: Tensor, levels: Sequence[int]) -> Detections:
        """Choose among boxes (B, A, 4) by scores (B, A, C), where `levels` sum up to A."""
        candidates = zip(*self._candidates(scores, levels), strict=True)
        best, anchors, labels = (torch.cat(of_maps, dim=1) for of_maps in candidates)
        return _select(boxes, best, anchors, labels, self.iou, self.keep)

    def shortlist(
        self, judge: Judge, predictions: Predictions, levels: Sequence[int]
    ) -> tuple[Tensor, Sequence[int]]:
        """Positions (B, n) of anchors to choose among, and how many lie on each map; -1 for padding.

        A map's n best pairs have anchors among the n whose best class is best.
        """
        few: list[Tensor] = []
        for start, of_map in _split(judge.best(predictions, self.score), levels):
            best, anchors = _best_above(of_map, self.score, self.per_map)
            few.append(torch.where(best > 0, start + anchors, NOTHING))
        return torch.cat(few, dim=1), [of_map.shape[1] for of_map in few]

    def _candidates(
        self, scores: Tensor, levels: Sequence[int]
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Of each map the best scores (B, K), 0 where there are none, their anchors and their classes."""
        classes = scores.shape[2]
        for start, of_map in _split(scores, levels):
            best, pairs = _best_above(of_map.flatten(1), self.score, self.per_map)
            yield best, start + pairs.div(classes, rounding_mode="floor"), pairs % classes


@dataclass(frozen=True)
class TopNMS:
    """Suppression among the best of a picture: Tan et al., EfficientDet, as automl/efficientdet does it.

    The `best` pairs of an anchor and a class of all maps compete, as those of one map do in `LevelNMS`.
    """

    score: float = 0.0
    best: int = 5000
    iou: float = 0.5
    keep: int = 100

    def __call__(self, boxes: Boxes, scores: Tensor, levels: Sequence[int] = ()) -> Detections:
        """Choose among boxes (B, A, 4) by scores (B, A, C); `levels` is not looked at."""
        del levels
        return self._of_one_map(boxes, scores, (scores.shape[1],))

    def shortlist(
        self, judge: Judge, predictions: Predictions, levels: Sequence[int]
    ) -> tuple[Tensor, Sequence[int]]:
        """Positions (B, n) of anchors to choose among, and n, as of one map in `LevelNMS`."""
        return self._of_one_map.shortlist(judge, predictions, (sum(levels),))

    @property
    def _of_one_map(self) -> LevelNMS:
        return LevelNMS(self.score, self.best, self.iou, self.keep)


def _split(values: Tensor, levels: Sequence[int]) -> Iterator[tuple[int, Tensor]]:
    """Values (B, A, ...) map by map, each with the position of its first anchor."""
    starts = itertools.accumulate(levels, initial=0)
    return zip(starts, torch.split(values, list(levels), dim=1), strict=False)


def _best_above(scores: Tensor, least: float, most: int) -> tuple[Tensor, Tensor]:
    """Of each row of scores (B, n) those above `least`, up to `most`, and their positions.

    In no order, and padded with scores of 0. Where few are above, a CPU compares only those; a GPU,
    which would have to say how many there are before it could go on, compares all.
    """
    chosen = scores > least
    if not scores.is_cpu or int(chosen.count_nonzero()) * 4 > chosen.numel():
        best, at = scores.topk(min(most, scores.shape[1]), sorted=False)
        return torch.where(best > least, best, 0.0), at
    rows, columns = chosen.nonzero(as_tuple=True)
    counts = torch.bincount(rows, minlength=len(scores))
    places = torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows]
    at = columns.new_zeros(len(scores), max(1, int(counts.max())))
    at[rows, places] = columns
    best = scores.new_zeros(at.shape)
    best[rows, places] = scores[rows, columns]
    if best.shape[1] > most:
        best, order = best.topk(most, sorted=False)
        at = at.gather(1, order)
    return best, at


def _busiest(chosen: Tensor) -> int:
    """How many of (B, n) are chosen where most are, at least 1. The host waits for it."""
    return max(1, int(chosen.sum(dim=1).max()))


def _select(
    boxes: Boxes, scores: Tensor, anchors: Tensor, labels: Tensor, threshold: float, keep: int
) -> Detections:
    """The best `keep` of a picture that greedy suppression within labels leaves.

    Candidates have scores (B, K), 0 if they are none, positions of anchors (B, K) and labels (B, K).
    Where enough of the best stay, the others are not even sorted.
    """
    busiest = _busiest(scores > 0)
    few = min(2 * keep, busiest)
    while True:
        best, order = scores.topk(few)
        of, at = labels.gather(1, order), anchors.gather(1, order)
        candidates = _boxes(boxes, at, of)
        kept = first_survivors(candidates, of, best > 0, threshold, keep)
        if few == busiest or bool((kept.sum(dim=1) >= keep).all()):
            return _best(candidates, torch.where(kept, best, 0.0), of, keep)
        few = busiest


def _boxes(boxes: Boxes, anchors: Tensor, labels: Tensor) -> Tensor:
    """Boxes (B, K, 4) of anchors (B, K), those of classes (B, K) where each has its own."""
    if not isinstance(boxes, Tensor):
        return boxes(anchors)
    if boxes.dim() == 4:
        boxes, anchors = boxes.flatten(1, 2), anchors * boxes.shape[2] + labels
    return boxes.gather(1, anchors[..., None].expand(-1, -1, 4))


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
