"""What the expansion of a spec carries along: the graph, the findings, and the calls that led here."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from specc.documents import Label
from specc.values.expression import ExpressionError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from specc.documents import Report, Span
    from specc.ir.graph import Graph
    from specc.ir.spec import ModuleSpec, Phrase, Spec

__all__ = ["MOST_ROWS", "BudgetSpent", "Context", "Reported", "owner_of", "report_fault"]

MOST_ROWS = 10_000
"""Rows that repeats and calls may add to those that are written in the file."""


def owner_of(path: str) -> str:
    """Return the path that owns the weights of a use: ``head@1.conv`` uses those of ``head.conv``."""
    return ".".join(part.partition("@")[0] for part in path.split("."))


class Reported(ExpressionError):
    """A row cannot be expanded, for a reason that has been reported already."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message, (0, 0))


class BudgetSpent(Exception):
    """The model has more rows than are allowed."""


@dataclass(slots=True)
class Context:
    """The state of one expansion.

    Attributes:
        calls: the calls of the modules that are open, for findings inside them.
        modules: those modules, to refuse one inside itself.
        uses: how often each path has been applied; a shared row is, several times.
        spent: how many rows have been expanded.
        row: the path of the row that is expanded.
    """

    graph: Graph
    report: Report
    load: Callable[[str, Span, Spec], Spec | None]
    calls: list[Span] = field(default_factory=list["Span"])
    modules: list[ModuleSpec] = field(default_factory=list["ModuleSpec"])
    uses: dict[str, int] = field(default_factory=dict[str, int])
    spent: int = 0
    row: str = ""
    reported: set[tuple[str, Span]] = field(default_factory=set[tuple[str, "Span"]])

    def add(
        self,
        code: str,
        message: str,
        span: Span,
        label: str = "",
        *,
        help: str | None = None,
        also: Iterable[Label] = (),
        rows: Iterable[str] = (),
    ) -> None:
        """Report a finding once, however often its row is expanded, with the calls that led here.

        It is about `rows`, or the row that is expanded.
        """
        if (code, span) in self.reported:
            return
        self.reported.add((code, span))
        labels = [*also, *self.through()]
        about = [*rows] or [self.row] * bool(self.row)
        self.report.add(code, message, span, label, help=help, also=labels, rows=about)

    def through(self) -> list[Label]:
        """Return the calls that led here, the innermost first."""
        return [Label(call, "in this call") for call in reversed(self.calls[-3:])]

    def fault(self, error: ExpressionError, phrase: Phrase) -> None:
        """Report an expression that cannot be evaluated."""
        report_fault(error, phrase, self)

    @contextmanager
    def calling(self, module: ModuleSpec, call: Span) -> Generator[None]:
        """Note that rows of a module are expanded for a call."""
        self.calls.append(call)
        self.modules.append(module)
        try:
            yield
        finally:
            self.modules.pop()
            self.calls.pop()

    @contextmanager
    def expanding(self, path: str) -> Generator[None]:
        """Note which row is expanded."""
        outer, self.row = self.row, path
        try:
            yield
        finally:
            self.row = outer

    def next_use(self, path: str) -> str:
        """Return a path for one more use of a row: itself, then `path@1`, `path@2`, ..."""
        use = self.uses.get(path, 0)
        self.uses[path] = use + 1
        return f"{path}@{use}" if use else path

    def spend(self, span: Span) -> None:
        """Count a row against the budget."""
        self.spent += 1
        most = MOST_ROWS + self.graph.spec.written_rows
        if self.spent > most:
            message = f"the model has more than {most:,} rows"
            self.add("E0218", message, span, "stopped here", help="repeat less")
            raise BudgetSpent


def report_fault(error: ExpressionError, phrase: Phrase, report: Report | Context) -> None:
    """Report an expression that cannot be evaluated, unless that has been done already."""
    if not isinstance(error, Reported):
        report.add(error.code, error.message, phrase.at(error.at), error.label, help=error.help)
