"""What a loss divides its sums by: all that the parts of a batch have to know of one another.

The sums run over all images of a batch, wherever they are computed; what they are divided by follows
from a count over these images. A loss is `PerObject` or `PerImage`.
"""

import torch
from torch import Tensor


class PerObject:
    """Sums are divided by the number of anchors with an object, at least 1."""

    def counted(self, labels: Tensor) -> Tensor:
        """The count over some images, given the labels (B, A) of their anchors: a scalar."""
        return (labels >= 0).sum()

    def divisor(self, counted: Tensor) -> Tensor:
        """What sums over a whole batch are divided by, given its count."""
        return counted.clamp(min=1)


class PerImage:
    """The loss is the mean of what each image would have by itself."""

    def counted(self, labels: Tensor) -> Tensor:
        """The number of images, given the labels (B, A) of their anchors: a scalar."""
        return torch.full((), len(labels), device=labels.device)

    def divisor(self, counted: Tensor) -> Tensor:
        """What sums over a whole batch are divided by, given its count."""
        return counted
