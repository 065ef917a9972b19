"""Which rows of a model something is wrong with: those that a table or drawing marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from specc.documents import Diagnostic
    from specc.ir.graph import Graph

__all__ = ["find_faults"]


def find_faults(graph: Graph, diagnostics: Iterable[Diagnostic]) -> dict[str, str]:
    """Return by path what is wrong with a row; of a module, its first row stands for it.

    A row that only cannot take what a faulty one gives is not among them.
    """
    refused = {refusal.path for refusal in graph.refusals}
    faults = {
        path: message for path, message in graph.failed.items() if message and path not in refused
    }
    for found in diagnostics:
        for row in found.rows if found.severity == "error" else ():
            path = row if row in graph else _first_below(graph, row)
            if path is not None:
                faults.setdefault(path, graph.failed.get(path) or found.message)
    return faults


def _first_below(graph: Graph, row: str) -> str | None:
    return next((node.path for node in graph.nodes() if node.path.startswith(f"{row}.")), None)
