"""Pointwise functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.ops.arguments import choice, inplace, integer, number
from specc.ops.base import Entry, FunctionalOp, Op, ShapeError, call, op
from specc.ops.shapes import axis
from specc.values.expression import Attribute

if TYPE_CHECKING:
    from specc.values.dimensions import Shape
    from specc.values.expression import Expression

__all__ = [
    "ELU",
    "GELU",
    "Exp",
    "Hardsigmoid",
    "Hardswish",
    "Identity",
    "LeakyReLU",
    "Mish",
    "PReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
]


@op
class ReLU(Op):
    """``max(x, 0)``, `torch.nn.ReLU`."""

    inplace: bool = inplace()


@op
class ReLU6(Op):
    """``min(max(x, 0), 6)``, `torch.nn.ReLU6` (Howard et al., MobileNets, 2017)."""

    inplace: bool = inplace()


@op
class LeakyReLU(Op):
    """``x`` where positive, ``negative_slope * x`` elsewhere, `torch.nn.LeakyReLU`.

    Darknet's slope is 0.1.
    """

    negative_slope: float = number("Slope of the negative side.", default=0.01)
    inplace: bool = inplace()


@op
class PReLU(Op):
    """``x`` where positive, a learned slope times ``x`` elsewhere, `torch.nn.PReLU`.

    He et al., Delving Deep into Rectifiers, 2015.
    """

    num_parameters: int = integer("One slope for all, or one for each channel.", default=1)
    init: float = number("Initial slope.", default=0.25)

    def shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape."""
        channels = inputs[0][1] if len(inputs[0]) > 1 else 1
        if self.num_parameters not in (1, channels):
            message = f"{self.num_parameters} slopes for {channels} channels"
            raise ShapeError("E0406", message, argument="num_parameters", inputs=(0,))
        return inputs[0]

    def state(self) -> tuple[Entry, ...]:
        """Return the slopes."""
        return (Entry("weight", (self.num_parameters,)),)


@op
class ELU(Op):
    """``x`` where positive, ``alpha * (exp(x) - 1)`` elsewhere, `torch.nn.ELU`."""

    alpha: float = number("The value that it tends to is minus this.", default=1.0)
    inplace: bool = inplace()


@op
class SiLU(Op):
    """``x * sigmoid(x)``, also named swish, `torch.nn.SiLU`."""

    elsewhere = ("Swish",)

    inplace: bool = inplace()


@op
class Mish(Op):
    """``x * tanh(log(1 + exp(x)))``, `torch.nn.Mish`.

    Misra, 2019; Bochkovskiy et al., YOLOv4, 2020.
    """

    inplace: bool = inplace()


@op
class GELU(Op):
    """``x`` times the normal distribution's share below ``x``, `torch.nn.GELU`."""

    approximate: str = choice(
        "`'tanh'` estimates the share with a tanh.", ("none", "tanh"), default="none"
    )


@op
class Hardswish(Op):
    """``x * min(max(x + 3, 0), 6) / 6``, `torch.nn.Hardswish`.

    Howard et al., Searching for MobileNetV3, 2019.
    """

    inplace: bool = inplace()


@op
class Hardsigmoid(Op):
    """``min(max(x + 3, 0), 6) / 6``, `torch.nn.Hardsigmoid`."""

    inplace: bool = inplace()


@op
class Sigmoid(Op):
    """``1 / (1 + exp(-x))``, `torch.nn.Sigmoid`."""

    elsewhere = ("Logistic",)


@op
class Tanh(Op):
    """``tanh(x)``, `torch.nn.Tanh`."""


@op
class Exp(FunctionalOp):
    """``exp(x)``, `torch.exp`, which makes distances of any numbers (Tian et al., FCOS, section 3.1)."""

    def expression(self, inputs: tuple[Expression, ...]) -> Expression:
        """Return ``x.exp()``."""
        return call(Attribute(inputs[0], "exp"))


@op
class Softmax(Op):
    """``exp(x) / sum(exp(x))`` along a dimension, `torch.nn.Softmax`."""

    dim: int = integer("The dimension that sums to one.", minimum=-8, maximum=8, keyword=True)

    def shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape."""
        axis(self.dim, inputs[0])
        return inputs[0]


@op
class Identity(Op):
    """The input as it is, `torch.nn.Identity`."""

    passes_on_memory = True
