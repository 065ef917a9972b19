"""Initial values of a layer's tensors, with the names of `torch.nn.init`.

Each is declared once, like an op; a row gives them under `init`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, TypeVar, dataclass_transform

from specc.ops.arguments import choice, number
from specc.ops.base import Declaration, Entry, ShapeError, argument, nn, register
from specc.values.expression import Attribute

if TYPE_CHECKING:
    from specc.values.expression import Call, Expression

__all__ = ["INITIALIZERS", "Initializer", "initializer"]

MODES = ("fan_in", "fan_out")
NONLINEARITIES = ("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu")


class Initializer(Declaration):
    """A way to fill a tensor."""

    counts_fans: ClassVar[bool] = False
    """Whether the values depend on how many numbers enter and leave the layer."""

    def check(self, entry: Entry) -> None:
        """Refuse a tensor that cannot be filled so, or bounds in the wrong order."""
        if self.counts_fans and len(entry.shape) < 2:
            sides = "x".join(map(str, entry.shape)) or "a single number"
            message = f"`{type(self).__name__}` needs two dimensions; `{entry.name}` is {sides}"
            raise ShapeError("E0409", message, help="use `zeros_()` or `constant_(...)`")
        settings = self.settings()
        if settings.get("b") is not None and settings["a"] > settings["b"]:
            message = f"a={settings['a']} is above b={settings['b']}"
            raise ShapeError("E0409", message, help="write the lower bound first")

    def expression(self, tensor: Expression) -> Call:
        """Return the statement that fills a tensor."""
        call = self.construct(Attribute(nn("init"), type(self).__name__))
        return replace(call, arguments=(tensor, *call.arguments))


INITIALIZERS: dict[str, type[Initializer]] = {}
_Initializer = TypeVar("_Initializer", bound=type[Initializer])


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(argument,))
def initializer(cls: _Initializer) -> _Initializer:
    """Register an initializer under its class name."""
    return register(cls, INITIALIZERS)


@initializer
class constant_(Initializer):  # noqa: N801  # torch's name
    """All `val`, `torch.nn.init.constant_`."""

    val: float = argument("The value.", {"type": "number"}, keyword=False)


@initializer
class zeros_(Initializer):  # noqa: N801
    """All 0, `torch.nn.init.zeros_`."""


@initializer
class ones_(Initializer):  # noqa: N801
    """All 1, `torch.nn.init.ones_`."""


@initializer
class normal_(Initializer):  # noqa: N801
    """Drawn from a normal distribution, `torch.nn.init.normal_`."""

    mean: float = number("Its mean.", default=0.0)
    std: float = number("Its standard deviation.", minimum=0, default=1.0)


@initializer
class uniform_(Initializer):  # noqa: N801
    """Drawn evenly from `a` to `b`, `torch.nn.init.uniform_`."""

    a: float = number("Lower bound.", default=0.0)
    b: float = number("Upper bound.", default=1.0)


@initializer
class trunc_normal_(Initializer):  # noqa: N801
    """Drawn from a normal distribution, again where outside `a` to `b`, `torch.nn.init.trunc_normal_`."""

    mean: float = number("Its mean.", default=0.0)
    std: float = number("Its standard deviation.", above=0, default=1.0)
    a: float = number("Lower bound, a value and no multiple of `std`.", default=-2.0)
    b: float = number("Upper bound.", default=2.0)


@dataclass(frozen=True, kw_only=True)
class _Kaiming(Initializer):
    """Keeps the variance of what passes through (He et al., Delving Deep into Rectifiers, 2015)."""

    counts_fans = True

    a: float = number("Negative slope, read with `'leaky_relu'` only.", default=0.0)
    mode: str = choice(
        "Which pass keeps its variance: forward or backward.", MODES, default="fan_in"
    )
    nonlinearity: str = choice("What follows the layer.", NONLINEARITIES, default="leaky_relu")


@initializer
class kaiming_normal_(_Kaiming):  # noqa: N801
    """Normal with ``std = gain / sqrt(fan)``, `torch.nn.init.kaiming_normal_`."""


@initializer
class kaiming_uniform_(_Kaiming):  # noqa: N801
    """Even within ``gain * sqrt(3 / fan)`` of 0, `torch.nn.init.kaiming_uniform_`."""


@dataclass(frozen=True, kw_only=True)
class _Xavier(Initializer):
    """Keeps the variance both ways (Glorot and Bengio, Training Deep Feedforward Networks, 2010)."""

    counts_fans = True

    gain: float = number("Factor.", default=1.0)


@initializer
class xavier_normal_(_Xavier):  # noqa: N801
    """Normal with ``std = gain * sqrt(2 / (fan_in + fan_out))``, `torch.nn.init.xavier_normal_`."""


@initializer
class xavier_uniform_(_Xavier):  # noqa: N801
    """Even within ``gain * sqrt(6 / (fan_in + fan_out))`` of 0, `torch.nn.init.xavier_uniform_`."""
