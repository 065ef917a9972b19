"""What class logits mean: the one thing that a loss, scoring and counting classes agree on.

A loss is a `Softmax` or a `Sigmoid`.
"""

from typing import ClassVar

from torch import Tensor

from specc_runtime.predictions import Predictions


class Softmax:
    """One class an anchor: output 0 is the background, output k + 1 class k."""

    background: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("boxes", "classes")

    def scores(self, predictions: Predictions) -> Tensor:
        """Scores (B, A, classes) from 0 to 1, without the background's."""
        return predictions.logits.softmax(dim=-1)[..., 1:]


class Sigmoid:
    """Each class by itself: output k is class k, and an anchor may be of none."""

    background: ClassVar[int] = 0
    reads: ClassVar[tuple[str, ...]] = ("boxes", "classes")

    def scores(self, predictions: Predictions) -> Tensor:
        """Scores (B, A, classes) from 0 to 1."""
        return predictions.logits.sigmoid()
