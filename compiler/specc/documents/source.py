"""Texts and places in them: what every diagnostic points at."""

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property

_LINE_BREAK = re.compile(r"\r\n?|\n")


@dataclass(frozen=True)
class Source:
    """A file's text, under the path that diagnostics show.

    Offsets count characters from 0; lines and columns count from 1, as editors do.
    """

    path: str
    text: str = field(repr=False)

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(found.end() for found in _LINE_BREAK.finditer(self.text))]

    def position(self, offset: int) -> tuple[int, int]:
        """The line and column of the character at `offset`."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of line `number`, without its line break."""
        start = self.line_start(number)
        end = self._starts[number] if number < len(self._starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")

    def line_start(self, number: int) -> int:
        """The offset of the first character of line `number`."""
        return self._starts[number - 1]


@dataclass(frozen=True, slots=True)
class Span:
    """The characters from `start` up to, not including, `end` of a source."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        """The line on which the span starts."""
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        """The column at which the span starts."""
        return self.source.position(self.start)[1]

    @property
    def text(self) -> str:
        """The characters that the span covers."""
        return self.source.text[self.start : self.end]

    def within(self, start: int, end: int) -> "Span":
        """The part from `start` to `end`, counted from this span's own start."""
        return Span(self.source, self.start + start, self.start + end)
