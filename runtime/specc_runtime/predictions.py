"""A network's predictions for each anchor: the input of losses and of selection."""

from typing import NamedTuple

import torch
from torch import Tensor


class Predictions(NamedTuple):
    """A network's predictions for each anchor."""

    offsets: Tensor  # (B, A, 4); of a second stage (B, A, 4 * C), four for each class
    logits: Tensor  # (B, A, C), with an output for the background if the loss has one
    confidence: Tensor | None = (
        None  # (B, A, 1), logits: center-ness or objectness, as the loss reads
    )
    regions: Tensor | None = None  # (B, A, 4), which a second stage has instead of anchors

    def at(self, anchors: Tensor) -> "Predictions":
        """The predictions for some anchors of each picture, given their indices (B, n)."""
        said = {name: value for name, value in self._asdict().items() if value is not None}
        return self._replace(**{name: take(value, anchors) for name, value in said.items()})

    @property
    def confidences(self) -> Tensor:
        """Logits (B, A) of the anchors' confidence. Raises `ValueError` if there are none."""
        if self.confidence is None:
            raise ValueError("these predictions have neither center-ness nor objectness")
        return self.confidence.squeeze(2)


def take(values: Tensor, anchors: Tensor) -> Tensor:
    """The values (B, n, ...) of some anchors of each picture, from values (B, A, ...) and indices (B, n)."""
    picture = torch.arange(len(anchors), device=anchors.device)[:, None]
    rows = (picture * values.shape[1] + anchors).flatten()
    return values.flatten(0, 1).index_select(0, rows).view(*anchors.shape, *values.shape[2:])
