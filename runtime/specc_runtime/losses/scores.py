"""What class logits mean: the one thing that a loss, scoring and counting classes agree on.

A loss is a `Softmax`, a `Sigmoid`, or else `Scored` in a way of its own.
"""

import math
from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from specc_runtime.predictions import Predictions
from specc_runtime.sparse import are_few, true_at

CHUNK = 32
"""How many logits in a row are looked at as one, where few matter."""


class Scored:
    """How sure of its classes an anchor is, as selection asks for it."""

    @abstractmethod
    def scores(self, predictions: Predictions) -> Tensor:
        """Scores (B, A, classes) from 0 to 1."""

    def best(self, predictions: Predictions, least: float = 0.0) -> Tensor:
        """Score (B, A) of each anchor's best class; for one up to `least`, any up to that."""
        del least
        return self.scores(predictions).amax(dim=2)


class Softmax(Scored):
    """One class an anchor: output 0 is the background, output k + 1 class k."""

    background: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("boxes", "classes")

    def scores(self, predictions: Predictions) -> Tensor:
        """Scores (B, A, classes) from 0 to 1, without the background's."""
        return predictions.logits.softmax(dim=-1)[..., 1:]

    def best(self, predictions: Predictions, least: float = 0.0) -> Tensor:
        """Score (B, A) of each anchor's best class; for one up to `least`, any up to that.

        Against the background alone a class would score no less than it does: where that is little
        already, as it is nearly everywhere, a CPU does not look at the anchor again.
        """
        logits = predictions.logits
        if not logits.is_cpu:
            return self.scores(predictions).amax(dim=2)
        half = logits.shape[2] // 2  # of the classes, or one more: a CPU is slow with short rows
        likely = torch.maximum(logits[..., 1 : 1 + half], logits[..., -half:]).amax(dim=2)
        at = true_at((likely - logits[..., 0] > logit(least)).flatten())
        if not are_few(len(at), likely.numel()):
            return self.scores(predictions).amax(dim=2)
        some = logits.flatten(0, 1).index_select(0, at)
        best = self.scores(Predictions(some.new_empty(0), some)).amax(dim=1)
        return torch.zeros_like(likely).flatten().index_copy(0, at, best).view(likely.shape)


class Sigmoid(Scored):
    """Each class by itself: output k is class k, and an anchor may be of none."""

    background: ClassVar[int] = 0
    reads: ClassVar[tuple[str, ...]] = ("boxes", "classes")

    def scores(self, predictions: Predictions) -> Tensor:
        """Scores (B, A, classes) from 0 to 1."""
        return predictions.logits.sigmoid()

    def best(self, predictions: Predictions, least: float = 0.0) -> Tensor:
        """Score (B, A) of each anchor's best class; for one up to `least`, any up to that."""
        logits = greatest(predictions.logits, logit(self.alone(least)))[..., None]
        return self.scores(predictions._replace(logits=logits)).squeeze(2)

    def alone(self, score: float) -> float:
        """What the sigmoid of a class is at least, where its score is `score`."""
        return score


def logit(score: float) -> float:
    """What a logit is at least, where its sigmoid is above a score: less by a margin for rounding."""
    return float(torch.tensor(score, dtype=torch.float64).logit()) - 1e-3


def greatest(logits: Tensor, least: float) -> Tensor:
    """The greatest (B, A) of each anchor's logits (B, A, C); of one up to `least`, -inf will do.

    On a CPU, rows of some tens of numbers are slow to go through one by one. So where few logits are
    above `least`, those are found first, whatever anchors they are of.
    """
    if math.isinf(least) or not logits.is_cpu:
        return logits.amax(dim=2)
    flat = logits.flatten()
    whole = len(flat) // CHUNK * CHUNK
    chunks = flat[:whole].view(-1, CHUNK)
    busy = true_at(chunks.amax(dim=1) > least)
    if not are_few(len(busy), len(chunks)):
        return logits.amax(dim=2)
    values = chunks.index_select(0, busy).flatten()
    above = true_at(values > least)
    places = busy[above.div(CHUNK, rounding_mode="floor")] * CHUNK + above % CHUNK
    places = torch.cat([places, torch.arange(whole, len(flat))])
    values = torch.cat([values[above], flat[whole:]])
    anchors = places.div(logits.shape[2], rounding_mode="floor")
    nothing = logits.new_full(logits.shape[:2], -torch.inf).flatten()
    return nothing.scatter_reduce(0, anchors, values, "amax").view(logits.shape[:2])
