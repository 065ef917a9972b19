"""Lists of rows that run one after another: `nn.Sequential`, or slices that end at the taps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.emit.layout import Line
from specc.emit.plan import BODY
from specc.emit.structure import name_of
from specc.emit.writer import shapes
from specc.values.expression import Expression, Index, Literal, Name, Slice

if TYPE_CHECKING:
    from specc.emit.survey import Survey
    from specc.emit.writer import Writer
    from specc.ir.graph import Instance

__all__ = ["is_chain", "is_sequential", "write_chain"]


def is_chain(instance: Instance, survey: Survey) -> bool:
    """Whether a module is a list in which each row takes the one value before it."""
    values = list(instance.inputs.values())
    for row in instance.rows:
        if row.form == "absent":
            continue
        if row.form not in {"one", "repeat"} or not survey.is_series(row):
            return False
        if list(map(id, row.applies[0].inputs)) != list(map(id, values)):
            return False
        values = survey.given(row.applies[-1])
    return instance.spec.is_list and len(instance.inputs) == 1


def is_sequential(instance: Instance, survey: Survey) -> bool:
    """Whether a chain gives its end and nothing else."""
    present = [row for row in instance.rows if row.form != "absent"]
    if not present or not is_chain(instance, survey):
        return False
    end = survey.given(present[-1].applies[-1])
    return list(map(id, end)) == list(map(id, survey.returned(instance)))


def write_chain(writer: Writer) -> list[Line]:
    """Run a chain in slices, each up to a value that is returned."""
    rows, survey, flowing = writer.instance.rows, writer.survey, writer.flowing
    returned = set(map(id, survey.returned(writer.instance)))
    taps = [
        (index, value)
        for index, row in enumerate(rows)
        if row.form != "absent"
        for value in survey.given(row.applies[-1])
        if id(value) in returned
    ]
    (source,) = writer.instance.inputs
    lines = [Line(BODY, "rows = list(self)")]
    if source != flowing:
        lines.append(Line(BODY, f"{flowing} = {source}"))
    start = 0
    for index, value in taps:
        is_last = index == taps[-1][0]
        end = None if index + 1 == len(rows) else index + 1
        lines.append(Line(BODY, "for row in ", _slice(start, end), ":"))
        lines.append(Line(BODY + 4, f"{flowing} = row({flowing})"))
        name = flowing if is_last else name_of(rows[index])
        if not is_last:
            lines.append(Line(BODY, f"{name} = {flowing}", remark=shapes([value])))
        writer.names.bind(value, Name(name))
        start = index + 1
    return lines


def _slice(start: int, end: int | None) -> Expression:
    if not start and end is None:
        return Name("rows")
    return Index(
        Name("rows"), Slice(Literal(start) if start else None, Literal(end) if end else None)
    )
