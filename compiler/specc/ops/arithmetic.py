"""Ops over several tensors: sums, products, concatenation."""

from __future__ import annotations

from specc.ops.arguments import integer
from specc.ops.base import Op, ShapeError, call, op
from specc.ops.shapes import axis, total, without
from specc.values.dimensions import Dim, Shape, shape_text
from specc.values.expression import Attribute, Binary, Expression, Name, Series, Star
from specc.values.traced import formula

__all__ = ["Add", "Cat", "Mul"]


class _Elementwise(Op):
    """Broadcast the inputs against each other."""

    inputs = None
    sign = "+"

    def shape(self, *inputs: Shape) -> Shape:
        """Return the common shape."""
        result = inputs[0]
        for place, other in enumerate(inputs[1:], 1):
            result = self._broadcast(result, other, place)
        return result

    def _broadcast(self, a: Shape, b: Shape, place: int) -> Shape:
        shapes = f"{shape_text(a)} and {shape_text(b)}"
        if len(a) != len(b):
            message = f"these have different numbers of dimensions: {shapes}"
            raise ShapeError("E0406", message, inputs=(0, place))
        sides: list[Dim] = []
        for left, right in zip(a, b, strict=True):
            if left != right and 1 not in (left, right):
                message = f"these shapes differ: {shapes}"
                raise ShapeError("E0403", message, inputs=(0, place))
            sides.append(right if left == 1 else left)
        return tuple(sides)

    def constructor(self) -> None:
        """Write it in `forward`."""

    def expression(self, inputs: tuple[Expression, ...]) -> Expression:
        """Return ``a + b``."""
        result = inputs[0]
        for other in inputs[1:]:
            result = Binary(self.sign, result, other)
        return result


@op
class Add(_Elementwise):
    """Sum of tensors of equal shape, or of shapes that broadcast: a side of one is repeated."""


@op
class Mul(_Elementwise):
    """Product of tensors of equal shape, or of shapes that broadcast: a side of one is repeated."""

    sign = "*"


@op
class Cat(Op):
    """Tensors one after another along a dimension, `torch.cat`."""

    inputs = None
    takes_list = True
    dim: int = integer("The dimension to join along.", minimum=-8, maximum=8, default=1)

    def shape(self, *inputs: Shape) -> Shape:
        """Return the first shape with the sizes along `dim` added up."""
        first, *others = inputs
        dim = axis(self.dim, first)
        for place, other in enumerate(others, 1):
            if len(other) != len(first) or without(other, dim) != without(first, dim):
                shapes = f"{shape_text(first)} and {shape_text(other)}"
                message = f"only dimension {dim} may differ: {shapes}"
                raise ShapeError("E0404", message, inputs=(0, place))
        if dim == 0 and others:
            message = "joins batches, and the batch has to stay as it is"
            raise ShapeError("E0408", message, argument="dim")
        joined = total(tuple(shape[dim] for shape in inputs))
        return (*first[:dim], joined, *first[dim + 1 :])

    def constructor(self) -> None:
        """Write it in `forward`."""

    def expression(self, inputs: tuple[Expression, ...]) -> Expression:
        """Return ``torch.cat([a, b], dim=1)``, or with a list on its own as it stands."""
        match inputs:
            case (Star(several),):
                joined = several
            case _:
                joined = Series(inputs)
        return call(Attribute(Name("torch"), "cat"), joined, dim=formula(self.dim))
