"""What a loss divides its sums by: all that the parts of a batch need to know of one another.

Sums run over all images of a batch, wherever they are computed, and are divided by a function
of a count over the same images. A loss is `PerObject` or `PerImage`.
"""

import torch
from torch import Tensor


class PerObject:
    """Sums are divided by the number of anchors with an object, or 1 if there are none."""

    def counted(self, labels: Tensor) -> Tensor:
        """The count over some images, given the labels (B, A) of their anchors: a scalar."""
        return (labels >= 0).sum()

    def divisor(self, counted: Tensor) -> Tensor:
        """What sums over a whole batch are divided by, given its count."""
        return counted.clamp(min=1)


class PerImage:
    """The loss is the mean over images of each image's own loss."""

    def counted(self, labels: Tensor) -> Tensor:
        """The number of images, given the labels (B, A) of their anchors: a scalar."""
        return torch.full((), len(labels), device=labels.device)

    def divisor(self, counted: Tensor) -> Tensor:
        """What sums over a whole batch are divided by, given its count."""
        return counted
