"""What class logits mean: the one thing that a loss, scoring and counting classes agree on.

A loss is a `Softmax`, a `Sigmoid`, or else `Scored` in a way of its own.
"""

from abc import abstractmethod
from typing import ClassVar

from torch import Tensor

from specc_runtime.predictions import Predictions


class Scored:
    """How sure of its classes an anchor is, as selection asks for it."""

    @abstractmethod
    def scores(self, predictions: Predictions) -> Tensor:
        """Scores (B, A, classes) from 0 to 1."""

    def best(self, predictions: Predictions) -> Tensor:
        """Score (B, A) of each anchor's best class."""
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

    def best(self, predictions: Predictions) -> Tensor:
        """Score (B, A) of each anchor's best class, which is that of its greatest logit."""
        greatest = predictions.logits.amax(dim=2, keepdim=True)
        return self.scores(predictions._replace(logits=greatest)).squeeze(2)
