"""Formulas as an emitted class writes them: which names stay open, and what Python calls them."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from specc.emit.plan import Build
from specc.emit.text import Comprehension
from specc.ops import OPS, Helper
from specc.values.evaluate import Evaluator, make_divisible
from specc.values.expression import (
    Attribute,
    Binary,
    Call,
    Expression,
    Literal,
    Name,
    Series,
    Star,
    Unary,
)
from specc.values.traced import formula, names_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specc.values.expression import At

__all__ = ["FUNCTION_HELPERS", "Formulas"]

FUNCTION_HELPERS = {"make_divisible": Helper("make_divisible", inspect.getsource(make_divisible))}

_IN_PYTHON = {
    **{name: Attribute(Name("math"), name) for name in ("ceil", "exp", "floor", "log", "sqrt")},
    "make_divisible": Name("make_divisible"),
    "max": Name("max"),
    "min": Name("min"),
    "round": Name("round"),
}
_ONE = Literal(1)


@dataclass(slots=True)
class Formulas:
    """Writes the formulas of one class, and notes what they read.

    Attributes:
        known: numbers by name; a name that is not `open` is written as its number.
        open: the names that may be arguments of the class.
        read: the open names that have been written.
        kept: those of them that `forward` reads, through `self`.
        functions: the number functions that have been written.
    """

    known: Mapping[str, object]
    open: frozenset[str]
    read: set[str] = field(default_factory=set[str])
    kept: set[str] = field(default_factory=set[str])
    functions: set[str] = field(default_factory=set[str])

    def in_init(self, expression: Expression) -> Expression:
        """Write an expression of `__init__`, where open names are its arguments."""
        return self._written(expression, in_forward=False)

    def in_forward(self, expression: Expression) -> Expression:
        """Write an expression of `forward`, where open names are attributes."""
        return self._written(expression, in_forward=True)

    def _written(self, expression: Expression, *, in_forward: bool) -> Expression:
        def written(part: Expression) -> Expression:
            return self._written(part, in_forward=in_forward)

        match expression:
            case Name(name) if name in self.open:
                return self._open(expression, in_forward=in_forward)
            case Name() | Binary() | Unary() | Call(Name()) if self._is_settled(expression):
                return self._value(expression)
            case Binary(operator, left, right):
                return _product(operator, written(left), written(right))
            case Unary(operator, operand):
                return Unary(operator, written(operand))
            case Call(Name(name), arguments) if name in _IN_PYTHON:
                self.functions.add(name)
                return Call(_IN_PYTHON[name], tuple(map(written, arguments)))
            case Call(function, arguments, keywords):
                named = [(name, value, written(value), at) for name, value, at in keywords]
                defaults = _defaults(function)
                told = tuple(
                    (name, after, at)
                    for name, before, after, at in named
                    if after == before or after != defaults.get(name)
                )
                return Call(function, tuple(map(written, arguments)), told)
            case Series(items):
                return replace(expression, items=tuple(map(written, items)))
            case Star(value):
                return _unpacked(written(value))
            case Comprehension(element, _, iterable):
                return _looped(expression, written(element), written(iterable))
            case Build():
                return self._build(expression)
            case _:
                return expression

    def _build(self, build: Build) -> Expression:
        """Call a class with the arguments it takes, leaving out those at their default."""
        values = dict(build.values)
        positional: list[Expression] = []
        keywords: list[tuple[str, Expression, At]] = []
        for argument in build.plan.arguments:
            value = self.in_init(values[argument.name])
            if argument.default is None:
                positional.append(value)
            elif value != argument.default:
                keywords.append((argument.name, value, (0, 0)))
        return Call(Name(build.plan.name), tuple(positional), tuple(keywords))

    def _open(self, name: Name, *, in_forward: bool) -> Expression:
        self.read.add(name.id)
        if not in_forward:
            return name
        self.kept.add(name.id)
        return Attribute(Name("self"), name.id)

    def _is_settled(self, expression: Expression) -> bool:
        """Whether an expression is a number whatever the class's arguments are."""
        match expression:
            case Call(Name(function)) if function not in _IN_PYTHON:
                return False
            case _:
                names = names_in(expression)
        return names <= self.known.keys() and not names & self.open

    def _value(self, expression: Expression) -> Expression:
        def lookup(name: str, at: At) -> object:
            del at
            return self.known[name]

        return formula(Evaluator(lookup)(expression))


@cache
def _defaults(function: Expression) -> dict[str, Expression]:
    """Return what torch takes for the keywords of a layer that are left out."""
    name = function.name if isinstance(function, Attribute) else ""
    arguments = OPS[name].arguments.values() if name in OPS else ()
    return {
        a.name: a.written(a.default) for a in arguments if not a.required and a.inferred is None
    }


def _unpacked(items: Expression) -> Expression:
    """Write ``*items``, or the only item of a loop of one turn."""
    match items:
        case Comprehension(item, "_", Call(Name("range"), (Literal(1),))):
            return item
        case _:
            return Star(items)


def _looped(loop: Comprehension, element: Expression, iterable: Expression) -> Comprehension:
    """Write a loop; a number that its element does not read after all has no name."""
    counts = isinstance(iterable, Call) and iterable.function == Name("range")
    target = loop.target if not counts or loop.target in names_in(element) else "_"
    return replace(loop, element=element, target=target, iterable=iterable)


def _product(operator: str, left: Expression, right: Expression) -> Expression:
    """Write an operation, without a factor of one."""
    if operator in {"*", "//"} and right == _ONE:
        return left
    return right if operator == "*" and left == _ONE else Binary(operator, left, right)
