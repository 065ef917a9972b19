"""Which rows read which values of an instance, and which rows are worth computing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from specc.emit.returns import flat, made_by
from specc.emit.structure import turns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from specc.ir.graph import Instance, Row

__all__ = ["Readers"]


class Readers:
    """The rows that read each value, by their index.

    Attributes:
        live: the indices of the rows that something reads, in order.
        end: the index at which what is returned is read, behind the last row.
    """

    def __init__(self, instance: Instance, returned: list[Any]) -> None:
        self._rows = instance.rows
        self._named = {id(value) for value in instance.inputs.values()}
        self._named |= {id(value) for row in self._rows for value in made_by(row.value)}
        self._of: dict[int, set[int]] = {}
        self._next: dict[int, int] = {}
        self.end = following = len(self._rows)
        self._read(returned, self.end)
        for index in reversed(range(self.end)):
            row = self._rows[index]
            if row.form != "absent" and self.of_row(row):
                self._next[index], following = following, index
                for values in _taken_by(row):
                    self._read(values, index)
        self.live = list(reversed(self._next))

    def of_row(self, row: Row) -> set[int]:
        """Return who reads a row."""
        made = [row.value] if row.form == "value" else made_by(row.value)
        return set[int]().union(*map(self.of_value, made))

    def of_value(self, value: Any) -> set[int]:
        """Return who reads a value."""
        return self._of.get(id(value), set())

    def needed(self, values: Mapping[str, Any], places: range) -> dict[str, Any]:
        """Return the values that rows at these places read, each item from the first that has it."""
        needed: dict[str, Any] = {}
        known: set[int] = set()
        for name, value in values.items():
            read = self._parts_read(value, places)
            if not read <= known:
                needed[name] = value
                known |= read
        return needed

    def _parts_read(self, value: Any, places: range) -> set[int]:
        """Return which of a value and its items rows at these places read."""
        parts = [value]
        if isinstance(value, list):
            parts += flat(cast("list[Any]", value))
        return {id(part) for part in parts if not self.of_value(part).isdisjoint(places)}

    def following(self, index: int) -> int:
        """Return the live row behind one, or `end`."""
        return self._next[index]

    def _read(self, values: list[Any], index: int) -> None:
        """Note that values are read; a list without a name is read by its items."""
        for value in flat(values):
            key = id(value)
            if isinstance(value, list) and key not in self._named:
                self._read(cast("list[Any]", value), index)
            else:
                self._of.setdefault(key, set()).add(index)


def _taken_by(row: Row) -> Iterator[list[Any]]:
    for apply in row.applies:
        yield list(apply.inputs)
    value = row.value
    if row.form == "value" and isinstance(value, list):
        yield cast("list[Any]", value)
    if row.form == "each":
        made = zip(cast("list[Any]", value), turns(row), strict=True)
        yield [passed_on for passed_on, apply in made if apply is None]
