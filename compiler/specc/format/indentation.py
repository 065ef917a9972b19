"""Two spaces a level: keys under keys, and the dash of a list under its key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from specc.documents import Mapping, Scalar
from specc.format.lines import Line, joined, split

if TYPE_CHECKING:
    from specc.documents import Node, Sequence

__all__ = ["with_indentation"]

_STEP = 2
_DASHES = re.compile(r" *(?:- +)+")


def with_indentation(root: Mapping) -> str:
    """Return the text with each line where its level wants it."""
    lines = split(root)
    levels = _Levels(lines)
    levels.mapping(root, 0)
    for number, indent in _with_comments(levels.wanted, lines).items():
        line = lines[number - 1]
        if line.is_comment:
            line.column = indent
        elif line.code.strip():
            line.code = " " * indent + line.code.lstrip(" ")
    for number in levels.dashed:
        line = lines[number - 1]
        line.code = _DASHES.sub(lambda dashes: re.sub("- +", "- ", dashes[0]), line.code, count=1)
    return joined(lines)


class _Levels:
    """Works out the indentation of the lines: `wanted` by number, and those that begin with dashes."""

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines
        self.wanted: dict[int, int] = {}
        self.dashed: list[int] = []

    def mapping(self, node: Mapping, indent: int) -> None:
        for key, value in node.entries:
            self.first(key.span.line, key.span.column, indent)
            self.value(value, key.span.line, indent + _STEP, indent - (key.span.column - 1))

    def sequence(self, node: Sequence, indent: int) -> None:
        for item in node.items:
            line, column = self.dash(node, item)
            self.first(line, column, indent)
            if line == item.span.line:
                self.dashed.append(line)
            self.value(item, line, indent + _STEP, indent - (column - 1))

    def value(self, node: Node, line: int, indent: int, shift: int) -> None:
        """Place what follows a key or dash; lines of a text or a flow collection move along."""
        if not isinstance(node, Scalar) and node.span.text[:1] not in ("[", "{", ""):
            self.mapping(node, indent) if isinstance(node, Mapping) else self.sequence(node, indent)
            return
        last = node.span.source.position(node.span.end)[0]
        for number in range(line + 1, last + 1):
            self.wanted[number] = max(0, self.lines[number - 1].indent + shift)

    def first(self, line: int, column: int, indent: int) -> None:
        """Place a line, if a key or dash is what it begins with."""
        if self.lines[line - 1].indent == column - 1:
            self.wanted[line] = indent

    @staticmethod
    def dash(node: Sequence, item: Node) -> tuple[int, int]:
        """Return line and column of an item's dash."""
        source, column = node.span.source, node.span.column
        offset = item.span.start
        while source.position(offset)[1] != column or source.text[offset] != "-":
            offset = source.text.rindex("-", 0, offset)
        return source.position(offset)


def _with_comments(wanted: dict[int, int], lines: list[Line]) -> dict[int, int]:
    """Add the lines that are comments: each moves with the code of its column next to it."""
    placed = dict(wanted)
    for number, line in enumerate(lines, 1):
        if not line.is_comment or number in wanted:
            continue
        below = next((n for n in range(number + 1, len(lines) + 1) if n in wanted), None)
        above = (n for n in range(number - 1, 0, -1) if n in wanted)
        peers = [n for n in (below, *above) if n and lines[n - 1].indent == line.indent]
        nearest = peers[0] if peers else below
        shift = wanted[nearest] - lines[nearest - 1].indent if nearest else 0
        placed[number] = max(0, line.indent + shift)
    return placed
