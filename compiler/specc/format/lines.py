"""The lines of a text, each with its comment apart, so that code can move and comments stay."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specc.documents import Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specc.documents import Mapping, Node

__all__ = ["Line", "joined", "scalars", "split"]

_HASH = re.compile(r"(?:^|(?<=[ \t]))#")
_GAP = 2


@dataclass(slots=True)
class Line:
    """A line: its code with the indentation, its comment, the column that the comment wants.

    `inside` says that the line goes on with a text of the line above, so that its end counts.
    """

    code: str
    comment: str = ""
    column: int = 0
    inside: bool = False

    @property
    def indent(self) -> int:
        """The blanks before what stands on the line."""
        text = self.code if self.code.strip() else " " * self.column
        return len(text) - len(text.lstrip(" "))

    @property
    def is_comment(self) -> bool:
        """Whether only a comment stands here."""
        return bool(self.comment) and not self.code.strip()

    @property
    def is_blank(self) -> bool:
        """Whether nothing stands here."""
        return not self.comment and not self.code.strip() and not self.inside

    def __str__(self) -> str:
        if not self.comment:
            return self.code if self.inside else self.code.rstrip()
        if self.is_comment:
            return " " * self.column + self.comment
        code = self.code.rstrip()
        return code + " " * max(_GAP, self.column - len(code)) + self.comment


def split(root: Mapping) -> list[Line]:
    """Return the lines of a document."""
    source = root.span.source
    texts = sorted((node.span.start, node.span.end) for node in scalars(root))
    lines: list[Line] = []
    for number in range(1, source.position(len(source.text))[0] + 1):
        text, start = source.line(number), source.line_start(number)
        places = (found.start() for found in _HASH.finditer(text))
        end = next((place for place in places if not _covered(start + place, texts)), len(text))
        inside = _covered(start + len(text), texts)
        lines.append(Line(text[:end], text[end:].rstrip(), end, inside))
    return lines


def _covered(offset: int, spans: list[tuple[int, int]]) -> bool:
    """Whether a place is inside one of several spans, which are sorted and apart."""
    nearest = bisect_right(spans, (offset, -1)) - 1
    return nearest >= 0 and spans[nearest][0] <= offset < spans[nearest][1]


def joined(lines: list[Line]) -> str:
    """Return the text of lines."""
    return "".join(f"{line}\n" for line in lines)


def scalars(node: Node) -> Iterator[Scalar]:
    """Yield keys and values in the order in which they stand."""
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from scalars(item)
    else:
        for key, value in node.entries:
            yield key
            yield from scalars(value)
