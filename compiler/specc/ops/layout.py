"""Ops that only rearrange dimensions, or cut them."""

from __future__ import annotations

from specc.ops.arguments import integer, integers
from specc.ops.base import FunctionalOp, Op, ShapeError, call, op
from specc.ops.shapes import axis, product
from specc.values.dimensions import Dim, Shape, shape_text
from specc.values.expression import Attribute, Expression, Index, Literal
from specc.values.traced import formula

__all__ = ["Flatten", "Narrow", "Permute", "Reshape"]


def _batch_moves(argument: str) -> ShapeError:
    message = "the batch has to stay the first dimension"
    return ShapeError("E0408", message, argument=argument)


@op
class Flatten(Op):
    """Several dimensions as one, `torch.nn.Flatten`."""

    passes_on_memory = True

    start_dim: int = integer("The first of them.", minimum=-8, maximum=8, default=1)
    end_dim: int = integer("The last of them.", minimum=-8, maximum=8, default=-1)

    def shape(self, *inputs: Shape) -> Shape:
        """Return the shape with the product of the dimensions in their place."""
        (x,) = inputs
        first, last = axis(self.start_dim, x, "start_dim"), axis(self.end_dim, x, "end_dim")
        if first > last:
            message = f"start_dim={self.start_dim} comes after end_dim={self.end_dim}"
            raise ShapeError("E0407", message, argument="start_dim")
        if first == 0 and last > 0:
            raise _batch_moves("start_dim")
        return (*x[:first], product(x[first : last + 1]), *x[last + 1 :])


@op
class Narrow(FunctionalOp):
    """A part of a dimension, `torch.narrow`: what lies from `start` to `start + length`."""

    elsewhere = ("Split", "Chunk", "Slice", "Crop")
    passes_on_memory = True

    dim: int = integer("The dimension.", minimum=-8, maximum=8)
    start: int = integer("Where the part begins, counted from 0.", minimum=0)
    length: int = integer("Its size.")

    def shape(self, *inputs: Shape) -> Shape:
        """Return the shape with `length` in place of the size of `dim`."""
        (x,) = inputs
        dim = axis(self.dim, x)
        if dim == 0:
            raise _batch_moves("dim")
        size, end = x[dim], self.start + self.length
        if not isinstance(size, int) or size < end:
            message = f"start={self.start} and length={self.length} need {end} of the size {size}"
            raise ShapeError("E0406", message, argument="length", inputs=(0,))
        return (*x[:dim], self.length, *x[dim + 1 :])

    def expression(self, inputs: tuple[Expression, ...]) -> Expression:
        """Return ``x.narrow(2, 0, 4)``."""
        return call(
            Attribute(inputs[0], "narrow"), *map(formula, (self.dim, self.start, self.length))
        )


@op
class Permute(FunctionalOp):
    """The dimensions in another order, `torch.permute`; the batch stays the first."""

    elsewhere = ("Transpose",)
    passes_on_memory = True

    dims: tuple[int, ...] = integers("The input's dimensions in their new order.", minimum=-8)

    def shape(self, *inputs: Shape) -> Shape:
        """Return the sizes in their new order."""
        (x,) = inputs
        order = [axis(dim, x, "dims") for dim in self.dims]
        if sorted(order) != list(range(len(x))):
            message = f"dims={list(self.dims)} must name each of {len(x)} dimensions once"
            raise ShapeError("E0406", message, argument="dims", inputs=(0,))
        if order[0] != 0:
            raise _batch_moves("dims")
        return tuple(x[dim] for dim in order)

    def expression(self, inputs: tuple[Expression, ...]) -> Expression:
        """Return ``x.permute(0, 2, 3, 1)``."""
        return call(Attribute(inputs[0], "permute"), *map(formula, self.dims))


@op
class Reshape(FunctionalOp):
    """The same numbers in other dimensions, `torch.reshape`; the batch stays as it is."""

    elsewhere = ("View",)
    passes_on_memory = True

    sizes: tuple[int, ...] = integers("The sizes after the batch; one may be -1.", minimum=-1)

    def shape(self, *inputs: Shape) -> Shape:
        """Return (N, *sizes), with what is left for -1."""
        (x,) = inputs
        numbers, known = product(x[1:]), product(tuple(size for size in self.sizes if size != -1))
        if 0 in self.sizes or self.sizes.count(-1) > 1:
            message = f"sizes={list(self.sizes)} may hold numbers from 1 on, and -1 once"
            raise ShapeError("E0407", message, argument="sizes")
        left = _divide(numbers, known)
        if left is None or (left != 1 and -1 not in self.sizes):
            shown = f"{shape_text(x)} has {numbers} numbers"
            message = f"sizes={list(self.sizes)} does not fit: {shown}"
            raise ShapeError("E0406", message, argument="sizes", inputs=(0,))
        return (x[0], *(left if size == -1 else size for size in self.sizes))

    def expression(self, inputs: tuple[Expression, ...]) -> Expression:
        """Return ``x.reshape(x.shape[0], 4, -1)``."""
        batch = Index(Attribute(inputs[0], "shape"), Literal(0))
        return call(Attribute(inputs[0], "reshape"), batch, *map(formula, self.sizes))


def _divide(numbers: Dim, known: Dim) -> Dim | None:
    """Return the quotient, if there is one and it is known."""
    if known == 1:
        return numbers
    if not isinstance(numbers, int) or not isinstance(known, int):
        return None
    return None if numbers % known else numbers // known
