"""What class logits mean: the one thing that a loss, scoring and counting classes agree on.

A loss is a `Softmax`, a `Sigmoid`, or else `Scored` in a way of its own.
"""

import math
from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from specc_runtime.predictions import Predictions

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

    def bound(self, predictions: Predictions) -> Tensor:
        """What no class of an anchor scores above (B, A), found with less work than `best`."""
        return self.best(predictions)


class Softmax(Scored):
    """One class an anchor: output 0 is the background, output k + 1 class k."""

    background: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("boxes", "classes")

    def scores(self, predictions: Predictions) -> Tensor:
        """Scores (B, A, classes) from 0 to 1, without the background's."""
        return predictions.logits.softmax(dim=-1)[..., 1:]

    def bound(self, predictions: Predictions) -> Tensor:
        """What the best class (B, A) would score if there were none but it and the background."""
        logits = predictions.logits
        return (logits[..., 1:].amax(dim=2) - logits[..., 0]).sigmoid()


class Sigmoid(Scored):
    """Each class by itself: output k is class k, and an anchor may be of none."""

    background: ClassVar[int] = 0
    reads: ClassVar[tuple[str, ...]] = ("boxes", "classes")

    def scores(self, predictions: Predictions) -> Tensor:
        """Scores (B, A, classes) from 0 to 1."""
        return predictions.logits.sigmoid()

    def best(self, predictions: Predictions, least: float = 0.0) -> Tensor:
        """Score (B, A) of each anchor's best class; for one up to `least`, any up to that."""
        enough = torch.tensor(self.alone(least), dtype=torch.float64).logit() - 1e-3  # of rounding
        logits = greatest(predictions.logits, float(enough))[..., None]
        return self.scores(predictions._replace(logits=logits)).squeeze(2)

    def alone(self, score: float) -> float:
        """What the sigmoid of a class is at least, where its score is `score`."""
        return score


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
    busy = (chunks.amax(dim=1) > least).nonzero().squeeze(1)
    if len(busy) * 4 > len(chunks):
        return logits.amax(dim=2)
    values = chunks.index_select(0, busy).flatten()
    above = (values > least).nonzero().squeeze(1)
    places = busy[above.div(CHUNK, rounding_mode="floor")] * CHUNK + above % CHUNK
    places = torch.cat([places, torch.arange(whole, len(flat))])
    values = torch.cat([values[above], flat[whole:]])
    anchors = places.div(logits.shape[2], rounding_mode="floor")
    nothing = logits.new_full(logits.shape[:2], -torch.inf).flatten()
    return nothing.scatter_reduce(0, anchors, values, "amax").view(logits.shape[:2])
