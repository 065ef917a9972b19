"""What a drawing marks in a model: its outputs, its taps, and what lies inside a part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.ir.graph import Instance
from specc.ir.tensors import leaves

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specc.ir.graph import Apply, Graph, Row

__all__ = ["inside", "outputs", "rows_of", "taps"]


def outputs(graph: Graph) -> dict[str, list[str]]:
    """Return the rows that make each output of the model; what failed makes none."""
    made = {name: [t.origin for t in leaves(value)] for name, value in graph.outputs().items()}
    return {name: [path for path in paths if path in graph] for name, paths in made.items()}


def taps(graph: Graph) -> set[str]:
    """Return the rows whose values are taken out of a chain.

    Such a value is read outside its module. It is one of several that the module gives, or made
    by a row of a list that has a name all the same. The model's outputs are marked otherwise.
    """
    found: set[str] = set()
    for instance in graph.instances():
        given = {tensor.origin for value in instance.exports for tensor in leaves(value)}
        named = (row for row in instance.rows if row.name not in (None, row.key))
        found |= (
            given
            if len(given) > 1
            else given.intersection(apply.path for row in named for apply in row.applies)
        )
    return found.difference(*outputs(graph).values())


def inside(graph: Graph, apply: Apply) -> Iterator[str]:
    """Yield the paths of the graph that one use of an op or module stands for."""
    if not isinstance(apply.target, Instance):
        yield apply.path
        return
    for row in apply.target.rows:
        yield from rows_of(graph, apply.target, row)


def rows_of(graph: Graph, instance: Instance, row: Row) -> Iterator[str]:
    """Yield the paths that a row stands for; its own, if it failed as a whole."""
    for apply in row.applies:
        yield from inside(graph, apply)
    own = instance.path_of(row.key)
    if own in graph and own in graph.failed and all(apply.path != own for apply in row.applies):
        yield own
