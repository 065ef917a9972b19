"""Patterns of state-dict keys, in which `{i}` stands for a number and `{p}` for any text.

On the left of a map a hole binds a letter, and may say when the line applies: `{i < 23}`. On the
right a hole is an expression over those letters and the spec's own names: `{i - 23}`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specc.values.expression import ExpressionError, Name
from specc.values.parsing import parse_expression

if TYPE_CHECKING:
    from specc.documents import Report, Scalar
    from specc.values.expression import Expression

__all__ = ["Hole", "KeyPattern", "KeyTemplate", "read_pattern", "read_template"]

TEXT = "p"
NUMBER = "0|[1-9][0-9]*"
_HOLE = re.compile(r"\{([^{}]*)\}")
_LETTER = re.compile(r"(?<![\w.])[a-z](?!\w)")


@dataclass(frozen=True, slots=True)
class Hole:
    """What stands between braces: the letter it would bind, and where its text begins."""

    expression: Expression
    letter: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class KeyTemplate:
    """A key to be computed: literal text and holes in turn."""

    node: Scalar
    pieces: tuple[str | Hole, ...]

    def fault(self, hole: Hole, error: ExpressionError, report: Report, note: str) -> None:
        """Report a hole whose expression has no value."""
        start, end = error.at
        span = self.node.part(hole.start + start, hole.start + max(end, start + 1))
        report.add(error.code, error.message, span, error.label, help=error.help, note=note)


@dataclass(frozen=True, slots=True)
class KeyPattern(KeyTemplate):
    """A form that keys may have."""

    regex: re.Pattern[str]

    @property
    def start(self) -> str:
        """Return the text before the first hole."""
        first = self.pieces[0]
        return first if isinstance(first, str) else ""

    @property
    def conditions(self) -> list[Hole]:
        """Return the holes that say when the pattern applies."""
        holes = [piece for piece in self.pieces if isinstance(piece, Hole)]
        return [hole for hole in holes if not isinstance(hole.expression, Name)]

    def match(self, key: str) -> dict[str, int | str] | None:
        """Return the letters' values where a key has this form, whatever the conditions say."""
        found = self.regex.fullmatch(key) if key.startswith(self.start) else None
        if found is None:
            return None
        groups = found.groupdict().items()
        return {letter: text if letter == TEXT else int(text) for letter, text in groups}


def read_template(node: Scalar, report: Report) -> KeyTemplate | None:
    """Read the right side of a line."""
    pieces = _pieces(node, report)
    return None if pieces is None else KeyTemplate(node, pieces)


def read_pattern(node: Scalar, report: Report) -> KeyPattern | None:
    """Read a pattern; each of its holes binds a letter of its own."""
    pieces = _pieces(node, report)
    if pieces is None:
        return None
    regex = ""
    bound: set[str] = set()
    for before, piece in zip(("", *pieces), pieces, strict=False):
        if isinstance(piece, str):
            regex += re.escape(piece)
            continue
        fault = _fault(piece, bound, before)
        if fault is not None:
            message, help = fault
            span = node.part(piece.start - 1, piece.end + 1)
            report.add("E0701", message, span, "not a pattern", help=help)
            return None
        bound.add(piece.letter)
        regex += f"(?P<{piece.letter}>{'.+' if piece.letter == TEXT else NUMBER})"
    return KeyPattern(node, pieces, re.compile(regex))


def _fault(hole: Hole, bound: set[str], before: str | Hole) -> tuple[str, str] | None:
    """Return what is wrong with a hole of a pattern, and the edit to make."""
    if not hole.letter:
        help = "a number is a letter such as `{i}` or `{i < 23}`; any text is `{p}`"
        return "this stands for no part of a key", help
    if hole.letter in bound:
        return f"`{hole.letter}` stands for two parts of the key", "take another letter"
    if isinstance(before, Hole) or (bound and before.isdigit()):
        return (
            "nothing says where one part ends and the next begins",
            "put text between them that is no number",
        )
    return None


def _pieces(node: Scalar, report: Report) -> tuple[str | Hole, ...] | None:
    """Split a text at its holes and read what they hold."""
    pieces: list[str | Hole] = []
    end = 0
    for found in _HOLE.finditer(node.text):
        hole = _hole(node, found, report)
        if hole is None:
            return None
        pieces += [node.text[end : found.start()], hole]
        end = found.end()
    pieces.append(node.text[end:])
    literal = "".join(piece for piece in pieces if isinstance(piece, str))
    if not node.text or "{" in literal or "}" in literal:
        message = "braces that do not pair up" if node.text else "a key is not empty"
        help = "write `{i}` for a number, `{p}` for any text"
        report.add("E0701", message, node.span, "not a pattern", help=help)
        return None
    return tuple(piece for piece in pieces if piece)


def _hole(node: Scalar, found: re.Match[str], report: Report) -> Hole | None:
    text = found[1].strip()
    start = found.start(1) + found[1].index(text)
    try:
        expression = parse_expression(text)
    except ExpressionError as error:
        first, last = error.at
        span = node.part(start + first, start + max(last, first + 1))
        report.add(error.code, error.message, span, error.label, help=error.help)
        return None
    letter = _LETTER.search(text)
    return Hole(expression, letter[0] if letter else "", start, start + len(text))
