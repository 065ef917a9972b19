"""A model's `forward` in stages: methods that each end with a row, and hand on what is read later."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from specc.emit.layout import Line
from specc.emit.plan import BODY, Method
from specc.emit.returns import flat
from specc.emit.structure import kind, name_of
from specc.values.expression import Attribute, Call, Expression, Index, Name

if TYPE_CHECKING:
    from specc.emit.forward import Forward
    from specc.emit.writer import Writer
    from specc.ir.graph import Row

__all__ = ["write_stages"]

Step = tuple[str, list[str], list[str]]
"""A stage: its name, what it takes, what it hands on."""


def write_stages(forward: Forward, ends: list[tuple[str, str]]) -> list[Method]:
    """Return a method for each stage, its name and the row it ends with, and one that calls them."""
    rows, readers = forward.instance.rows, forward.readers
    keys = [row.key for row in rows]
    bounds = [0, *(keys.index(last) + 1 for _, last in ends)]
    known: dict[str, Any] = dict(forward.instance.inputs)
    methods: list[Method] = []
    steps: list[Step] = []
    for (name, _), (start, end) in zip(ends, pairwise(bounds), strict=True):
        is_last = end == len(rows)
        here = range(start, readers.end + 1 if is_last else end)
        taken = readers.needed(known, here)
        writer = forward.writer(taken)
        live = [index for index in readers.live if start <= index < end]
        body = forward.statements(writer, live)
        made = _made(writer, [rows[index] for index in live])
        later = range(end, readers.end + 1)
        handed = readers.needed(made, later)
        if not handed and not is_last:
            continue
        given = None if is_last else list(handed.values())
        method = forward.finished(name, writer, taken, body, given)
        methods.append(replace(method, hands_on=() if is_last else tuple(handed)))
        steps.append((name, list(taken), list(handed)))
        known |= handed
    arguments = tuple((name, kind(value)) for name, value in forward.instance.inputs.items())
    return [*methods, Method("forward", arguments, methods[-1].returns, _in_turn(steps))]


def _made(writer: Writer, rows: list[Row]) -> dict[str, Any]:
    """Return what rows make, under the names that a later stage has for it."""
    made: dict[str, Any] = {}
    lists: dict[str, list[Any]] = {}
    for row in rows:
        columns = [writer.survey.given(apply) for apply in row.applies]
        given = [value for column in columns for value in column]
        is_list = row.form in {"value", "each"} and len(given) == len(columns)
        if is_list and _is_whole(writer, row.value, given):
            made[name_of(row)] = row.value
            continue
        for value in given:
            match writer.names.known(value):
                case Name(name):
                    made[name_of(row) if name == writer.flowing else name] = value
                case Index(Name(name), _):
                    lists.setdefault(name, []).append(value)
                case _:
                    pass
    return made | lists


def _is_whole(writer: Writer, held: list[Any], given: list[Any]) -> bool:
    """Whether a list holds what its turns give, and all of it has been computed."""
    items = flat(held)
    return set(map(id, given)) <= set(map(id, items)) and all(map(writer.names.known, items))


def _in_turn(steps: list[Step]) -> tuple[Line, ...]:
    """Call the stages one after another: nested, if each takes only what the one before gives."""
    calls = [_call(name, list(map(Name, taken))) for name, taken, _ in steps]
    if all(len(a) == 1 and a == b for (_, _, a), (_, b, _) in pairwise(steps)):
        value = calls[0]
        for name, _, _ in steps[1:]:
            value = _call(name, [value])
        return (Line(BODY, "return ", value),)
    *before, last = calls
    lines = [
        Line(BODY, f"{', '.join(handed)} = ", call)
        for call, (_, _, handed) in zip(before, steps, strict=False)
    ]
    return (*lines, Line(BODY, "return ", last))


def _call(name: str, arguments: list[Expression]) -> Expression:
    return Call(Attribute(Name("self"), name), tuple(arguments))
