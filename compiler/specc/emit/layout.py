"""Write expressions as source, laid out as `ruff format` lays them out.

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
)

__all__ = ["WIDTH", "Comprehension", "Table", "Unpacked", "statement", "text"]

WIDTH = 100

_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2, "**": 4}


@dataclass(frozen=True, slots=True)
class Comprehension(Expression):
    """``[element for target in iterable]``, or without the brackets inside a call."""

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
            return _quoted(value)
        case Literal(value):
            return repr(value)
        case Name(name):
            return name
        case Attribute(value, name):
            return f"{text(value)}.{name}"
        case Index(value, index):
            return f"{text(value)}[{text(index)}]"
        case Slice(lower, upper):
            return f"{text(lower) if lower else ''}:{text(upper) if upper else ''}"
        case Star(value):
            return f"*{text(value)}"
        case Binary(operator, left, right):
            spaced = f" {operator} " if operator != "**" else "**"
            return f"{_operand(left, operator, False)}{spaced}{_operand(right, operator, True)}"
        case Call(function, _, _):
            return f"{text(function)}({', '.join(_arguments(expression))})"
        case Series(items, is_tuple):
            inner = ", ".join(map(text, items))
            if is_tuple:
                return f"({inner},)" if len(items) == 1 else f"({inner})"
            return f"[{inner}]"
        case Unpacked(items):
            return ", ".join(map(text, items))
        case Comprehension(element, target, iterable, bare):
            inner = f"{text(element)} for {target} in {text(iterable)}"
            return f"({inner})" if bare else f"[{inner}]"
        case Table(items):
            return "{" + ", ".join(f"{_quoted(key)}: {text(value)}" for key, value in items) + "}"
        case _:
            message = f"{type(expression).__name__} has no form in emitted source"
            raise TypeError(message)


def _operand(expression: Expression, operator: str, is_right: bool) -> str:
    written = text(expression)
    if not isinstance(expression, Binary):
        return written
    outer, inner = _PRECEDENCE[operator], _PRECEDENCE[expression.operator]
    return f"({written})" if inner < outer or (is_right and inner == outer) else written


def _quoted(value: str) -> str:
    """Write a string with double quotes, as the formatter does, by `repr` and nothing else."""
    written = repr(value)
    if written[0] == "'" and '"' not in written and "\\'" not in written:
        return f'"{written[1:-1]}"'
    return written


def _arguments(call: Call) -> list[str]:
    positional = [text(argument) for argument in call.arguments]
    return positional + [f"{name}={text(value)}" for name, value, _ in call.keywords]


def statement(prefix: str, expression: Expression, indent: int, suffix: str = "") -> list[str]:
    """Write ``prefix expression suffix``, on several lines if it is too long for one."""
    line = f"{' ' * indent}{prefix}{text(expression)}{suffix}"
    if len(line) <= WIDTH:
        return [line]
    opened = _opened(expression)
    if opened is None:
        if isinstance(expression, (Unpacked, Binary)):
            return _parenthesised(prefix, expression, indent, suffix)
        return [line]
    head, items, tail = opened
    start, end = f"{' ' * indent}{prefix}{head}", f"{' ' * indent}{tail}{suffix}"
    inner = " " * (indent + 4)
    if isinstance(expression, Comprehension):
        return [start, *_comprehension(expression, indent + 4), end]
    joined = inner + ", ".join(f"{name}{text(item)}" for name, item in items)
    if len(joined) <= WIDTH and not isinstance(expression, Table):
        return [start, joined, end]
    lines = [line for name, item in items for line in statement(name, item, indent + 4, ",")]
    return [start, *lines, end]


def _parenthesised(prefix: str, expression: Expression, indent: int, suffix: str) -> list[str]:
    inner = " " * (indent + 4)
    if isinstance(expression, Unpacked):
        joined = inner + text(expression)
        if len(joined) <= WIDTH:
            return [f"{' ' * indent}{prefix}(", joined, f"{' ' * indent}){suffix}"]
        lines = [line for item in expression.items for line in statement("", item, indent + 4, ",")]
    else:
        lines = [inner + part for part in _operands(expression)]
    return [f"{' ' * indent}{prefix}(", *lines, f"{' ' * indent}){suffix}"]


def _operands(expression: Expression) -> list[str]:
    if isinstance(expression, Binary) and _PRECEDENCE[expression.operator] == 1:
        left = _operands(expression.left)
        return [*left, f"{expression.operator} {_operand(expression.right, expression.operator, True)}"]
    return [text(expression)]


def _opened(
    expression: Expression,
) -> tuple[str, list[tuple[str, Expression]], str] | None:
    """Return what opens a bracketed expression, its items with their prefixes, what closes it."""
    match expression:
        case Call(function, arguments, keywords) if arguments or keywords:
            items = [("", argument) for argument in arguments]
            items += [(f"{name}=", value) for name, value, _ in keywords]
            return f"{text(function)}(", items, ")"
        case Series(items, is_tuple) if items:
            brackets = "()" if is_tuple else "[]"
            return brackets[0], [("", item) for item in items], brackets[1]
        case Table(items):
            return "{", [(f"{_quoted(key)}: ", value) for key, value in items], "}"
        case Comprehension(_, _, _, bare):
            return ("(", [], ")") if bare else ("[", [], "]")
        case Star(value):
            opened = _opened(value)
            return None if opened is None else (f"*{opened[0]}", opened[1], opened[2])
        case _:
            return None


def _comprehension(expression: Comprehension, indent: int) -> list[str]:
    spaces = " " * indent
    clause = f"for {expression.target} in "
    line = f"{spaces}{text(expression.element)} {clause}{text(expression.iterable)}"
    if len(line) <= WIDTH:
        return [line]
    element = statement("", expression.element, indent)
    return [*element, *statement(clause, expression.iterable, indent)]
