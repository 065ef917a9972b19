"""Numbers that know their formula.

Inside a module, a parameter is a number for every check and a name for the emitted class. A
`TracedInt` is both: it behaves as its value, and carries the expression over the class's
parameters that gives it.
"""

from __future__ import annotations

from collections import Counter
from functools import partial, reduce
from typing import TYPE_CHECKING, TypeVar, cast

from specc.values.expression import (
    Attribute,
    Binary,
    Call,
    Compare,
    Conditional,
    Expression,
    Index,
    Literal,
    Logic,
    Mapping,
    Name,
    Series,
    Star,
    Turn,
    Unary,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from collections.abc import Mapping as MappingType

__all__ = [
    "LARGEST_FORMULA",
    "Traced",
    "TracedFloat",
    "TracedInt",
    "added",
    "at_turn",
    "fold",
    "formula",
    "names_in",
    "outside_turns",
    "plain",
    "size",
    "substitute",
    "traced",
]


T = TypeVar("T")
Number = TypeVar("Number", int, float)

LARGEST_FORMULA = 64
"""Names, numbers and operations of a formula that a reader of the emitted class still follows."""


class TracedInt(int):
    """An `int` with the formula that gives it."""

    formula: Expression


class TracedFloat(float):
    """A `float` with the formula that gives it."""

    formula: Expression


Traced = TracedInt | TracedFloat


def traced(value: float, formula: Expression) -> int | float:
    """Give a number its formula; a formula that is a literal is just the number."""
    if isinstance(formula, Literal) or isinstance(value, bool):
        return plain(value)
    number = TracedInt(value) if isinstance(value, int) else TracedFloat(value)
    number.formula = formula
    return number


def plain(value: object) -> int | float:
    """Return the number without its formula."""
    return int(value) if isinstance(value, int) else float(cast("float", value))


def formula(value: object) -> Expression:
    """Return the expression that writes a value: its formula, or its literal."""
    if isinstance(value, Traced):
        return value.formula
    if isinstance(value, (list, tuple)):
        items = tuple(formula(item) for item in cast("Iterable[object]", value))
        return Series(items, is_tuple=isinstance(value, tuple))
    if value is None or isinstance(value, (bool, int, float, str)):
        return Literal(value)
    message = f"a {type(value).__name__} cannot be written in source"
    raise TypeError(message)


def added(numbers: Iterable[int]) -> int:
    """Return the sum; where numbers have formulas so has it: ``2 * (width // 2) + 3``."""
    numbers = list(numbers)
    if len(numbers) > LARGEST_FORMULA:
        return sum(map(int, numbers))
    known = sum(number for number in numbers if not isinstance(number, TracedInt))
    counts = Counter(number.formula for number in numbers if isinstance(number, TracedInt))
    terms = [
        term if count == 1 else Binary("*", Literal(count), term) for term, count in counts.items()
    ]
    terms += [Literal(known)] if known or not terms else []
    whole = reduce(partial(Binary, "+"), terms)
    return cast(
        "int", traced(sum(numbers), whole) if size(whole) <= LARGEST_FORMULA else sum(numbers)
    )


def _rewrite(expression: Expression, change: Callable[[Name], Expression]) -> Expression:
    match expression:
        case Name():
            return change(expression)
        case Binary(operator, left, right):
            return Binary(operator, _rewrite(left, change), _rewrite(right, change))
        case Unary(operator, operand):
            return Unary(operator, _rewrite(operand, change))
        case Call(function, arguments, keywords):
            changed = tuple(_rewrite(argument, change) for argument in arguments)
            named = tuple((name, _rewrite(value, change), at) for name, value, at in keywords)
            return Call(function, changed, named)
        case Series(items, is_tuple):
            return Series(tuple(_rewrite(item, change) for item in items), is_tuple)
        case _:
            return expression


def substitute(value: Number, replacements: MappingType[str, object]) -> Number:
    """Rewrite a traced number in terms of the caller's names; without a way to, it is a number.

    A formula that still names something of the inner module afterwards is dropped, since the
    caller cannot write it; so is one that has grown too long.
    """
    if not isinstance(value, Traced):
        return value
    number = cast("Number", plain(value))
    if not names_in(value.formula) <= replacements.keys():
        return number
    rewritten = fold(_rewrite(value.formula, lambda name: formula(replacements[name.id])))
    if size(rewritten) > LARGEST_FORMULA:
        return number
    return outside_turns(cast("Number", traced(number, rewritten)))


def at_turn(expression: Expression, number: int) -> Expression:
    """Write an expression for one turn, with the turn's number in the place of its name."""
    return _rewrite(expression, lambda name: Literal(number) if isinstance(name, Turn) else name)


def outside_turns(value: T) -> T:
    """Return a value as other rows may write it: a number that depends on the turn is a number."""
    if isinstance(value, Traced) and _has_turn(value.formula):
        return cast("T", plain(value))
    return value


def _has_turn(expression: Expression) -> bool:
    match expression:
        case Turn():
            return True
        case Binary(_, left, right):
            return _has_turn(left) or _has_turn(right)
        case Unary(_, operand):
            return _has_turn(operand)
        case Call(_, arguments):
            return any(map(_has_turn, arguments))
        case _:
            return False


def names_in(expression: Expression) -> set[str]:
    """Return the names that an expression reads, number functions aside."""
    match expression:
        case Name(name):
            return {name}
        case Binary(_, left, right) | Compare(_, left, right):
            return names_in(left) | names_in(right)
        case Call(_, arguments, keywords):
            parts = [*arguments, *(value for _, value, _ in keywords)]
            return set[str]().union(*map(names_in, parts))
        case Series(items) | Logic(_, items):
            return set[str]().union(*map(names_in, items))
        case Conditional(test, then, otherwise):
            return names_in(test) | names_in(then) | names_in(otherwise)
        case Mapping(items):
            return set[str]().union(*(names_in(value) for _, value in items))
        case Attribute(value, _) | Star(value) | Unary(_, value):
            return names_in(value)
        case Index(value, index):
            return names_in(value) | names_in(index)
        case _:
            return set()


def size(expression: Expression) -> int:
    """Return how many names, numbers and operations a formula has."""
    match expression:
        case Binary(_, left, right):
            return 1 + size(left) + size(right)
        case Unary(_, operand):
            return 1 + size(operand)
        case Call(_, arguments):
            return 1 + sum(map(size, arguments))
        case Series(items):
            return 1 + sum(map(size, items))
        case _:
            return 1


def fold(expression: Expression) -> Expression:
    """Compute the arithmetic between literals."""
    if isinstance(expression, Unary):
        match fold(expression.operand):
            case Literal(int() | float() as number):
                return Literal(-number)
            case operand:
                return Unary(expression.operator, operand)
    if not isinstance(expression, Binary):
        return expression
    left, right = fold(expression.left), fold(expression.right)
    if isinstance(left, Literal) and isinstance(right, Literal):
        a, b = left.value, right.value
        if isinstance(a, int) and isinstance(b, int) and expression.operator in {"+", "-", "*"}:
            return Literal({"+": a + b, "-": a - b, "*": a * b}[expression.operator])
    return Binary(expression.operator, left, right)
