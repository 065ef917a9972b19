"""Read expressions from text, without ever running them.

Python's own parser reads the text; a whitelist then rebuilds it from the nodes of the expression
language, and everything else is refused with its position. Limits on length and nesting apply
before and while that is done.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING, cast

from specc.values.expression import (
    Attribute,
    Binary,
    Call,
    Compare,
    Conditional,
    ExpressionError,
    Index,
    Literal,
    Logic,
    Mapping,
    Name,
    Series,
    Slice,
    Star,
    Unary,
)

if TYPE_CHECKING:
    from specc.values.expression import At, Expression

__all__ = ["parse_expression"]

LONGEST_EXPRESSION = 2000
DEEPEST_BRACKETS = 24
DEEPEST_EXPRESSION = 100

_LINE_BREAK = re.compile(r"\r\n?|\n")
_NUMBERED_TAP = re.compile(r"(?<![\w.])([A-Za-z_][\w.]*)\.\d+")
_PADDED_NUMBER = re.compile(r"(?<![\w.])0+([1-9]\d*)(?![\w.])")
_JOINED_NUMBERS = re.compile(r"(?<![\w.'\"])(?!0x)\d+(?:\s*[x\u00d7]\s*\d+)+(?![\w.])")
_NAME_PARTS = "name its parts under `let`"

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
_UNARY: dict[type[ast.unaryop], str] = {ast.USub: "-", ast.UAdd: "+", ast.Not: "not"}
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}


def parse_expression(text: str) -> Expression:
    """Parse one expression.

    Raises:
        ExpressionError: the text is too long or nested, or is outside the language.
    """
    _check_limits(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise _syntax_error(text, error) from None
    return _Reader(text).read(tree.body)


def _check_limits(text: str) -> None:
    """Refuse what Python's parser should not even see; the reader bounds all other nesting."""
    if len(text) > LONGEST_EXPRESSION:
        message = (
            f"this expression has {len(text):,} characters; {LONGEST_EXPRESSION:,} are allowed"
        )
        raise ExpressionError(message, (0, 40), _NAME_PARTS, "E0212")
    depth = 0
    for position, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth > DEEPEST_BRACKETS:
            message = f"brackets are nested more than {DEEPEST_BRACKETS} deep"
            raise ExpressionError(message, (position, position + 1), _NAME_PARTS, "E0212")


def _syntax_error(text: str, error: Exception) -> ExpressionError:
    if not isinstance(error, SyntaxError):
        message = "this expression is too large to read"
        return ExpressionError(message, (0, len(text)), _NAME_PARTS, "E0212")
    place = _line_starts(text)[(error.lineno or 1) - 1] + (error.offset or 1) - 1
    start = max(0, min(place, len(text) - 1))
    known = _known_mistake(text)
    if known is not None:
        return known
    said = (error.msg or "invalid syntax").removesuffix(". Perhaps you forgot a comma?")
    said = said.partition(" (detected")[0].replace("'", "`")
    message = (
        "this is not an expression" if said == "invalid syntax" else f"not an expression: {said}"
    )
    return ExpressionError(message, (start, start + 1), _syntax_help(text), "E0204")


def _known_mistake(text: str) -> ExpressionError | None:
    """Return the finding of what people write and Python's parser has no good word for."""
    tap = _NUMBERED_TAP.search(text)
    if tap is not None:
        message = f"`{tap[0]}` takes a row by its number; rows are taken by name"
        help = f"name it where it stands, `- name: ...`, and write `{tap[1]}.name`"
        return ExpressionError(message, tap.span(), help, "E0204")
    padded = _PADDED_NUMBER.search(text)
    if padded is not None:
        message = f"`{padded[0]}`: a number does not begin with 0"
        return ExpressionError(message, padded.span(), f"write {padded[1]}", "E0204")
    joined = _JOINED_NUMBERS.search(text)
    if joined is not None:
        message = f"`{joined[0]}`: several numbers are a list"
        help = f"write `[{', '.join(re.findall(r'[0-9]+', joined[0]))}]`"
        return ExpressionError(message, joined.span(), help, "E0204")
    return None


def _line_starts(text: str) -> list[int]:
    """Return the offset of each line, as Python counts them, and once more that of the end."""
    return [0, *(found.end() for found in _LINE_BREAK.finditer(text)), len(text)]


def _syntax_help(text: str) -> str:
    """Say what to mend: the brackets if they do not pair up, else where to look."""
    for opening, closing in ("()", "[]", "{}"):
        missing = text.count(opening) - text.count(closing)
        if missing:
            return f"{'add' if missing > 0 else 'remove'} {abs(missing)} `{closing}`"
    return "check the commas, the quotes and the words before this place"


class _Reader:
    """Rebuilds Python's tree from the whitelist."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = _line_starts(text)
        self.depth = 0

    def place(self, line: int, offset: int) -> int:
        """Turn Python's line and UTF-8 offset into a character offset."""
        start, end = self.starts[line - 1 : line + 1]
        return start + len(self.text[start:end].encode()[:offset].decode(errors="ignore"))

    def at(self, node: ast.expr | ast.keyword) -> At:
        start = self.place(node.lineno, node.col_offset)
        if node.end_lineno is None or node.end_col_offset is None:
            return start, start + 1
        return start, self.place(node.end_lineno, node.end_col_offset)

    def read(self, node: ast.expr) -> Expression:
        method = getattr(self, f"read_{type(node).__name__.lower()}", None)
        if method is None:
            raise self.refuse(node)
        if self.depth >= DEEPEST_EXPRESSION:
            message = f"this expression is nested more than {DEEPEST_EXPRESSION} deep"
            raise ExpressionError(message, self.at(node), _NAME_PARTS, "E0212")
        self.depth += 1
        read = method(node)
        self.depth -= 1
        return read

    def refuse(self, node: ast.expr | ast.keyword) -> ExpressionError:
        start, end = self.at(node)
        shown = self.text[start:end] if end - start <= 40 else f"{self.text[start : start + 39]}…"
        return ExpressionError(
            f"`{shown}` is not part of the expression language",
            (start, end),
            "there are numbers, names, lists, arithmetic, comparisons and `a if c else b`",
            "E0213",
        )

    def read_constant(self, node: ast.Constant) -> Expression:
        if isinstance(node.value, (bytes, complex)) or node.value is Ellipsis:
            raise self.refuse(node)
        return Literal(cast("int | float | str | bool | None", node.value), at=self.at(node))

    def read_name(self, node: ast.Name) -> Expression:
        return Name(node.id, at=self.at(node))

    def read_attribute(self, node: ast.Attribute) -> Expression:
        if node.attr.startswith("__"):
            raise self.refuse(node)
        return Attribute(self.read(node.value), node.attr, at=self.at(node))

    def read_subscript(self, node: ast.Subscript) -> Expression:
        if isinstance(node.slice, ast.Slice):
            if node.slice.step is not None:
                raise self.refuse(node)
            lower, upper = node.slice.lower, node.slice.upper
            index: Expression = Slice(
                self.read(lower) if lower else None,
                self.read(upper) if upper else None,
                at=self.at(node),
            )
        else:
            index = self.read(node.slice)
        return Index(self.read(node.value), index, at=self.at(node))

    def read_list(self, node: ast.List) -> Expression:
        return Series(tuple(map(self.read, node.elts)), at=self.at(node))

    def read_tuple(self, node: ast.Tuple) -> Expression:
        return Series(tuple(map(self.read, node.elts)), is_tuple=True, at=self.at(node))

    def read_dict(self, node: ast.Dict) -> Expression:
        items: list[tuple[str, Expression]] = []
        for key, value in zip(node.keys, node.values, strict=True):
            if not isinstance(key, ast.Name):
                raise self.refuse(node)
            items.append((key.id, self.read(value)))
        return Mapping(tuple(items), at=self.at(node))

    def read_starred(self, node: ast.Starred) -> Expression:
        return Star(self.read(node.value), at=self.at(node))

    def read_unaryop(self, node: ast.UnaryOp) -> Expression:
        if type(node.op) not in _UNARY:
            raise self.refuse(node)
        return Unary(_UNARY[type(node.op)], self.read(node.operand), at=self.at(node))

    def read_binop(self, node: ast.BinOp) -> Expression:
        if type(node.op) not in _BINARY:
            raise self.refuse(node)
        left, right = self.read(node.left), self.read(node.right)
        return Binary(_BINARY[type(node.op)], left, right, at=self.at(node))

    def read_boolop(self, node: ast.BoolOp) -> Expression:
        operator = "and" if isinstance(node.op, ast.And) else "or"
        return Logic(operator, tuple(map(self.read, node.values)), at=self.at(node))

    def read_compare(self, node: ast.Compare) -> Expression:
        if len(node.ops) != 1 or type(node.ops[0]) not in _COMPARE:
            raise self.refuse(node)
        operator = _COMPARE[type(node.ops[0])]
        left, right = self.read(node.left), self.read(node.comparators[0])
        return Compare(operator, left, right, at=self.at(node))

    def read_ifexp(self, node: ast.IfExp) -> Expression:
        parts = self.read(node.test), self.read(node.body), self.read(node.orelse)
        return Conditional(*parts, at=self.at(node))

    def read_call(self, node: ast.Call) -> Expression:
        keywords: list[tuple[str, Expression, At]] = []
        for keyword in node.keywords:
            if keyword.arg is None:
                raise self.refuse(keyword)
            start = self.at(keyword)[0]
            keywords.append(
                (keyword.arg, self.read(keyword.value), (start, start + len(keyword.arg)))
            )
        arguments = tuple(map(self.read, node.args))
        return Call(self.read(node.func), arguments, tuple(keywords), at=self.at(node))
