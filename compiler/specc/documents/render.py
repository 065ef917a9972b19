"""Diagnostics for people, with the lines they point at, and for programs, as JSON."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from specc.documents.diagnostics import Diagnostic, Label
from specc.documents.excerpt import excerpt, is_wide, visible

_LONGEST_MESSAGE = 1_000


def render_text(diagnostics: Iterable[Diagnostic], *, color: bool = False) -> str:
    """Each diagnostic with its lines of source, and how many there are in all."""
    diagnostics = list(diagnostics)
    blocks = ["\n".join(_Page(diagnostic, color).lines()) for diagnostic in diagnostics]
    return "\n\n".join([*blocks, _summary(diagnostics)]) + "\n"


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    """The diagnostics as one JSON object, for editors and other programs."""
    found = [_as_data(diagnostic) for diagnostic in diagnostics]
    return json.dumps({"version": 1, "diagnostics": found}, indent=2)


_STYLES = {"error": "1;31", "warning": "1;33", "gutter": "1;34", "-": "1;34", "message": "1"}


@dataclass(frozen=True)
class _Page:
    """One diagnostic laid out beside a margin of line numbers."""

    diagnostic: Diagnostic
    color: bool

    def lines(self) -> list[str]:
        """The title, the places file by file, then help and note."""
        found = self.diagnostic
        title = self._paint(f"{found.severity}[{found.code}]", found.severity)
        lines = [title + self._paint(f": {_cut(found.message)}", "message")]
        for source in dict.fromkeys(label.span.source for label in found.labels):
            if len(lines) > 1:
                lines.append(self._gutter("|"))
            lines += self._file([label for label in found.labels if label.span.source == source])
        remarks = self._remarks()
        return [*lines, self._gutter("|"), *remarks] if remarks else lines

    def _file(self, labels: list[Label]) -> list[str]:
        """The lines of one file that the labels point at; the first label gives the place."""
        span = labels[0].span
        arrow = "-->" if self._is_primary(labels[0]) else ":::"
        arrow = self._paint(" " * self._margin + arrow, "gutter")
        if not span.source.text:
            return [f"{arrow} {_cut(span.source.path)}"]
        lines = [f"{arrow} {_cut(span.source.path)}:{span.line}:{span.column}"]
        lines.append(self._gutter("|"))
        previous: int | None = None
        for label in sorted(labels, key=lambda label: label.span.start):
            lines += self._place(label, previous)
            previous = label.span.line
        return lines

    def _place(self, label: Label, previous: int | None) -> list[str]:
        """A label's underline, below its line unless that has just been shown."""
        span, number = label.span, label.span.line
        line, start = span.source.line(number), span.column - 1
        shown, left, width = excerpt(line, start, start + span.end - span.start)
        mark, style = ("^", self.diagnostic.severity) if self._is_primary(label) else ("-", "-")
        caret = f"{mark * width} {_cut(label.text)}".rstrip()
        lines = [f"{self._gutter('|')} {' ' * left}{self._paint(caret, style)}"]
        if number != previous or is_wide(line):
            lines.insert(0, f"{self._gutter('|', str(number))} {shown}".rstrip())
        if previous is not None and number > previous + 1:
            lines.insert(0, self._paint("...", "gutter"))
        return lines

    def _remarks(self) -> list[str]:
        lines: list[str] = []
        for kind, text in (("help", self.diagnostic.help), ("note", self.diagnostic.note)):
            if text:
                first, *rest = text.split("\n")
                lines.append(f"{self._gutter('=')} {self._paint(kind, 'message')}: {_cut(first)}")
                lines += [" " * (self._margin + 9) + _cut(line) for line in rest]
        if self.diagnostic.more:
            more = f"{self.diagnostic.more:,} more {self.diagnostic.code}"
            lines.append(f"{self._gutter('=')} {more} not shown")
        return lines

    @property
    def _margin(self) -> int:
        numbers = [label.span.line for label in self.diagnostic.labels if label.span.source.text]
        return len(str(max(numbers, default=1)))

    def _is_primary(self, label: Label) -> bool:
        return label is self.diagnostic.labels[0]

    def _gutter(self, edge: str, number: str = "") -> str:
        return self._paint(f"{number:>{self._margin}} {edge}", "gutter")

    def _paint(self, text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.color else text


def _cut(text: str) -> str:
    text = visible(text[: _LONGEST_MESSAGE + 1])
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "…"


def _summary(diagnostics: Sequence[Diagnostic]) -> str:
    counts = {"error": 0, "warning": 0}
    for diagnostic in diagnostics:
        counts[diagnostic.severity] += 1 + diagnostic.more
    parts = [
        f"{count:,} {severity}{'s' if count > 1 else ''}"
        for severity, count in counts.items()
        if count
    ]
    return ", ".join(parts) or "no errors"


def _as_data(diagnostic: Diagnostic) -> dict[str, object]:
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "help": diagnostic.help,
        "note": diagnostic.note,
        "more": diagnostic.more,
        "rows": list(diagnostic.rows),
        "labels": [_label_data(label, index == 0) for index, label in enumerate(diagnostic.labels)],
    }


def _label_data(label: Label, primary: bool) -> dict[str, object]:
    source = label.span.source
    line, column = source.position(label.span.start)
    end_line, end_column = source.position(label.span.end)
    return {
        "path": source.path,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "text": label.text,
        "primary": primary,
    }
