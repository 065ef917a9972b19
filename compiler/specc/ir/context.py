"""What the expansion of a spec carries along: the graph, the findings, and the calls that led here."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from specc.documents import Label
from specc.values.expression import ExpressionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from specc.documents import Report, Span
    from specc.ir.graph import Graph
    from specc.ir.spec import ModuleSpec, Phrase, Spec

__all__ = ["MOST_ROWS", "BudgetSpent", "Context", "Reported"]

MOST_ROWS = 100_000

_LABELS = {
    "E0205": "unknown op or module",
    "E0206": "unknown argument",
    "E0301": "unknown name",
    "E0303": "not there",
}


class Reported(ExpressionError):
    """A row cannot be expanded, for a reason that has been reported already."""

    def __init__(self) -> None:
        super().__init__("", (0, 0))


class BudgetSpent(Exception):
    """The model has more rows than are allowed."""


@dataclass(slots=True)
class Context:
    """The state of one expansion.

    Attributes:
        calls: the calls of the modules that are open, for findings inside them.
        modules: those modules, to refuse one inside itself.
        uses: how often each path has been applied; a shared row is, several times.
    """

    graph: Graph
    report: Report
    load: Callable[[str, Span, Spec], Spec | None]
    calls: list[Span] = field(default_factory=list["Span"])
    modules: list[ModuleSpec] = field(default_factory=list["ModuleSpec"])
    uses: dict[str, int] = field(default_factory=dict[str, int])
    reported: set[tuple[str, int, int, str]] = field(default_factory=set[tuple[str, int, int, str]])

    def add(
        self,
        code: str,
        message: str,
        span: Span,
        label: str = "",
        *,
        help: str | None = None,  # noqa: A002
        also: Iterable[Label] = (),
    ) -> None:
        """Report a finding once, however often its row is expanded, with the calls that led here."""
        key = (code, span.start, span.end, message)
        if key in self.reported:
            return
        self.reported.add(key)
        calls = [Label(call, "in this call") for call in reversed(self.calls[-3:])]
        self.report.add(code, message, span, label, help=help, also=[*also, *calls])

    def fault(self, error: ExpressionError, phrase: Phrase) -> None:
        """Report an expression that cannot be evaluated."""
        if not isinstance(error, Reported):
            label = _LABELS.get(error.code, "here")
            self.add(error.code, error.message, phrase.at(error.at), label, help=error.help)

    @contextmanager
    def calling(self, module: ModuleSpec, call: Span) -> Iterator[None]:
        """Note that rows of a module are expanded for a call."""
        self.calls.append(call)
        self.modules.append(module)
        try:
            yield
        finally:
            self.modules.pop()
            self.calls.pop()

    def next_use(self, path: str) -> str:
        """Return a path for one more use of a row: itself, then `path@1`, `path@2`, ..."""
        use = self.uses.get(path, 0)
        self.uses[path] = use + 1
        return f"{path}@{use}" if use else path

    def spend(self, span: Span) -> None:
        """Count a row against the budget."""
        if self.graph.network.number_of_nodes() >= MOST_ROWS:
            message = f"the model has more than {MOST_ROWS:,} rows"
            self.add("E0218", message, span, "stopped here", help="repeat less")
            raise BudgetSpent

