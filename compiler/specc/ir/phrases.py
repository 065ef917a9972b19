"""Texts of a spec that are expressions: a row's call, a value under a key, the items of a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from unicodedata import east_asian_width

from specc.documents import Mapping, Scalar, Sequence, is_markup, mend, unusual
from specc.ir.spec import Phrase, Setting
from specc.values.expression import ExpressionError, Literal, Series, placed, shifted
from specc.values.parsing import parse_expression

if TYPE_CHECKING:
    from specc.documents import Node, Report, Span
    from specc.values.expression import At, Expression

__all__ = ["PhraseReader"]


class PhraseReader:
    """Reads expressions, and reports those that cannot be read."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def checked_text(self, node: Scalar) -> str | None:
        """Return a row's text, unless it holds punctuation that only looks like Python's."""
        text = node.text
        odd = unusual(text)
        if odd is None:
            return text
        start, length = odd
        run = text[start : start + length]
        form = "full-width" if east_asian_width(run[0]) in "FW" else "typographic"
        code, kind, label = "E0120", form, form
        if is_markup(run):
            code, kind, label = "E0121", "Markdown's", "not part of the call"
        message = f"this row holds {kind} `{run}`"
        help = f"write `{mend(text).strip().rstrip(',')}`"
        self.report.add(code, message, node.part(start, start + length), label, help=help)
        return None

    def parse(self, text: str, node: Scalar, offset: int) -> Phrase | None:
        """Read an expression that begins with character `offset` of a scalar's text."""
        stripped = text.lstrip()
        offset += len(text) - len(stripped)
        stripped = stripped.rstrip()
        try:
            expression = parse_expression(stripped)
        except ExpressionError as error:
            start, end = error.at
            where = node.part(start + offset, max(end, start + 1) + offset)
            self.report.add(error.code, error.message, where, error.label, help=error.help)
            return None
        if node.is_as_written:
            return Phrase(expression, node.content, offset)
        places = node.places()[offset:]
        return Phrase(placed(expression, lambda at: _within(places, at)), node.content)

    def optional(self, node: Node | None) -> Phrase | None:
        """Read a value if there is one."""
        return None if node is None else self.phrase(node)

    def settings(self, node: Node | None) -> tuple[Setting, ...]:
        """Read what a row says beside its call, under names."""
        entries = node.entries if isinstance(node, Mapping) else []
        read = [(key, self.phrase(value)) for key, value in entries]
        return tuple(Setting(key.name, key.span, value) for key, value in read if value)

    def phrases(self, node: Node | None) -> dict[str, Phrase]:
        """Read the values of a mapping."""
        if not isinstance(node, Mapping):
            return {}
        read = {key.name: self.phrase(value) for key, value in node.entries}
        return {name: phrase for name, phrase in read.items() if phrase is not None}

    def phrase(self, node: Node) -> Phrase | None:
        """Read a value that may be data or an expression; a flow list holds expressions."""
        if isinstance(node, Sequence):
            items = [self.phrase(item) for item in node.items]
            if any(item is None for item in items):
                return None
            read = cast("list[Phrase]", items)
            return Phrase(Series(tuple(_moved(item, node.span) for item in read)), node.span)
        if isinstance(node, Mapping):
            message, help = "a mapping cannot stand here", "write a list or an expression"
            self.report.add("E0203", message, node.span, "a mapping", help=help)
            return None
        if not isinstance(node.value, str):
            return Phrase(Literal(node.value, at=_whole(node)), node.content)
        text = self.checked_text(node)
        return None if text is None else self.parse(text, node, 0)


def _whole(node: Scalar) -> tuple[int, int]:
    return (0, node.content.end - node.content.start)


def _within(places: list[tuple[int, int]], at: At) -> At:
    """Return where the characters between two positions were written."""
    start, end = at
    return (places[start][0], places[end - 1][1]) if end > start else at


def _moved(item: Phrase, span: Span) -> Expression:
    """Let an item's positions count from the start of its list."""
    return shifted(item.expression, item.start - span.start)
