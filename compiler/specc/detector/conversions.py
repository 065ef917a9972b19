"""What may have to be done to a checkpoint's tensor before it is ours."""

from __future__ import annotations

from specc.detector.base import Component, component
from specc.ops.arguments import integer_schema
from specc.ops.base import argument

__all__ = ["Decimate", "ReorderOutputs", "SwapRedBlue"]


@component
class Decimate(Component):
    """Make a smaller convolution of a linear layer or convolution by taking every nth number of each side (SSD, section 3).

    Of VGG16's fc6, read as 4096x512x7x7, every 4th output and every 3rd row and column are taken:
    1024x512x3x3. There is no way back.
    """

    slot = "convert"


@component
class SwapRedBlue(Component):
    """Exchange the first and third input channel of a first convolution: BGR to RGB, or back."""

    slot = "convert"


@component
class ReorderOutputs(Component):
    """Put output channels in another order, in groups of `len(order)`: a head that speaks of (y, x, h, w) by ``[1, 0, 3, 2]``."""

    slot = "convert"

    order: list[int] = argument(
        "Which channel of theirs comes first in a group, which second, and so on.",
        {"type": "array", "items": integer_schema(0), "minItems": 2, "uniqueItems": True},
    )
