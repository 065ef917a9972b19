"""One layout for calls and for what stands between YAML's brackets and behind its colons."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from specc.documents import Scalar, Sequence, Span
from specc.format.calls import spaced
from specc.format.lines import joined, split
from specc.format.meaning import expressions, rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specc.documents import Mapping, Node

__all__ = ["with_spacing"]

WIDEST = 100
"""A row that is folded becomes one line where it is no wider than this."""

_GAPS = {",": re.compile(r" *, *"), ":": re.compile(r" *: *"), "": re.compile(r" *,? *")}
_WRITTEN = {",": ", ", ":": ": ", "": ""}

Edit = tuple[Span, str]


def with_spacing(root: Mapping) -> str:
    """Return the text with its calls, lists and colons in one layout."""
    edits = [*_calls(root), *_gaps(root)]
    lines = split(root)
    for span, text in sorted(edits, key=lambda edit: -edit[0].start):
        first, column = span.line, span.column - 1
        last, end = span.source.position(span.end)
        opened, closed = lines[first - 1], lines[last - 1]
        closed.code = opened.code[:column] + text + closed.code[end - 1 :]
        closed.inside = closed.inside and first == last
        del lines[first - 1 : last - 1]
    return joined(lines)


def _calls(root: Mapping) -> Iterator[Edit]:
    calls = {id(row) for row in rows(root)}
    for node in expressions(root):
        text = node.text.strip()
        if id(node) in calls:
            text = text.removesuffix(",").rstrip()
        written, text = node.content.text, spaced(text)
        is_folded = "\n" in written and node.span.text[:1] not in "|>"
        if is_folded and written.split() == node.text.split() and "\n" not in node.text:
            if node.span.column + len(text) <= WIDEST:
                yield node.content, text
        elif node.is_as_written and "\n" not in written and text != written:
            yield node.content, text


def _gaps(node: Node) -> Iterator[Edit]:
    """Yield an edit for each gap between the parts of a collection that is not as it should be."""
    if isinstance(node, Scalar):
        return
    for left, separator, right in _neighbours(node):
        gap = Span(node.span.source, left, right)
        if _GAPS[separator].fullmatch(gap.text) and gap.text != _WRITTEN[separator]:
            yield gap, _WRITTEN[separator]
    for child in node.items if isinstance(node, Sequence) else (value for _, value in node.entries):
        yield from _gaps(child)


def _neighbours(node: Mapping | Sequence) -> Iterator[tuple[int, str, int]]:
    """Yield end of the left part, separator and start of the right part of each gap."""
    is_flow = node.span.text[:1] in ("[", "{")
    end = node.span.start + 1
    separator = ""
    for entry in node.items if isinstance(node, Sequence) else node.entries:
        first, last = entry if isinstance(entry, tuple) else (entry, entry)
        if is_flow:
            yield end, separator, first.span.start
        if first is not last and last.span.text:
            yield first.span.end, ":", last.span.start
        end, separator = last.span.end, ","
    if is_flow:
        yield end, "", node.span.end - 1
