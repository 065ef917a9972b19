"""Ops over several tensors: sums, products, concatenation."""

from __future__ import annotations

from specc.ops.arguments import choice, integer, number
from specc.ops.base import Entry, FunctionalOp, Helper, ShapeError, call, op
from specc.ops.shapes import axis, total, without
from specc.values.dimensions import Dim, Shape, shape_text
from specc.values.expression import Attribute, Binary, Expression, Name, Series, Star
from specc.values.traced import formula

__all__ = ["Add", "Cat", "Mul", "WeightedSum"]

WEIGHTED_SUM = Helper(
    "weighted_sum",
    '''\
def weighted_sum(inputs: tuple[Tensor, ...], shares: Tensor) -> Tensor:
    """Sum of tensors, each times its share."""
    total, *others = [x * share for x, share in zip(inputs, shares, strict=True)]
    for x in others:
        total = total + x
    return total
''',
)

FAST_WEIGHTED_SUM = Helper(
    "FastWeightedSum",
    '''\
class FastWeightedSum(nn.Module):
    """Sum of tensors by learned shares, from weights that count as 0 where they are negative."""

    def __init__(self, num_inputs: int, eps: float = 1e-4) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_inputs))

    def forward(self, *inputs: Tensor) -> Tensor:
        weight = functional.relu(self.weight)
        shares = weight / (weight.sum() + self.eps)
        return weighted_sum(inputs, shares)
''',
    ("import torch", "from torch.nn import functional"),
    (WEIGHTED_SUM,),
)

SOFTMAX_WEIGHTED_SUM = Helper(
    "SoftmaxWeightedSum",
    '''\
class SoftmaxWeightedSum(nn.Module):
    """Sum of tensors by learned shares, the softmax of the weights."""

    def __init__(self, num_inputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_inputs))

    def forward(self, *inputs: Tensor) -> Tensor:
        return weighted_sum(inputs, self.weight.softmax(dim=0))
''',
    ("import torch",),
    (WEIGHTED_SUM,),
)


class _Elementwise(FunctionalOp):
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

    def expression(self, inputs: tuple[Expression, ...]) -> Expression:
        """Return ``a + b``."""
        result = inputs[0]
        for other in inputs[1:]:
            result = Binary(self.sign, result, other)
        return result


@op
class Add(_Elementwise):
    """Sum of tensors of equal shape, or of shapes that broadcast: a side of one is repeated."""

    elsewhere = ("Sum", "Plus", "Eltwise", "Shortcut")


@op
class Mul(_Elementwise):
    """Product of tensors of equal shape, or of shapes that broadcast: a side of one is repeated."""

    elsewhere = ("Multiply", "Times")

    sign = "*"


@op
class WeightedSum(_Elementwise):
    """Sum of tensors of equal shape, or of shapes that broadcast, each times its learned share.

    There is a weight w for each tensor, one at the start. The shares are
    ``relu(w) / (sum(relu(w)) + eps)`` with `'fast'`, ``softmax(w)`` with `'softmax'`; `'sum'` has no
    weights. Tan et al., EfficientDet, 2020, section 3.3.
    """

    num_inputs: int = integer("Number of tensors.", maximum=64)
    mode: str = choice("How the weights become shares.", ("fast", "softmax", "sum"), default="fast")
    eps: float = number("Added to the sum of the weights with `'fast'`.", minimum=0, default=1e-4)

    @property
    def helper(self) -> Helper | None:
        """The class that holds the weights."""
        return {"fast": FAST_WEIGHTED_SUM, "softmax": SOFTMAX_WEIGHTED_SUM}.get(self.mode)

    def shape(self, *inputs: Shape) -> Shape:
        """Return the common shape."""
        if len(inputs) != self.num_inputs:
            message = f"`num_inputs` is {self.num_inputs}, but {len(inputs)} tensors arrive"
            help = f"write {len(inputs)}"
            raise ShapeError("E0305", message, argument="num_inputs", help=help)
        return super().shape(*inputs)

    def state(self) -> tuple[Entry, ...]:
        """Return the weights."""
        return (Entry("weight", (self.num_inputs,)),) if self.helper else ()

    def constructor(self) -> Expression | None:
        """Return the call of the helper; a plain sum is written in `forward`."""
        if self.helper is None:
            return None
        unused = ("mode", "eps") if self.mode == "softmax" else ("mode",)
        return self.construct(Name(self.helper.name), without=unused)


@op
class Cat(FunctionalOp):
    """Tensors one after another along a dimension, `torch.cat`."""

    elsewhere = ("Concat", "Concatenate", "Route")
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

    def expression(self, inputs: tuple[Expression, ...]) -> Expression:
        """Return ``torch.cat([a, b], dim=1)``, or with a list on its own as it stands."""
        match inputs:
            case (Star(several),):
                joined = several
            case _:
                joined = Series(inputs)
        return call(Attribute(Name("torch"), "cat"), joined, dim=formula(self.dim))
