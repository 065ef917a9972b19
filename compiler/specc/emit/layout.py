"""Lay statements out as `ruff format` does: on one line, or opened at their brackets."""

from __future__ import annotations

from dataclasses import dataclass, field

from specc.emit.text import PRECEDENCE, Comprehension, Table, Unpacked, operand, quoted, text
from specc.values.expression import Binary, Call, Expression, Series, Star, Unary

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
    targets = before.removesuffix(" = ").split(", ")
    if len(targets) > 1 and len(f"{indent}{before}(") > WIDTH:
        names = [f"{indent}    {name}," for name in targets]
        return [f"{indent}(", *names, *statement(") = ", expression, depth, behind)]
    head, tail = _opened(expression) or (text(expression), "")
    if before.endswith((" = ", "return ")) and len(f"{indent}{before}{head}") > WIDTH:
        return [f"{indent}{before}(", *statement("", expression, depth + 4), f"{indent}){behind}"]
    if not tail:
        return [line]
    return [f"{indent}{before}{head}", *_inner(expression, depth + 4), f"{indent}{tail}{behind}"]


def _opened(expression: Expression) -> tuple[str, str] | None:
    """Return what opens an expression that can be opened, and what closes it."""
    match expression:
        case Unpacked() | Binary():
            return "(", ")"
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
        case Unary(sign, value):
            opened = _opened(value)
            return None if opened is None else (f"{sign}{opened[0]}", opened[1])
        case _:
            return None


def _inner(expression: Expression, depth: int) -> list[str]:
    """Write what stands between the brackets."""
    match expression:
        case Star(value) | Unary(_, value):
            return _inner(value, depth)
        case Binary():
            return _terms(expression, depth)
        case Unpacked(items):
            return _one_each([("", item) for item in items], depth)
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
            return _one_each([("", part) for part in parts], depth)
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


def _terms(expression: Binary, depth: int) -> list[str]:
    """Write ``a + b - c`` with a line for each term, behind its operator."""
    operator, left, right = expression.operator, expression.left, expression.right
    if isinstance(left, Binary) and PRECEDENCE[left.operator] == PRECEDENCE[operator]:
        first = _terms(left, depth)
    else:
        first = _term("", left, operand(left, operator), depth)
    return [*first, *_term(f"{operator} ", right, operand(right, operator, is_right=True), depth)]


def _term(before: str, expression: Expression, written: str, depth: int) -> list[str]:
    indent = " " * depth
    line = f"{indent}{before}{written}"
    if len(line) > WIDTH and isinstance(expression, Binary) and written != text(expression):
        return [f"{indent}{before}(", *_terms(expression, depth + 4), f"{indent})"]
    return [line] if len(line) <= WIDTH else statement(before, expression, depth)
