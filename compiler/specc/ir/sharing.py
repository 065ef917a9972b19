"""Whether the turns of a shared row are one instance: the same rows, settings and weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.documents import Label
from specc.ir.context import owner_of
from specc.ir.graph import Instance
from specc.ir.tensors import leaves
from specc.ops import Op
from specc.values.dimensions import shape_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specc.ir.context import Context
    from specc.ir.graph import Apply, Row

__all__ = ["check_shared"]

Difference = tuple["Row", str]
"""The row in which two turns differ, and what differs."""


def check_shared(context: Context, row: Row) -> None:
    """Compare the last turn of a shared row with its first, and report where they part."""
    is_wrong = context.report.errors or context.graph.refusals
    if len(row.applies) < 2 or is_wrong:
        return
    first, last = row.applies[0], row.applies[-1]
    found = next(_in_turns(row, first, last), None)
    if found is None:
        return
    place, message = found
    inputs = [tensor.origin for turn in (last, first) for tensor in leaves(list(turn.inputs))]
    nodes = [context.graph[path] for path in dict.fromkeys(inputs)]
    also = [Label(n.span, f"`{n.path}` gives {shape_text(n.shape)}") for n in nodes if n.shape]
    if place is not row:
        also.append(Label(row.spec.call.span, "in the turns of this row"))
    help = "give all uses the same channels and settings, or drop `shared`"
    span = place.spec.call.at(place.spec.call.expression.at)
    rows = [apply.path for apply in place.applies] or [last.path]
    context.add("E0313", message, span, f"`{last.path}`", help=help, also=also, rows=rows)


def _in_turns(row: Row, first: Apply, other: Apply) -> Iterator[Difference]:
    one, two = first.target, other.target
    if one is None or two is None:
        return
    shared = f"`{owner_of(first.path)}` is shared, but"
    if _kind(one) != _kind(two):
        yield row, f"{shared} is `{_kind(two)}` here, and `{_kind(one)}` in the first turn"
    elif isinstance(one, Instance) and isinstance(two, Instance):
        for mine, theirs in zip(one.rows, two.rows, strict=True):
            yield from _in_rows(shared, mine, theirs)
    elif isinstance(one, Op) and isinstance(two, Op):
        yield from ((row, message) for message in _in_ops(shared, one, two))


def _in_rows(shared: str, first: Row, other: Row) -> Iterator[Difference]:
    name = f"`{first.spec.name or first.key}`"
    places = [[owner_of(apply.path) for apply in row.applies] for row in (first, other)]
    if "absent" in (first.form, other.form) and first.form != other.form:
        where = "here" if other.form == "absent" else "in the first turn"
        yield other, f"{shared} {name} is left out {where} only"
    elif places[0] != places[1]:
        here, there = (_times(len(row.applies)) for row in (other, first))
        yield other, f"{shared} {name} runs {here} here, and {there} in the first turn"
    else:
        for one, two in zip(first.applies, other.applies, strict=True):
            yield from _in_turns(other, one, two)


def _in_ops(shared: str, first: Op, other: Op) -> Iterator[str]:
    if first.state() != other.state():
        wanted, held = (
            ", ".join(f"{entry.name} {'x'.join(map(str, entry.shape))}" for entry in op.state())
            for op in (other, first)
        )
        yield f"{shared} this use wants {wanted}, and the first has {held}"
    for name, value in other.settings().items():
        if value != first.settings()[name]:
            yield f"{shared} this use has {name}={value}, and the first {first.settings()[name]}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _kind(target: Op | Instance) -> str:
    return target.spec.name if isinstance(target, Instance) else type(target).__name__
