"""Sum up a model by its modules: what each gives, what it costs, what it sees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from specc.ir.graph import Instance
from specc.ir.tensors import leaves
from specc.passes.cost import Field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from specc.ir.graph import Apply, Graph, Row
    from specc.passes.cost import Costs
    from specc.values.dimensions import Shape

__all__ = ["Part", "summarize"]


@dataclass(frozen=True, slots=True)
class Part:
    """A module or a row, or several rounds of one that are alike.

    Attributes:
        path: where it is; `stage.0-3` for four that are alike.
        kind: the module's or the op's name.
        count: how many rounds of one row are alike; figures are those of all of them together.
        shapes: what comes out, each shape once; `None` where that is not known.
        parameters: shared weights count where they are used first.
        macs: multiply-adds for one image; `None` while sizes are symbolic.
        field: the widest receptive field of what comes out.
        parts: what a module holds.
    """

    path: str
    kind: str
    count: int
    shapes: tuple[Shape | None, ...]
    parameters: int
    macs: int | None
    field: Field
    parts: tuple[Part, ...] = ()

    def walk(self, depth: int, level: int = 0) -> Iterator[tuple[int, Part]]:
        """Yield the parts down to a depth with the level of each, those of this one at 0."""
        if level < depth:
            for part in self.parts:
                yield level, part
                yield from part.walk(depth, level + 1)


def summarize(graph: Graph, costs: Costs) -> Part:
    """Return the whole model as one part; rows of a model with errors that failed are left out."""
    return _Summary(graph, costs).module(graph.root)


class _Summary:
    def __init__(self, graph: Graph, costs: Costs) -> None:
        self.graph = graph
        self.costs = costs

    def module(self, instance: Instance) -> Part:
        parts = tuple(part for row in instance.rows for part in self.row(row))
        made = list(leaves([value for _, value in instance.outputs]))
        shapes = tuple(dict.fromkeys(tensor.shape for tensor in made))
        fields = [self.costs.fields[t.origin] for t in made if t.origin in self.costs.fields]
        parameters = sum(part.parameters for part in parts)
        macs = _total(part.macs for part in parts)
        kind = instance.spec.name
        return Part(instance.path, kind, 1, shapes, parameters, macs, _widest(fields), parts)

    def row(self, row: Row) -> Iterator[Part]:
        """Yield what a row stands for: one part, or one for each run of rounds that are alike."""
        likeness = _structure if row.shared else _figures
        for _, run in groupby(map(self.part, row.applies), likeness):
            yield _joined(list(run))

    def part(self, apply: Apply) -> Part:
        if isinstance(apply.target, Instance):
            return self.module(apply.target)
        node, costs = self.graph[apply.path], self.costs
        parameters, macs = costs.parameters.get(node.path, 0), costs.macs.get(node.path)
        field = costs.fields[node.path]
        return Part(node.path, node.kind, 1, (node.shape,), parameters, macs, field)


def _joined(run: list[Part]) -> Part:
    """Put rounds that are alike, or that share their weights, into one part."""
    first, last = run[0], run[-1]
    end = last.path.rpartition(".")[2]
    path = first.path if len(run) == 1 or "@" in end else f"{first.path}-{end}"
    return replace(_summed(run, path), count=len(run))


def _summed(run: Sequence[Part], path: str) -> Part:
    """Add up parts of one structure, and what they hold."""
    first = run[0]
    held = zip(*(part.parts for part in run), strict=True)
    return replace(
        first,
        path=path,
        shapes=tuple(dict.fromkeys(shape for part in run for shape in part.shapes)),
        parameters=sum(part.parameters for part in run),
        macs=_total(part.macs for part in run),
        field=_widest([part.field for part in run]),
        parts=tuple(_summed(same, path + same[0].path.removeprefix(first.path)) for same in held),
    )


def _structure(part: Part) -> tuple[object, ...]:
    return part.kind, part.count, *map(_structure, part.parts)


def _figures(part: Part) -> tuple[object, ...]:
    own = part.kind, part.count, part.shapes, part.parameters, part.macs
    return *own, *map(_figures, part.parts)


def _total(macs: Iterable[int | None]) -> int | None:
    known = list(macs)
    return None if None in known else sum(n for n in known if n is not None)


def _widest(fields: list[Field]) -> Field:
    return max(fields, key=lambda field: field.size, default=Field())
