"""The order of a file's sections and of a module's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.format.lines import Line, joined, split
from specc.format.meaning import modules

if TYPE_CHECKING:
    from specc.documents import Mapping

__all__ = ["SECTIONS", "with_sections"]

SECTIONS = (
    *("specc", "name", "class", "title", "cite", "doc"),
    *("params", "inputs", "preprocess", "use", "let", "init"),
    *("layers", "stages", "outputs"),
    *("modules", "variants", "expect", "detector", "weights"),
)


def with_sections(root: Mapping) -> str:
    """Return the text with its sections in order; comments above a key go with it."""
    lines = split(root)
    for module in modules(root):
        if module.span.text[:1] != "{":
            _sort(module, lines)
    return joined(lines)


def _sort(module: Mapping, lines: list[Line]) -> None:
    """Sort the sections of a module; how many lines there are stays the same."""
    last = module.span.source.position(module.span.end)[0]
    starts = [_start(key.span.line, key.span.column, lines) for key, _ in module.entries]
    if starts and module.span.line == _first_code(lines):
        starts[0] = module.span.line  # what stands above the first key is about the file
    ends = [*(start - 1 for start in starts[1:]), last]
    chunks = {
        key.name: lines[start - 1 : end]
        for (key, _), start, end in zip(module.entries, starts, ends, strict=True)
    }
    if any(name not in SECTIONS for name in chunks):
        return
    inner = [line for name in sorted(chunks, key=SECTIONS.index) for line in chunks[name]]
    lines[starts[0] - 1 : last] = inner


def _start(number: int, column: int, lines: list[Line]) -> int:
    """Return the line where a section begins: its key, or the comments and blanks above."""
    while number > 1 and _is_comment_at(column, lines[number - 2]):
        number -= 1
    while number > 1 and lines[number - 2].is_blank:
        number -= 1
    return number


def _is_comment_at(column: int, line: Line) -> bool:
    return line.is_comment and line.indent == column - 1


def _first_code(lines: list[Line]) -> int:
    return next(number for number, line in enumerate(lines, 1) if line.code.strip())
