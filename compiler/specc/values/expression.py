"""The closed expression language of a spec, as a tree; `specc.values.parsing` reads it from text."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Attribute",
    "Binary",
    "Call",
    "Compare",
    "Conditional",
    "Expression",
    "ExpressionError",
    "Index",
    "Literal",
    "Logic",
    "Mapping",
    "Name",
    "Series",
    "Slice",
    "Star",
    "Turn",
    "Unary",
    "placed",
    "shifted",
]

At = tuple[int, int]

_LABELS = {
    "E0204": "not an expression",
    "E0205": "unknown op or module",
    "E0206": "unknown argument",
    "E0207": "arguments are missing",
    "E0208": "one too many",
    "E0209": "again",
    "E0210": "another kind of value",
    "E0211": "out of range",
    "E0212": "too large",
    "E0213": "not in the language",
    "E0214": "cannot be computed",
    "E0218": "too many",
    "E0301": "unknown name",
    "E0303": "not there",
    "E0304": "no input",
    "E0305": "other inputs",
    "E0308": "inside itself",
    "E0310": "unknown variant",
}


class ExpressionError(Exception):
    """A text is not in the expression language, or has no value in its scope.

    Attributes:
        at: its (start, end) in the text.
        help: the edit to make.
        code: the diagnostic's code.
    """

    def __init__(
        self,
        message: str,
        at: At,
        help: str | None = None,
        code: str = "E0214",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        self.help = help
        self.code = code

    @property
    def label(self) -> str:
        """A few words to stand below the place."""
        return _LABELS.get(self.code, "here")


@dataclass(frozen=True, slots=True)
class Expression:
    """A node of the tree; `at` is where its text stands, and does not count for equality."""

    at: At = field(default=(0, 0), compare=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Literal(Expression):
    """A number, string, `True`, `False` or `None`."""

    value: int | float | str | bool | None


@dataclass(frozen=True, slots=True)
class Name(Expression):
    """A name; `_` stands for "infer this"."""

    id: str


@dataclass(frozen=True, slots=True)
class Turn(Name):
    """The name of a repeated row's turn, which stands for its number within that row only."""


@dataclass(frozen=True, slots=True)
class Attribute(Expression):
    """``value.name``: a tap of a module's result, or a property such as `channels`."""

    value: Expression
    name: str


@dataclass(frozen=True, slots=True)
class Index(Expression):
    """``value[index]``."""

    value: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Slice(Expression):
    """``lower:upper`` inside an index."""

    lower: Expression | None
    upper: Expression | None


@dataclass(frozen=True, slots=True)
class Series(Expression):
    """A list ``[a, b]`` or, with `is_tuple`, ``(a, b)``."""

    items: tuple[Expression, ...]
    is_tuple: bool = False


@dataclass(frozen=True, slots=True)
class Mapping(Expression):
    """``{name: shape}``, in expectations of modules with several outputs."""

    items: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True)
class Star(Expression):
    """``*value`` inside a list."""

    value: Expression


@dataclass(frozen=True, slots=True)
class Unary(Expression):
    """``-a``, ``+a`` or ``not a``."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary(Expression):
    """``a + b`` and the other arithmetic operators."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Compare(Expression):
    """One comparison."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Logic(Expression):
    """``a and b``, ``a or b``."""

    operator: str
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Conditional(Expression):
    """``a if test else b``."""

    test: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class Call(Expression):
    """``function(arguments)``: a row's constructor call, or a number function."""

    function: Expression
    arguments: tuple[Expression, ...] = ()
    keywords: tuple[tuple[str, Expression, At], ...] = ()


def shifted(expression: Expression, by: int) -> Expression:
    """Return the expression with all its positions moved."""
    return placed(expression, lambda at: (at[0] + by, at[1] + by))


def placed(expression: Expression, place: Callable[[At], At]) -> Expression:
    """Return the expression with another place for each of its positions."""
    changes: dict[str, Any] = {
        item.name: _placed_value(getattr(expression, item.name), place)
        for item in dataclasses.fields(expression)
    }
    if isinstance(expression, Call):
        named = expression.keywords
        changes["keywords"] = tuple((name, placed(v, place), place(at)) for name, v, at in named)
    return dataclasses.replace(expression, **changes | {"at": place(expression.at)})


def _placed_value(value: object, place: Callable[[At], At]) -> object:
    if isinstance(value, Expression):
        return placed(value, place)
    if isinstance(value, tuple):
        return tuple(_placed_value(item, place) for item in cast("tuple[object, ...]", value))
    return value
