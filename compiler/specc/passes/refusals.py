"""Report the rows that cannot take what arrives, but for those where that only follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.ops import ShapeError
from specc.values.dimensions import Size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specc.documents import Report, Span
    from specc.ir.graph import Graph, Node, Refusal
    from specc.ops import Op
    from specc.values.dimensions import Shape

    Meant = Mapping[str, Shape | None]
    """What rows behind a deviation would give without it, by path; `None` where none can tell."""

__all__ = ["meant_of", "report_refusals"]


def report_refusals(graph: Graph, meant: Meant, report: Report) -> None:
    """Report each place once, however many rows refuse there; not rows that take what is meant."""
    places: dict[tuple[str, Span], list[Refusal]] = {}
    for refusal in graph.refusals:
        if not _follows(graph, refusal, meant):
            found = refusal.finding
            places.setdefault((found.code, found.labels[0].span), []).append(refusal)
    for refusals in places.values():
        found = refusals[0].finding
        place, *also = found.labels
        rows = [refusal.path for refusal in refusals]
        report.add(
            found.code,
            found.message,
            place.span,
            place.text,
            help=found.help,
            also=also,
            rows=rows,
        )


def meant_of(graph: Graph, node: Node, meant: Meant) -> Shape | None:
    """Return what a row gives where the rows before it give what is meant."""
    arriving = [shape for shape in _arriving(graph, node, meant) if shape is not None]
    if node.op is None or len(arriving) < len(node.inputs):
        return None
    op = _fitted(node.op, arriving[0])
    try:
        return None if op is None else op.shape(*arriving)
    except ShapeError:
        return None


def _follows(graph: Graph, refusal: Refusal, meant: Meant) -> bool:
    """Whether a row refuses only because of a deviation before it."""
    node = graph[refusal.path]
    arriving = _arriving(graph, node, meant)
    if meant.keys().isdisjoint(node.inputs) or None in arriving:
        return not meant.keys().isdisjoint(node.inputs)
    if refusal.written is None:
        return meant_of(graph, node, meant) is not None
    dimension, number = refusal.written
    return (arriving[0] or ())[dimension] == number


def _arriving(graph: Graph, node: Node, meant: Meant) -> list[Shape | None]:
    return [meant[path] if path in meant else graph[path].shape for path in node.inputs]


def _fitted(op: Op, arriving: Shape) -> Op | None:
    """Return an op with the arguments that follow from what arrives, such as `in_channels`.

    Nothing if one of them is a name: no layer is built for that.
    """
    inferred = {
        name: arriving[argument.inferred]
        for name, argument in op.arguments.items()
        if argument.inferred is not None and argument.inferred < len(arriving)
    }
    if any(isinstance(number, Size) for number in inferred.values()):
        return None
    return type(op)(**op.settings() | inferred)
