"""Diagnostics are data: what is wrong, where, and the edit to make."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from specc.documents.codes import CODES
from specc.documents.source import Span

KEPT_PER_CODE = 200


@dataclass(frozen=True, slots=True)
class Label:
    """A place in a source, and a few words on what stands there."""

    span: Span
    text: str = ""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. The first label is the primary one: the place to edit.

    `help` is the edit to make, `note` the fact behind it. `more` counts the further findings of
    the same code that were left out after this one. `rows` are the paths of the model's rows that
    it is about, where it is about rows.
    """

    code: str
    message: str
    labels: tuple[Label, ...] = ()
    help: str | None = None
    note: str | None = None
    more: int = 0
    rows: tuple[str, ...] = ()

    @property
    def severity(self) -> Literal["error", "warning"]:
        """From the code's first letter."""
        return "warning" if self.code.startswith("W") else "error"


class Findings(Exception):
    """What a phase found, where that stops the compilation."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = list(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        return "\n".join(_line(diagnostic) for diagnostic in self.diagnostics)


class Report:
    """Collects the findings of one phase, so that all of them are shown at once."""

    def __init__(self) -> None:
        self._kept: list[Diagnostic] = []
        self._found: Counter[str] = Counter()

    def add(
        self,
        code: str,
        message: str,
        span: Span,
        label: str = "",
        *,
        help: str | None = None,
        note: str | None = None,
        also: Iterable[Label] = (),
        rows: Iterable[str] = (),
    ) -> None:
        """Record a finding at `span`, and at the places in `also` that belong to it.

        Of each code the first 200 are kept and the rest counted: the same mistake in every row
        of a long table stays quick to report.
        """
        assert code in CODES, f"{code} is not in the catalogue"
        self._found[code] += 1
        if self._found[code] <= KEPT_PER_CODE:
            labels = (Label(span, label), *also)
            found = Diagnostic(code, message, labels, help, note, rows=tuple(rows))
            self._kept.append(found)

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """The findings in reading order: file by file as first met, then by place."""
        files: dict[str, int] = {}
        for diagnostic in self._kept:
            files.setdefault(diagnostic.labels[0].span.source.path, len(files))

        def place(diagnostic: Diagnostic) -> tuple[int, int]:
            span = diagnostic.labels[0].span
            return files[span.source.path], span.start

        ordered = sorted(self._kept, key=place)
        last = {diagnostic.code: index for index, diagnostic in enumerate(ordered)}
        for code, index in last.items():
            left_out = self._found[code] - KEPT_PER_CODE
            if left_out > 0:
                ordered[index] = replace(ordered[index], more=left_out)
        return ordered

    @property
    def errors(self) -> bool:
        """Whether anything found is an error rather than a warning."""
        return any(code.startswith("E") for code in self._found)

    def stop(self) -> None:
        """Raise `Findings` if there are errors."""
        if self.errors:
            raise Findings(self.diagnostics)


def _line(diagnostic: Diagnostic) -> str:
    what = f"{diagnostic.code}: {diagnostic.message}"
    if not diagnostic.labels:
        return what
    span = diagnostic.labels[0].span
    return f"{span.source.path}:{span.line}:{span.column}: {what}"
