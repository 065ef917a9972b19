"""The arithmetic of shapes that ops share."""

from __future__ import annotations

from math import prod

from specc.ops.base import ShapeError
from specc.values.dimensions import Dim, Shape, Size, multiply, shape_text
from specc.values.traced import added

__all__ = ["axis", "image", "product", "total", "without"]


def image(x: Shape, place: int = 0) -> tuple[Dim, Dim, Dim, Dim]:
    """Return batch, channels, height and width, or refuse anything but a map."""
    if len(x) != 4:
        shown = shape_text(x, batch=True)
        message = f"needs a map (N, C, H, W); this has {len(x)} dimensions: {shown}"
        raise ShapeError("E0406", message, inputs=(place,))
    return x[0], x[1], x[2], x[3]


def axis(dim: int, x: Shape, argument: str = "dim") -> int:
    """Return a dimension counted from the front, or refuse one that `x` has not."""
    if not -len(x) <= dim < len(x):
        message = f"{argument}={dim} of a tensor with {len(x)} dimensions"
        raise ShapeError("E0406", message, argument=argument, inputs=(0,))
    return dim % len(x)


def without(x: Shape, dim: int) -> Shape:
    """Return the shape without one dimension."""
    return x[:dim] + x[dim + 1 :]


def product(sizes: Shape) -> Dim:
    """Multiply sizes; names among them make a new name, the same whatever their order.

    A number that is multiplied by ones alone keeps its formula.
    """
    names = [size for size in sizes if isinstance(size, Size)]
    numbers = [size for size in sizes if isinstance(size, int) and size != 1]
    known = numbers[0] if len(numbers) == 1 else prod(numbers)
    if len(names) < 2:
        return multiply(names[0], known) if names else known
    factor = [] if known == 1 else [str(known)]
    return Size("*".join(factor + sorted(map(_wrapped, names))))


def total(sizes: Shape) -> Dim:
    """Add sizes; names among them make a new name, the same whatever their order.

    A sum of numbers alone keeps their formulas.
    """
    known = added(size for size in sizes if isinstance(size, int))
    names = sorted(str(size) for size in sizes if isinstance(size, Size))
    if not names:
        return known
    return Size(f"({' + '.join(names + ([str(known)] if known else []))})")


def _wrapped(size: Size) -> str:
    return f"({size})" if size.add and size.divide == 1 else str(size)
