"""Evaluate expressions of a spec: a closed set of operations over numbers, lists and names."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, cast

from specc.values.expression import (
    At,
    Attribute,
    Binary,
    Call,
    Compare,
    Conditional,
    Expression,
    ExpressionError,
    Index,
    Literal,
    Logic,
    Name,
    Series,
    Slice,
    Star,
    Turn,
    Unary,
)
from specc.values.numbers import is_number, is_whole
from specc.values.traced import (
    LARGEST_FORMULA,
    Traced,
    formula,
    names_in,
    plain,
    size,
    traced,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["FUNCTIONS", "LONGEST_LIST", "Evaluator", "Tapped", "make_divisible"]

LONGEST_LIST = 10_000
LARGEST_NUMBER = 2**53
LARGEST_EXPONENT = 64

_CHECK = "check the values, and those of the names in it"


class Tapped(Protocol):
    """A value whose parts have names: a module's result, a tensor with its `channels`."""

    def tap(self, name: str, at: At) -> object:
        """Return the part, or raise `ExpressionError`."""
        ...

    def item(self, index: int | slice, at: At) -> object:
        """Return the output at a place, or raise `ExpressionError`."""
        ...

    def truth(self, at: At) -> bool:
        """Return what it decides as a condition, or raise `ExpressionError`."""
        ...


def make_divisible(value: float, divisor: int) -> int:
    """Round to a multiple of `divisor`, never below 90 % of `value` (Howard et al., MobileNet)."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def _ranged(*bounds: int) -> list[int]:
    numbers = range(*bounds)
    if len(numbers) > LONGEST_LIST:
        message = f"range gives {len(numbers):,} numbers; {LONGEST_LIST:,} are allowed"
        raise ValueError(message)
    return list(numbers)


def _reversed(values: list[object]) -> list[object]:
    return list(reversed(values))


FUNCTIONS: dict[str, Callable[..., object]] = {
    "ceil": math.ceil,
    "exp": math.exp,
    "floor": math.floor,
    "len": len,
    "log": math.log,
    "make_divisible": make_divisible,
    "max": max,
    "min": min,
    "range": _ranged,
    "reversed": _reversed,
    "round": round,
    "sqrt": math.sqrt,
    "sum": sum,
}
_KNOWN = ", ".join(f"`{name}`" for name in FUNCTIONS)
_TRACEABLE = {"ceil", "exp", "floor", "log", "make_divisible", "max", "min", "round", "sqrt"}

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": operator.mod,
    "**": lambda a, b: a**b,
}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda a, b: a in b,
    "not in": lambda a, b: a not in b,
}


class Evaluator:
    """Evaluates expressions with the names of one scope.

    `pinned` gathers the names of parameters whose value has decided something (a condition, a
    count, an index), so that they cannot stay open in the emitted class.
    """

    def __init__(self, lookup: Callable[[str, At], object]) -> None:
        self.lookup = lookup
        self.pinned: set[str] = set()

    def __call__(self, expression: Expression) -> Any:
        """Evaluate, or raise `ExpressionError` at the part that cannot be."""
        method = getattr(self, f"_{type(expression).__name__.lower()}", None)
        if method is None:
            self._fail("this cannot stand here", expression.at)
        return method(expression)

    def pin(self, value: Any) -> Any:
        """Return a value to decide with, and note the parameters it came from."""
        if isinstance(value, Traced):
            self.pinned |= names_in(value.formula)
        elif isinstance(value, (list, tuple)):
            for item in cast("list[Any]", value):
                self.pin(item)
        return cast("Any", value)

    def decide(self, expression: Expression) -> Any:
        """Evaluate what decides something; the parameters it reads cannot stay open."""
        return self.pin(self(expression))

    def truth(self, expression: Expression) -> bool:
        """Evaluate a condition, or raise `ExpressionError` where its value decides nothing."""
        return self._truth_of(self.decide(expression), expression.at)

    @staticmethod
    def _truth_of(value: object, at: At) -> bool:
        return cast("Tapped", value).truth(at) if hasattr(value, "truth") else bool(value)

    @staticmethod
    def _fail(message: str, at: At, help: str = _CHECK) -> NoReturn:
        raise ExpressionError(message, at, help)

    def _literal(self, node: Literal) -> object:
        if is_number(node.value):
            self._bounded(node.value, node.at)
        return node.value

    def _name(self, node: Name) -> object:
        return self.lookup(node.id, node.at)

    def _turn(self, node: Turn) -> object:
        return self.lookup(node.id, node.at)

    def _series(self, node: Series) -> list[object] | tuple[object, ...]:
        values: list[object] = []
        for item in node.items:
            if isinstance(item, Star):
                values += self._list(item.value)
            else:
                values.append(self(item))
        self._limit(values, node.at)
        return tuple(values) if node.is_tuple else values

    def _limit(self, values: list[object], at: At) -> None:
        """Refuse a list that holds too much, its inner lists included."""
        if _items(values) > LONGEST_LIST:
            self._fail(f"a list may hold {LONGEST_LIST:,} items", at, "take some out")

    def _list(self, node: Expression) -> list[object]:
        value = self._parts(node)
        if not isinstance(value, (list, tuple)):
            self._fail("`*` needs a list", node.at)
        return list(cast("list[object]", value))

    def _unary(self, node: Unary) -> object:
        if node.operator == "not":
            return not self.truth(node.operand)
        value = self(node.operand)
        if not is_number(value):
            self._fail(f"`{node.operator}` needs a number", node.at)
        if node.operator == "+":
            return value
        if not isinstance(value, Traced):
            return -value
        return self._open(-value, Unary("-", formula(value)))

    def _binary(self, node: Binary) -> object:
        left, right = self(node.left), self(node.right)
        if node.operator == "+" and all(isinstance(side, list) for side in (left, right)):
            joined = cast("list[object]", left) + cast("list[object]", right)
            self._limit(joined, node.at)
            return joined
        if not (is_number(left) and is_number(right)):
            kinds = f"{_kind(left)} {node.operator} {_kind(right)}"
            self._fail(f"`{node.operator}` is for two numbers; this is {kinds}", node.at)
        return self._binary_of(node.operator, left, right, node.at)

    def _binary_of(self, sign: str, left: float, right: float, at: At) -> object:
        if sign == "**" and abs(right) > LARGEST_EXPONENT:
            self._fail(f"the exponent is larger than {LARGEST_EXPONENT}", at, "write the number")
        try:
            value = _ARITHMETIC[sign](left, right)
        except (ZeroDivisionError, OverflowError, ValueError) as error:
            self._fail(f"this cannot be computed: {error}", at)
        if isinstance(value, complex):
            self._fail("this is not a real number", at)
        self._bounded(value, at)
        if not (isinstance(left, Traced) or isinstance(right, Traced)):
            return value
        is_one = right == 1 and isinstance(right, int) and not isinstance(right, Traced)
        if sign in {"*", "//"} and is_one and isinstance(left, int):
            return left
        return self._open(value, Binary(sign, formula(left), formula(right)))

    def _open(self, value: float, expression: Expression) -> float:
        """Give a number its formula; one too long to be read decides its parameters instead."""
        if size(expression) <= LARGEST_FORMULA:
            return traced(value, expression)
        self.pinned |= names_in(expression)
        return plain(value)

    def _bounded(self, value: float, at: At) -> None:
        if not abs(value) <= LARGEST_NUMBER:
            self._fail("this number is too large", at, "no size of a model is above 2**53")

    def _compare(self, node: Compare) -> bool:
        left, right = self.decide(node.left), self.decide(node.right)
        try:
            return _COMPARISONS[node.operator](left, right)
        except TypeError:
            kinds = f"{_kind(left)} {node.operator} {_kind(right)}"
            self._fail(f"these cannot be compared: {kinds}", node.at)

    def _logic(self, node: Logic) -> object:
        value: object = None
        for item in node.items:
            value = self.decide(item)
            is_last = item is node.items[-1]
            if not is_last and self._truth_of(value, item.at) == (node.operator == "or"):
                break
        return value

    def _conditional(self, node: Conditional) -> object:
        return self(node.then if self.truth(node.test) else node.otherwise)

    def _attribute(self, node: Attribute) -> object:
        value = self(node.value)
        if isinstance(value, (list, tuple)):
            return [self._tap(item, node) for item in cast("list[object]", value)]
        return self._tap(value, node)

    def _tap(self, value: object, node: Attribute) -> object:
        if not hasattr(value, "tap"):
            self._fail(f"{_kind(value)} has no `{node.name}`", node.at)
        return cast("Tapped", value).tap(node.name, node.at)

    def _index(self, node: Index) -> object:
        value = self(node.value)
        if isinstance(node.index, Slice):
            bounds = (node.index.lower, node.index.upper)
            index: Any = slice(*(None if b is None else self._whole(b) for b in bounds))
        else:
            index = self._whole(node.index)
        if hasattr(value, "item"):
            return cast("Tapped", value).item(index, node.at)
        if not isinstance(value, (list, tuple)):
            self._fail(f"{_kind(value)} has no items", node.at)
        items = cast("list[object]", value)
        if isinstance(index, int) and not -len(items) <= index < len(items):
            self._fail(f"item {index} of a list of {len(items)}", node.at)
        return items[index]

    def _whole(self, node: Expression) -> int:
        value = self.decide(node)
        if not is_whole(value):
            self._fail("a whole number is needed here", node.at)
        return int(value)

    def _parts(self, node: Expression) -> object:
        """Return a value, a module's result as the list of its outputs."""
        value = self(node)
        return cast("Tapped", value).item(slice(None), node.at) if hasattr(value, "item") else value

    def _call(self, node: Call) -> object:
        name = node.function.id if isinstance(node.function, Name) else None
        if name not in FUNCTIONS:
            shown = f"`{name}`" if name else "this"
            message = f"{shown} is not a function of the expression language"
            raise ExpressionError(message, node.function.at, f"there are {_KNOWN}", "E0213")
        if node.keywords:
            self._fail(f"`{name}` takes no keywords", node.at, "give the values alone, in order")
        values = [self._parts(argument) for argument in node.arguments]
        try:
            value = FUNCTIONS[name](*values)
        except (ValueError, OverflowError) as error:
            self._fail(f"`{name}` cannot take this: {error}", node.at)
        except (TypeError, ZeroDivisionError, AttributeError):
            given = ", ".join(map(_kind, values)) or "no argument"
            self._fail(f"`{name}` cannot take this: {given}", node.at)
        if is_number(value):
            self._bounded(value, node.at)
        if name in _TRACEABLE and any(isinstance(v, Traced) for v in values):
            expression = Call(node.function, tuple(formula(v) for v in values))
            return self._open(cast("float", value), expression)
        self.pin(values)
        return plain(value) if isinstance(value, Traced) else value


def _items(values: Sequence[Any]) -> int:
    """Count the items of a list and of the lists inside it, each of which is within the limit."""
    return len(values) + sum(_items(value) for value in values if type(value) in (list, tuple))


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    names: dict[type, str] = {bool: "true/false", str: "a text", list: "a list", tuple: "a list"}
    if type(value) in names:
        return names[type(value)]
    return "a number" if isinstance(value, (int, float)) else "a tensor or module"
