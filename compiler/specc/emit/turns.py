"""Rows that are applied several times: in series, side by side, or one on top of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from specc.emit.layout import Line
from specc.emit.loops import Loop, find_loop
from specc.emit.plan import BODY
from specc.emit.structure import export_name, name_of, turns
from specc.emit.text import Comprehension
from specc.emit.writer import shapes
from specc.ir.graph import Instance
from specc.values.expression import Call, Expression, Index, Literal, Name, Series, Star

if TYPE_CHECKING:
    from specc.emit.readers import Readers
    from specc.emit.writer import Writer
    from specc.ir.graph import Row

__all__ = ["write_each", "write_rounds"]


def write_rounds(writer: Writer, row: Row) -> list[Line]:
    """Write a repeated row that `nn.Sequential` cannot run."""
    if writer.survey.is_cycle(row):
        return _cycle(writer, row)
    lines: list[Line] = []
    for turn, apply in enumerate(row.applies):
        is_last = apply is row.applies[-1]
        name = name_of(row) if is_last else writer.names.fresh(f"{name_of(row)}{turn}")
        lines.append(writer.assign(row, apply, writer.call(apply, writer.layer(row, turn)), name))
    return lines


def _cycle(writer: Writer, row: Row) -> list[Line]:
    """Write a loop that carries all values from one round to the next."""
    name, layer = name_of(row), writer.names.fresh("layer")
    start = Series(tuple(map(writer.names.refer, row.applies[0].inputs)), is_tuple=True)
    values = writer.survey.given(row.applies[-1])
    writer.names.bind_items(values, Call(Name("list"), (Name(name),)))
    for place, value in enumerate(values):
        writer.names.bind(value, Index(Name(name), Literal(place)))
    return [
        Line(BODY, f"{name} = ", start),
        Line(BODY, f"for {layer} in ", writer.layer(row), ":"),
        Line(BODY + 4, f"{name} = ", Call(Name(layer), (Star(Name(name)),)), remark=shapes(values)),
    ]


def write_each(writer: Writer, row: Row, readers: Readers) -> list[Line]:
    """Write turns side by side as a comprehension, or one by one where they differ."""
    loop = None
    if None not in turns(row):
        loop = find_loop(row, writer.names, writer.survey)
    element = _element(writer, row, loop) if loop is not None else None
    columns = [writer.survey.given(apply) for apply in row.applies]
    if loop is None or element is None or len(set(map(len, columns))) != 1:
        return _one_by_one(writer, row, readers)
    name = name_of(row)
    line = Line(BODY, f"{name} = ", loop.over(element))
    if len(columns[0]) > 1:
        return [line, *_unzipped(writer, row, list(zip(*columns, strict=True)))]
    writer.names.bind_items([value for (value,) in columns], Name(name))
    writer.names.bind(row.value, Name(name))
    return [line]


def _element(writer: Writer, row: Row, loop: Loop) -> Expression | None:
    """Return what one turn computes; `None` if turns differ in more than what they take."""
    layer = writer.layer(row)
    has_layer = writer.survey.has_layer(row.applies[0])
    if has_layer and not row.shared:
        layer = loop.walk("layer", layer, first=True)
    elements = [writer.call_with(apply, layer, loop.inputs) for apply in row.applies]
    return elements[0] if all(element == elements[0] for element in elements) else None


def _unzipped(writer: Writer, row: Row, columns: list[tuple[Any, ...]]) -> list[Line]:
    """Turn a list of tuples into a list for each value that is used."""
    target = row.applies[0].target
    inner = writer.survey.returned(target) if isinstance(target, Instance) else []
    lines: list[Line] = []
    for place, values in enumerate(columns):
        if all(value is None for value in values):
            continue
        exported = export_name(target, inner[place]) if isinstance(target, Instance) else "out"
        name = writer.names.fresh(exported, f"{name_of(row)}_{exported}")
        picked = Index(Name("each"), Literal(place))
        lines.append(Line(BODY, f"{name} = ", Comprehension(picked, "each", Name(name_of(row)))))
        writer.names.bind_items(values, Name(name))
    return lines


def _one_by_one(writer: Writer, row: Row, readers: Readers) -> list[Line]:
    lines: list[Line] = []
    is_read_whole = bool(readers.of_value(row.value))
    for turn, apply in enumerate(turns(row)):
        if apply is None:
            continue
        if not (is_read_whole or any(map(readers.of_value, writer.survey.given(apply)))):
            continue
        name = writer.names.fresh(f"{name_of(row)}{turn}")
        lines.append(writer.assign(row, apply, writer.call(apply, writer.layer(row, turn)), name))
    return lines
