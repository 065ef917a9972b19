"""Lay out a table as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from specc.documents import display_width

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Column", "table"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column's title and the side its cells stand at."""

    title: str
    is_right: bool = False


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """Return aligned lines with a rule below the titles; columns without content are left out."""
    shown = [
        i for i, c in enumerate(columns) if not rows or any(row[i] for row in rows) or not c.title
    ]
    titles = [columns[i].title for i in shown]
    cells = [titles, *([row[i] for i in shown] for row in rows)]
    widths = [max(display_width(row[k]) for row in cells) for k in range(len(shown))]
    lines = [_line(row, widths, [columns[i].is_right for i in shown]) for row in cells]
    rule = "  ".join("-" * width for width in widths).rstrip()
    return "\n".join([lines[0], rule, *lines[1:]])


def _line(cells: Sequence[str], widths: Sequence[int], is_right: Sequence[bool]) -> str:
    padded: list[str] = []
    for cell, width, right in zip(cells, widths, is_right, strict=True):
        gap = " " * (width - display_width(cell))
        padded.append(gap + cell if right else cell + gap)
    return "  ".join(padded).rstrip()
