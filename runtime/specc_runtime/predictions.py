"""What a network says of each anchor: the input of losses and of selection."""

from typing import NamedTuple

from torch import Tensor


class Predictions(NamedTuple):
    """What a network says of each anchor."""

    offsets: Tensor  # (B, A, 4)
    logits: Tensor  # (B, A, C), with an output for the background where the loss has one
    confidence: Tensor | None = (
        None  # (B, A, 1), logits: center-ness or objectness, as the loss reads
    )

    @property
    def confidences(self) -> Tensor:
        """Logits (B, A) of the anchors' confidence. Raises `ValueError` where the loss reads none."""
        if self.confidence is None:
            raise ValueError("these predictions have neither center-ness nor objectness")
        return self.confidence.squeeze(2)
