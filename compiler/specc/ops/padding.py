"""Padding on its own."""

from __future__ import annotations

from specc.ops.arguments import LARGEST, Sides, sides
from specc.ops.base import Op, ShapeError, argument, op
from specc.ops.shapes import image
from specc.values.dimensions import Dim, Shape, shift

__all__ = ["ZeroPad2d"]


@op
class ZeroPad2d(Op):
    """Zeros around a map, `torch.nn.ZeroPad2d`; a negative number cuts off."""

    elsewhere = ("Pad",)

    padding: Sides = sides("Left, right, top and bottom, or one number.", minimum=-LARGEST)
    value: float = argument("What older listings print: zero.", {"enum": [0]}, default=0)

    def shape(self, *inputs: Shape) -> Shape:
        """Return (N, C, top + H + bottom, left + W + right)."""
        n, c, height, width = image(inputs[0])
        left, right, top, bottom = self.padding
        return (n, c, _grown(height, top, bottom), _grown(width, left, right))


def _grown(size: Dim, before: int, after: int) -> Dim:
    cut = -min(before, 0) - min(after, 0)
    if isinstance(size, int) and cut >= size:
        message = f"the map is gone: {cut} is cut off a side of {size}"
        raise ShapeError("E0402", message, argument="padding")
    return shift(size, before + after)
