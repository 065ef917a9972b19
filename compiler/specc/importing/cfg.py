"""Darknet's `.cfg`: sections with options, each of which knows its place."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from specc.documents import Span, did_you_mean, quoted

if TYPE_CHECKING:
    from specc.documents import Report, Source

__all__ = ["Option", "Section", "read_sections"]

MOST_SECTIONS = 2_000
MOST_LINES = 50_000
MOST_NUMBERS = 64
LARGEST = 2**20
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LINE = re.compile(r"[^\r\n]+")
_HEADER = re.compile(r"\[\s*([a-z][a-z0-9_]{0,40})\s*\]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")
_WHOLE = re.compile(r"[-+]?\d{1,9}")
_REAL = re.compile(r"[-+]?(\d{1,15}(\.\d{0,15})?|\.\d{1,15})")


@dataclass(frozen=True)
class Option:
    """A line ``name=value``, and where its value stands."""

    name: str
    value: str
    span: Span


@dataclass
class Section:
    """A header and its options.

    Attributes:
        read: the names of the options that were asked for.
        again: the names that stand there a second time; as in Darknet, the first counts.
        left: what cannot be carried, and is no mistake.
    """

    kind: str
    span: Span
    report: Report
    options: dict[str, Option] = field(default_factory=dict[str, Option])
    read: set[str] = field(default_factory=set[str])
    again: list[str] = field(default_factory=list[str])
    left: list[str] = field(default_factory=list[str])

    def whole(
        self, name: str, default: int, *, least: int = 1, most: int = LARGEST, only: str = ""
    ) -> int:
        """Return an option as a number, or the default where it is missing or wrong.

        Numbers outside `least` and `most` are reported; `only` says why there are no others.
        """
        numbers = self.wholes(name)
        if not numbers:
            return default
        if len(numbers) == 1 and least <= numbers[0] <= most:
            return numbers[0]
        wanted = str(least) if least == most else f"a number from {least} to {most}"
        self.refuse(name, only or f"`{name}` is not {wanted}", f"write {wanted}")
        return default

    def wholes(self, name: str) -> list[int]:
        """Return an option's numbers, which commas part; none where it is missing or wrong."""
        return [int(text) for text in self._texts(name, _WHOLE, "whole numbers")]

    def real(self, name: str, default: float) -> float:
        """Return an option as a number with a point."""
        found = self.reals(name, "a number")
        return found[0] if found else default

    def reals(self, name: str, wanted: str = "numbers") -> list[float]:
        """Return an option's numbers with a point; none where it is missing or wrong."""
        return [float(text) for text in self._texts(name, _REAL, wanted)]

    def expect(self, name: str, wanted: float, default: float) -> bool:
        """Whether an option has the only value that can be carried; another is `left`."""
        value = self.real(name, default)
        if value != wanted:
            self.left.append(f"{name} is {value:g}, and here always {wanted:g}")
        return value == wanted

    def word(self, name: str, default: str, known: dict[str, str]) -> str:
        """Return what `known` has for an option's value."""
        self.read.add(name)
        option = self.options.get(name)
        if option is None or option.value in known:
            return known[option.value if option else default]
        help = did_you_mean(option.value, known, f"known are {', '.join(known)}")
        self.refuse(name, f"`{name}` {quoted(option.value)} has no counterpart here", help)
        return known[default]

    def refuse(self, name: str, message: str, help: str) -> None:
        """Report an option, or the whole section where the option is missing."""
        option = self.options.get(name)
        span = option.span if option else self.span
        self.report.add("E0803", f"[{self.kind}]: {message}", span, "cannot be carried", help=help)

    def _texts(self, name: str, form: re.Pattern[str], wanted: str) -> list[str]:
        self.read.add(name)
        option = self.options.get(name)
        if option is None:
            return []
        texts = [text.strip() for text in option.value.rstrip(",").split(",")]
        if len(texts) <= MOST_NUMBERS and all(form.fullmatch(text) for text in texts):
            return texts
        message = f"`{name}` is {quoted(option.value)}"
        self.refuse(name, message, f"write {wanted}")
        return []


def read_sections(source: Source, report: Report) -> list[Section]:
    """Read a `.cfg`; what cannot be read is reported."""
    control = _CONTROL.search(source.text)
    if control:
        message = f"the control character U+{ord(control[0]):04X}: no text"
        span = Span(source, control.start(), control.end())
        report.add("E0104", message, span, help="give the path of a .cfg")
        return []
    sections: list[Section] = []
    for number, found in enumerate(_LINE.finditer(source.text)):
        text, _, _ = found[0].partition("#")
        line = text.strip()
        if not line or line.startswith(";"):
            continue
        start = found.start() + text.index(line)
        span = Span(source, start, start + len(line))
        if line.startswith("["):
            _open(line, span, sections, report)
        elif sections:
            _enter(line, span, sections[-1])
        else:
            message = f"{quoted(line)} stands before any section"
            report.add("E0801", message, span, help="begin with `[net]`, or give another file")
        if not sections:
            return []
        if len(sections) > MOST_SECTIONS or number > MOST_LINES:
            message = f"more than {MOST_SECTIONS:,} sections or {MOST_LINES:,} lines"
            help = "no network of Darknet is nearly that long"
            report.add("E0218", message, span, help=help)
            return []
    return sections


def _open(line: str, span: Span, sections: list[Section], report: Report) -> None:
    header = _HEADER.fullmatch(line)
    if header is None:
        message = f"{quoted(line)} is no header of a section"
        report.add("E0801", message, span, help="write a name in brackets: `[convolutional]`")
    sections.append(Section(header[1] if header else "", span, report))


def _enter(line: str, span: Span, section: Section) -> None:
    name, equals, value = (part.strip() for part in line.partition("="))
    if not equals or not _NAME.fullmatch(name) or not value:
        message = f"{quoted(line)} is no option"
        help = "write a name, `=` and a value: `filters=32`"
        section.report.add("E0801", message, span, help=help)
    elif name in section.options:
        section.again.append(name)
    else:
        start = line.index(value, line.index("=") + 1)
        section.options[name] = Option(name, value, span.within(start, start + len(value)))
