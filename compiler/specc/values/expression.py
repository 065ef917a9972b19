"""The closed expression language of a spec, as a tree that is parsed but never run by Python.

Python's own parser reads the text; a whitelist then rebuilds it from the node types below, and
everything else is refused with its position. Limits on length and nesting apply before parsing.
"""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass, field

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
    "Unary",
    "parse_expression",
]

LONGEST_EXPRESSION = 2000
DEEPEST_EXPRESSION = 24
MOST_OPERATORS = 200

At = tuple[int, int]


class ExpressionError(Exception):
    """A text is not in the expression language; `at` is its (start, end) in the text."""

    def __init__(
        self,
        message: str,
        at: At,
        help: str | None = None,  # noqa: A002
        code: str = "E0214",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        self.help = help
        self.code = code


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
    if len(text) > LONGEST_EXPRESSION:
        message = f"this expression has {len(text):,} characters; {LONGEST_EXPRESSION:,} are allowed"
        raise ExpressionError(message, (0, 40), "name its parts under `let`", "E0212")
    depth = operators = 0
    for position, character in enumerate(text):
        if character in "([{":
            depth += 1
            if depth > DEEPEST_EXPRESSION:
                message = f"brackets are nested more than {DEEPEST_EXPRESSION} deep"
                help = "name the inner parts under `let`"  # noqa: A001
                raise ExpressionError(message, (position, position + 1), help, "E0212")
        elif character in ")]}":
            depth -= 1
        elif character in "+-*/%~":
            operators += 1
    operators += text.count(" not ") + text.count(" if ") + text.count(" and ") + text.count(" or ")
    if operators > MOST_OPERATORS or text.count("not not") or text.count(".") > MOST_OPERATORS:
        message = f"this expression has more than {MOST_OPERATORS} operators"
        raise ExpressionError(message, (0, len(text)), "name its parts under `let`", "E0212")


def _syntax_error(text: str, error: Exception) -> ExpressionError:
    if not isinstance(error, SyntaxError):
        message = "this number or expression is too large to read"
        return ExpressionError(message, (0, len(text)), code="E0212")
    start = max(0, min((error.offset or 1) - 1, len(text)))
    message = (error.msg or "invalid syntax").removesuffix(". Perhaps you forgot a comma?")
    return ExpressionError(message, (start, min(start + 1, len(text)) if text else 0), code="E0204")


class _Reader:
    """Rebuilds Python's tree from the whitelist."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.ascii = text.isascii()
        self.encoded = b"" if self.ascii else text.encode()

    def column(self, offset: int) -> int:
        """Turn Python's UTF-8 offset into a character offset."""
        return offset if self.ascii else len(self.encoded[:offset].decode(errors="ignore"))

    def at(self, node: ast.expr | ast.keyword) -> At:
        end = node.end_col_offset
        start = self.column(node.col_offset)
        if node.lineno != 1 or (node.end_lineno or 1) != 1:
            return (0, len(self.text))
        return (start, self.column(end) if end is not None else start + 1)

    def read(self, node: ast.expr) -> Expression:
        method = getattr(self, f"read_{type(node).__name__.lower()}", None)
        if method is None:
            raise self.refuse(node)
        return method(node)

    def refuse(self, node: ast.expr | ast.keyword) -> ExpressionError:
        shown = type(node).__name__
        return ExpressionError(
            f"`{shown}` is not part of the expression language",
            self.at(node),
            "there are numbers, names, lists, arithmetic, comparisons and `a if c else b`",
            "E0213",
        )

    def read_constant(self, node: ast.Constant) -> Expression:
        if isinstance(node.value, (bytes, complex)) or node.value is Ellipsis:
            raise self.refuse(node)
        return Literal(node.value, at=self.at(node))

    def read_name(self, node: ast.Name) -> Expression:
        return Name(node.id, at=self.at(node))

    def read_attribute(self, node: ast.Attribute) -> Expression:
        if node.attr.startswith("__"):
            message = f"`{node.attr}` names nothing in a spec"
            raise ExpressionError(message, self.at(node), code="E0213")
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
            keywords.append((keyword.arg, self.read(keyword.value), (start, start + len(keyword.arg))))
        arguments = tuple(map(self.read, node.args))
        return Call(self.read(node.func), arguments, tuple(keywords), at=self.at(node))
