"""From scores and boxes to detections, all pictures of a batch and all classes at once."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from specc_runtime.matching import NOTHING
from specc_runtime.predictions import take
from specc_runtime.suppression import first_survivors

Scores = Callable[[Tensor], Tensor]
"""Says what scores (B, n, C) the classes of some anchors have, given their positions (B, n)."""

Boxes = Callable[[Tensor, Tensor], Tensor]
"""Says where (B, n, 4) objects are, given positions of anchors (B, n) and classes (B, n)."""


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


class Pairs(NamedTuple):
    """Pairs of an anchor and a class that compete in each picture, in no order."""

    scores: Tensor  # (B, K), 0 where there is none
    anchors: Tensor  # (B, K), positions
    labels: Tensor  # (B, K), classes from 0

    @classmethod
    def joined(cls, parts: Iterable["Pairs"]) -> "Pairs":
        """The pairs of all parts."""
        return cls(*(torch.cat(values, dim=1) for values in zip(*parts, strict=True)))

    @classmethod
    def best(cls, best: Tensor, scores: Scores, least: float, most: int, start: int = 0) -> "Pairs":
        """The `most` with the best scores above `least`, where anchors' best classes score `best` (B, A).

        Their anchors are among the `most` whose best class is best: only those are looked at. The
        first anchor's position is `start`.
        """
        few = min(most, busiest(best > least))
        anchors = start + best.topk(few, sorted=False).indices
        of_classes = scores(anchors)
        classes = of_classes.shape[2]
        top, at = of_classes.flatten(1).topk(min(most, few * classes), sorted=False)
        anchors = anchors.gather(1, at.div(classes, rounding_mode="floor"))
        return cls(torch.where(top > least, top, 0.0), anchors, at % classes)


class Selection(ABC):
    """Pairs of an anchor and a class with scores above `score` compete, up to a limit.

    A box goes if a better one of its class that stays overlaps it by more than `iou`. The best `keep` of
    a picture are returned.
    """

    score: float
    iou: float
    keep: int

    def __call__(self, boxes: Tensor, scores: Tensor, levels: Sequence[int] = ()) -> Detections:
        """Choose among boxes (B, A, 4), or (B, A, C, 4) of each class, by scores (B, A, C).

        `levels` are the numbers of anchors of each map, which sum up to A.
        """

        def boxes_at(anchors: Tensor, labels: Tensor) -> Tensor:
            if boxes.dim() == 3:
                return take(boxes, anchors)
            return take(boxes.flatten(1, 2), anchors * boxes.shape[2] + labels)

        return self.among(scores.amax(dim=2), partial(take, scores), boxes_at, levels)

    def among(
        self, best: Tensor, scores: Scores, boxes: Boxes, levels: Sequence[int]
    ) -> Detections:
        """Choose among anchors whose best class scores `best` (B, A), or anything up to `score`.

        The best pairs of all suffice if enough of them stay. If not, all that may compete do.
        """
        few = min(2 * self.keep, self.limit)
        likely = Pairs.best(best, scores, self.score, few)
        found = self._suppress(likely, boxes)
        complete = (found.counts == self.keep) | (likely.scores == 0).any(dim=1)
        if likely.scores.shape[1] < few or bool(complete.all()):
            return found
        return self._suppress(self.competing(best, scores, levels), boxes)

    @property
    @abstractmethod
    def limit(self) -> int:
        """How many of the best pairs of a picture compete for certain, whatever they are of."""

    @abstractmethod
    def competing(self, best: Tensor, scores: Scores, levels: Sequence[int]) -> Pairs:
        """All pairs that compete."""

    def _suppress(self, pairs: Pairs, boxes: Boxes) -> Detections:
        """What greedy suppression within classes leaves of pairs."""
        scores, order = pairs.scores.topk(busiest(pairs.scores > 0))
        labels = pairs.labels.gather(1, order)
        candidates = boxes(pairs.anchors.gather(1, order), labels)
        kept = first_survivors(candidates, labels, scores > 0, self.iou, self.keep)
        return _best(candidates, torch.where(kept, scores, 0.0), labels, self.keep)


@dataclass(frozen=True)
class NMS(Selection):
    """Greedy non-maximum suppression within each class: Liu et al., SSD, section 2.2, Inference.

    Of each class the `per_class` pairs with the best scores above `score` compete.
    """

    score: float = 0.01
    per_class: int = 400
    iou: float = 0.45
    keep: int = 200

    @property
    def limit(self) -> int:
        """How many of the best pairs of a picture compete for certain, whatever they are of."""
        return self.per_class

    def competing(self, best: Tensor, scores: Scores, levels: Sequence[int]) -> Pairs:
        """The best pairs of each class; `levels` is not looked at: a class competes across maps."""
        del levels
        few = best.topk(busiest(best > self.score), sorted=False).indices
        of_classes = scores(few).mT
        top, at = of_classes.topk(min(self.per_class, few.shape[1]), sorted=False)
        labels = torch.arange(len(of_classes[0]), device=few.device)[:, None].expand_as(at)
        top = torch.where(top > self.score, top, 0.0)
        return Pairs(top.flatten(1), few.gather(1, at.flatten(1)), labels.flatten(1))


@dataclass(frozen=True)
class LevelNMS(Selection):
    """Suppression among the best of each map: Lin et al., Focal Loss, ICCV 2017, section 4.

    Of each map the `per_map` pairs with the best scores above `score` compete. What is returned are the
    detections of torchvision's RetinaNet and FCOS.
    """

    score: float = 0.05
    per_map: int = 1000
    iou: float = 0.5
    keep: int = 300

    @property
    def limit(self) -> int:
        """How many of the best pairs of a picture compete for certain, whatever they are of."""
        return self.per_map

    def competing(self, best: Tensor, scores: Scores, levels: Sequence[int]) -> Pairs:
        """The best pairs of each map."""
        return Pairs.joined(
            Pairs.best(of_map, scores, self.score, self.per_map, start)
            for start, of_map in _split(best, levels)
        )


@dataclass(frozen=True)
class TopNMS(Selection):
    """Suppression among the best of a picture: Tan et al., EfficientDet, as automl/efficientdet does it.

    The `best` pairs of all maps with scores above `score` compete.
    """

    score: float = 0.0
    best: int = 5000
    iou: float = 0.5
    keep: int = 100

    @property
    def limit(self) -> int:
        """How many of the best pairs of a picture compete for certain, whatever they are of."""
        return self.best

    def competing(self, best: Tensor, scores: Scores, levels: Sequence[int]) -> Pairs:
        """The best pairs; `levels` is not looked at."""
        del levels
        return Pairs.best(best, scores, self.score, self.best)


def busiest(chosen: Tensor) -> int:
    """How many of (B, n) are chosen where most are, at least 1. The host waits for it."""
    return max(1, int(chosen.sum(dim=1).max()))


def _split(values: Tensor, levels: Sequence[int]) -> Iterator[tuple[int, Tensor]]:
    """Values (B, A, ...) map by map, each with the position of its first anchor."""
    starts = itertools.accumulate(levels, initial=0)
    return zip(starts, torch.split(values, list(levels), dim=1), strict=False)


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


KINDS: dict[str, type[NMS | LevelNMS | TopNMS]] = {
    "LevelNMS": LevelNMS,
    "NMS": NMS,
    "TopNMS": TopNMS,
}
