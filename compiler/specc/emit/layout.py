"""Lay statements out as `ruff format` does: on one line, or opened at their brackets."""

from __future__ import annotations

from dataclasses import dataclass, field

from specc.emit.text import Comprehension, Table, Unpacked, operand, quoted, text
from specc.values.expression import Binary, Call, Expression, Series, Star

__all__ = ["WIDTH", "Line", "statement"]

WIDTH = 100


@dataclass(frozen=True, slots=True)
class Line:
    """A statement: what stands before and behind its expression, and a remark.

    `depth` is the indent in the file. Two lines that differ in their remarks only are equal.
    """

    depth: int
    before: str
    value: Expression | None = None
    behind: str = ""
    remark: str = field(default="", compare=False)

    def lines(self) -> list[str]:
        """Return the source, with the remark behind it, or above it where it is too long."""
        indent = " " * self.depth
        if self.value is None:
            written = [f"{indent}{self.before}"]
        else:
            written = statement(self.before, self.value, self.depth, self.behind)
        if not self.remark:
            return written
        if len(written[-1]) + len(self.remark) + 4 <= WIDTH:
            return [*written[:-1], f"{written[-1]}  # {self.remark}"]
        above = f"{indent}# {self.remark}"
        return [above, *written] if len(above) <= WIDTH else written


def statement(before: str, expression: Expression, depth: int, behind: str = "") -> list[str]:
    """Write ``before expression behind``, on several lines if it is too long for one."""
    indent = " " * depth
    line = f"{indent}{before}{text(expression)}{behind}"
    if len(line) <= WIDTH:
        return [line]
    if isinstance(expression, (Unpacked, Binary)):
        return [f"{indent}{before}(", *_terms(expression, depth + 4), f"{indent}){behind}"]
    opened = _opened(expression)
    if opened is None:
        return [line]
    head, tail = opened
    return [f"{indent}{before}{head}", *_inner(expression, depth + 4), f"{indent}{tail}{behind}"]


def _opened(expression: Expression) -> tuple[str, str] | None:
    """Return what opens a bracketed expression and what closes it."""
    match expression:
        case Call(function, arguments, keywords) if arguments or keywords:
            return f"{text(function)}(", ")"
        case Series(items, is_tuple) if items:
            return ("(", ")") if is_tuple else ("[", "]")
        case Table(items) if items:
            return "{", "}"
        case Comprehension():
            return "[", "]"
        case Star(Comprehension(bare=True)):
            return "*(", ")"
        case Star(value):
            opened = _opened(value)
            return None if opened is None else (f"*{opened[0]}", opened[1])
        case _:
            return None


def _inner(expression: Expression, depth: int) -> list[str]:
    """Write what stands between the brackets."""
    match expression:
        case Star(value):
            return _inner(value, depth)
        case Comprehension():
            return _comprehension(expression, depth)
        case Call(_, (Comprehension(bare=True) as only,), ()):
            return _comprehension(only, depth)
        case Call(_, (only,), ()) if not isinstance(only, Star):
            return statement("", only, depth)
        case Call(_, arguments, keywords):
            items = [("", argument) for argument in arguments]
            items += [(f"{name}=", value) for name, value, _ in keywords]
        case Table(pairs):
            entries = [(f"{quoted(key)}: ", value) for key, value in pairs]
            return _one_each(entries, depth)
        case Series(parts):
            items = [("", part) for part in parts]
        case _:
            items = []
    joined = " " * depth + ", ".join(f"{name}{text(item)}" for name, item in items)
    return [joined] if len(joined) <= WIDTH else _one_each(items, depth)


def _one_each(items: list[tuple[str, Expression]], depth: int) -> list[str]:
    return [line for name, item in items for line in statement(name, item, depth, ",")]


def _comprehension(expression: Comprehension, depth: int) -> list[str]:
    clause = f"for {expression.target} in "
    line = f"{' ' * depth}{text(expression.element)} {clause}{text(expression.iterable)}"
    if len(line) <= WIDTH:
        return [line]
    element = statement("", expression.element, depth)
    return [*element, *statement(clause, expression.iterable, depth)]


def _terms(expression: Unpacked | Binary, depth: int) -> list[str]:
    """Write the items of a tuple or the terms of a sum, in parentheses."""
    if isinstance(expression, Unpacked):
        joined = " " * depth + text(expression)
        return (
            [joined]
            if len(joined) <= WIDTH
            else _one_each([("", i) for i in expression.items], depth)
        )
    return [" " * depth + term for term in _operands(expression, expression.operator)]


def _operands(expression: Expression, operator: str) -> list[str]:
    """Split ``a + b + c`` before each operator."""
    if not isinstance(expression, Binary) or expression.operator != operator:
        return [text(expression)]
    last = operand(expression.right, operator, is_right=True)
    return [*_operands(expression.left, operator), f"{operator} {last}"]
