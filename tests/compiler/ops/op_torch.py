"""Torch's side: build what an op emits and run it on the meta device or the CPU."""

from __future__ import annotations

import functools
import operator
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from specc.values.expression import (
    Attribute,
    Binary,
    Call,
    Expression,
    Index,
    Literal,
    Name,
    Series,
    Slice,
    Unary,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from specc.ops import Helper, Op

torch.set_num_threads(1)

NAMES = {"torch": torch, "nn": nn, "functional": functional, "Tensor": Tensor}
OPERATORS = {"+": operator.add, "*": operator.mul}


@dataclass(frozen=True)
class Answer:
    """What torch makes of a call."""

    shape: tuple[int, ...]
    state: tuple[tuple[str, tuple[int, ...], bool], ...]
    flops: int


def evaluate(expression: Expression | None, names: dict[str, Any]) -> Any:
    """Compute an emitted expression with torch's own objects."""
    value = functools.partial(evaluate, names=names)
    match expression:
        case None:
            return None
        case Literal(literal):
            return literal
        case Name(name):
            return names[name]
        case Attribute(owner, name):
            return getattr(value(owner), name)
        case Index(owner, index):
            return value(owner)[value(index)]
        case Slice(lower, upper):
            return slice(value(lower), value(upper))
        case Series(items, is_tuple):
            return (tuple if is_tuple else list)(map(value, items))
        case Unary("-", operand):
            return -value(operand)
        case Binary(sign, left, right):
            return OPERATORS[sign](value(left), value(right))
        case Call(function, arguments, keywords):
            named = {name: value(given) for name, given, _ in keywords}
            return value(function)(*map(value, arguments), **named)
        case _:
            raise TypeError(expression)


@functools.cache
def _carried(helper: Helper) -> dict[str, Any]:
    """Run a helper's source, and those that it needs, as the head of an emitted file."""
    names: dict[str, Any] = {}
    for needed in helper.needs:
        names |= _carried(needed)
    source = "\n".join(["from torch import Tensor, nn", *helper.imports, helper.source])
    exec(source, names)
    return names


def emitted(op: Op) -> nn.Module:
    """Build the layer that an op emits, or a module around the expression that it emits."""
    names = NAMES | (_carried(op.helper) if op.helper else {})
    built = evaluate(op.constructor(), names)
    return built if isinstance(built, nn.Module) else _Written(op, names)


class _Written(nn.Module):
    """The forward that a file writes for an op without a layer."""

    def __init__(self, op: Op, names: dict[str, Any]) -> None:
        super().__init__()
        self.op, self.names = op, names

    def forward(self, *inputs: Tensor) -> Tensor:
        if not self.op.takes(len(inputs)):
            raise TypeError(len(inputs))
        places = {f"x{place}": tensor for place, tensor in enumerate(inputs)}
        written = self.op.expression(tuple(map(Name, places)))
        return evaluate(written, self.names | places)


def as_given(op: type[Op], arguments: dict[str, Any]) -> nn.Module:
    """Build torch's layer of the same name from raw arguments, or what the op makes of them."""
    layer = getattr(nn, op.__name__, None)
    if layer is None:
        return emitted(op(**arguments))
    raw = {name: tuple(v) if isinstance(v, list) else v for name, v in arguments.items()}
    return layer(**raw)


def ask(build: Callable[[], nn.Module], inputs: tuple[tuple[int, ...], ...], device: str) -> Answer:
    """Build and run it; whatever torch raises goes through."""
    with torch.device(device), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = build()
        counter = FlopCounterMode(display=False)
        with counter:
            output = module(*(torch.ones(shape) for shape in inputs))
    if not isinstance(output, Tensor):
        raise TypeError(type(output))
    parameters = {name for name, _ in module.named_parameters()}
    state = tuple((k, tuple(v.shape), k in parameters) for k, v in module.state_dict().items())
    return Answer(tuple(output.shape), state, counter.get_total_flops())
