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
from specc_runtime.sparse import top_above
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
        likely, at = top_above(best, least, most)
        anchors = start + at
        of_classes = scores(anchors) * (likely > 0)[..., None]
        classes = of_classes.shape[2]
        top, at = top_above(of_classes.flatten(1), least, most)
        anchors = anchors.gather(1, at.div(classes, rounding_mode="floor"))
        return cls(top, anchors, at % classes)

    def first(self, most: int) -> "Pairs":
        """The `most` with the best scores, best first."""
        top, at = top_above(self.scores, 0.0, most)
        scores, order = top.sort(dim=1, descending=True)
        at = at.gather(1, order)
        return Pairs(scores, self.anchors.gather(1, at), self.labels.gather(1, at))


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

        The best pairs of all suffice if enough of them stay. If not, more are looked at, and then all
        that compete.
        """
        few = min(2 * self.keep, self.limit)
        likely = Pairs.best(best, scores, self.score, few)
        found, complete = self._suppress(likely, few, boxes)
        if complete:
            return found
        competing = self.competing(best, scores, levels)
        found, complete = self._suppress(competing, 3 * few, boxes)
        if complete:
            return found
        return self._suppress(competing, competing.scores.shape[1], boxes)[0]

    @property
    @abstractmethod
    def limit(self) -> int:
        """How many of the best pairs of a picture compete for certain, whatever they are of."""

    @abstractmethod
    def competing(self, best: Tensor, scores: Scores, levels: Sequence[int]) -> Pairs:
        """All pairs that compete."""

    def _suppress(self, pairs: Pairs, most: int, boxes: Boxes) -> tuple[Detections, bool]:
        """What suppression within classes leaves of the `most` best pairs; whether it is all there is."""
        scores, anchors, labels = pairs.first(most)
        candidates = boxes(anchors, labels)
        kept = first_survivors(candidates, labels, scores > 0, self.iou, self.keep)
        found = _best(candidates, torch.where(kept, scores, 0.0), labels, self.keep)
        complete = (found.counts == self.keep) | (scores[:, -1] == 0)
        return found, scores.shape[1] < most or bool(complete.all())


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
        likely, anchors = top_above(best, self.score, best.shape[1])
        of_classes = (scores(anchors) * (likely > 0)[..., None]).mT
        top, at = (
            value.view(*of_classes.shape[:2], -1)
            for value in top_above(of_classes.flatten(0, 1), self.score, self.per_class)
        )
        labels = torch.arange(at.shape[1], device=at.device)[:, None].expand_as(at)
        return Pairs(top.flatten(1), anchors.gather(1, at.flatten(1)), labels.flatten(1))


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
