"""Write expressions as source on one line.

Values of a spec reach the source only through here: names, numbers, strings by `repr`, lists.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    Star,
    Unary,
)

__all__ = ["PRECEDENCE", "Comprehension", "Table", "Unpacked", "operand", "quoted", "text"]

PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2, "**": 4}


@dataclass(frozen=True, slots=True)
class Comprehension(Expression):
    """``[element for target in iterable]``; `bare` ones are the only argument of a call."""

    element: Expression
    target: str
    iterable: Expression
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Unpacked(Expression):
    """``a, b`` without brackets, in a `return`."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Table(Expression):
    """A dict of literals."""

    items: tuple[tuple[str, Expression], ...]


def text(expression: Expression) -> str:
    """Write an expression on one line."""
    match expression:
        case Literal(str() as value):
            return quoted(value)
        case Literal(value):
            return repr(value)
        case Name(name):
            return name
        case Attribute(value, name):
            return f"{text(value)}.{name}"
        case Call(function, _, _):
            return f"{text(function)}({', '.join(_arguments(expression))})"
        case Index(value, index):
            return f"{text(value)}[{text(index)}]"
        case Slice(lower, upper):
            return f"{text(lower) if lower else ''}:{text(upper) if upper else ''}"
        case Binary(operator, left, right):
            spaced = f" {operator} " if operator != "**" else "**"
            return f"{operand(left, operator)}{spaced}{operand(right, operator, is_right=True)}"
        case Unary(sign, value):
            return f"{sign}{operand(value, '*', is_right=True)}"
        case _:
            return _collection(expression)


def _collection(expression: Expression) -> str:
    match expression:
        case Series(items, is_tuple):
            inner = ", ".join(map(text, items))
            if is_tuple:
                return f"({inner},)" if len(items) == 1 else f"({inner})"
            return f"[{inner}]"
        case Unpacked(items):
            return ", ".join(map(text, items))
        case Star(Comprehension(bare=True) as value):
            return f"*({text(value)})"
        case Star(value):
            return f"*{text(value)}"
        case Comprehension(element, target, iterable, bare):
            inner = f"{text(element)} for {target} in {text(iterable)}"
            return inner if bare else f"[{inner}]"
        case Table(items):
            return "{" + ", ".join(f"{quoted(key)}: {text(value)}" for key, value in items) + "}"
        case _:
            message = f"{type(expression).__name__} has no form in emitted source"
            raise TypeError(message)


def operand(expression: Expression, operator: str, *, is_right: bool = False) -> str:
    """Write an operand of `operator`, in parentheses where it binds less."""
    written = text(expression)
    if not isinstance(expression, Binary):
        is_negative = operator == "**" and not is_right and written.startswith("-")
        return f"({written})" if is_negative else written
    outer, inner = PRECEDENCE[operator], PRECEDENCE[expression.operator]
    groups_otherwise = is_right is not (operator == "**")  # `**` alone groups from the right
    return f"({written})" if inner < outer or (groups_otherwise and inner == outer) else written


def quoted(value: str) -> str:
    """Write a string with double quotes, as the formatter does, by `repr` and nothing else."""
    written = repr(value)
    if written[0] == "'" and '"' not in written and "\\'" not in written:
        return f'"{written[1:-1]}"'
    return written


def _arguments(call: Call) -> list[str]:
    positional = [text(argument) for argument in call.arguments]
    return positional + [f"{name}={text(value)}" for name, value, _ in call.keywords]
