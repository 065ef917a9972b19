"""The rows of one instance as the statements of `forward`, or of the stages it is split into."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from specc.emit.chains import is_chain, write_chain
from specc.emit.layout import Line
from specc.emit.plan import BODY, Method
from specc.emit.readers import Readers
from specc.emit.structure import kind, name_of
from specc.emit.text import Unpacked
from specc.emit.turns import write_each, write_rounds
from specc.emit.writer import Writer
from specc.values.expression import Call, Expression, Name

if TYPE_CHECKING:
    from specc.emit.survey import Survey
    from specc.ir.graph import Instance, Row

__all__ = ["Forward"]


class Forward:
    """Writes what one instance does with its inputs.

    Args:
        outputs: the named tuple in which several outputs are returned.
    """

    def __init__(self, instance: Instance, survey: Survey, *, outputs: str | None = None) -> None:
        self.instance = instance
        self.survey = survey
        self.returned = survey.returned(instance)
        self.outputs = outputs
        self.readers = Readers(instance, self.returned)

    def method(self) -> Method:
        """Return the whole of `forward`."""
        writer = self.writer(self.instance.inputs)
        if is_chain(self.instance, self.survey):
            body = write_chain(writer)
        else:
            body = self.statements(writer, self.readers.live)
        return self.finished("forward", writer, self.instance.inputs, body)

    def writer(self, inputs: dict[str, Any]) -> Writer:
        """Return a writer for a method that takes these values."""
        first = set(self.readers.live[:1])
        may_reuse = all(self.readers.of_value(value) <= first for value in inputs.values())
        return Writer(self.instance, self.survey, inputs, may_reuse=may_reuse)

    def statements(self, writer: Writer, indices: list[int]) -> list[Line]:
        """Write the rows at these places."""
        rows = self.instance.rows
        return [line for index in indices for line in self._row(writer, rows[index], index)]

    def _row(self, writer: Writer, row: Row, index: int) -> list[Line]:
        if row.form == "value":
            items = writer.names.series(cast("list[Any]", row.value))
            writer.names.bind(row.value, Name(name_of(row)))
            return [Line(BODY, f"{name_of(row)} = ", items)]
        if row.form == "each":
            return write_each(writer, row, self.readers)
        if row.form == "repeat" and not self.survey.is_series(row):
            return write_rounds(writer, row)
        expression = writer.call(row.applies[0], writer.layer(row))
        name = writer.flowing if self._flows(row, index) else name_of(row)
        return [writer.assign(row, row.applies[-1], expression, name)]

    def _flows(self, row: Row, index: int) -> bool:
        """Whether a row needs no name: only the next one reads it, to compute, or the `return`."""
        following = self.readers.following(index)
        if self.readers.of_row(row) != {following}:
            return False
        if following == self.readers.end:
            values = self.survey.given(row.applies[-1])
            return list(map(id, values)) == list(map(id, self.returned))
        reader = self.instance.rows[following]
        return reader.form == "one" or (reader.form == "repeat" and self.survey.is_series(reader))

    def finished(
        self,
        method: str,
        writer: Writer,
        inputs: dict[str, Any],
        body: list[Line],
        handed: list[Any] | None = None,
    ) -> Method:
        """Put a signature before the statements and a `return` behind them.

        What is handed on, if not all that is returned, goes as a plain tuple.
        """
        returned = self.returned if handed is None else handed
        outputs = self.outputs if handed is None else None
        value, returns = _value([writer.names.refer(v) for v in returned], returned, outputs)
        if body and isinstance(value, Name) and body[-1].before == f"{value.id} = ":
            last = replace(body[-1], before="return ")
            body = [*body[:-1], last]
        else:
            body = [*body, Line(BODY, "return ", value)]
        taken = tuple((name, kind(arriving)) for name, arriving in inputs.items())
        return Method(method, taken, returns, tuple(body))


def _value(
    values: list[Expression], returned: list[Any], outputs: str | None
) -> tuple[Expression, str]:
    """Return what stands behind `return`, and its type."""
    kinds = [kind(value) for value in returned]
    if len(values) == 1:
        return values[0], kinds[0]
    if outputs is not None:
        return Call(Name(outputs), tuple(values)), outputs
    return Unpacked(tuple(values)), f"tuple[{', '.join(kinds)}]"
