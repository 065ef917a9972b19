"""The local names of one `forward`: what each value is called, and the names still free."""

from __future__ import annotations

from itertools import chain, count
from typing import TYPE_CHECKING, Any, cast

from specc.emit.returns import flat
from specc.values.expression import Expression, Index, Literal, Series, Star

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Locals"]


class Locals:
    """Values by identity: two tensors of one shape are two values."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._names: dict[int, Expression] = {}
        self._lists: dict[int, list[tuple[list[int], Expression]]] = {}

    def fresh(self, *wanted: str) -> str:
        """Take the first of these names that is free, or the last one with a number."""
        numbered = (f"{wanted[-1]}{number}" for number in count(2))
        name = next(name for name in chain(wanted, numbered) if name not in self._taken)
        self._taken.add(name)
        return name

    def bind(self, value: Any, name: Expression) -> None:
        """Remember the name of a value; the items of a list are named by their place."""
        self._names[id(value)] = name
        if isinstance(value, list):
            self.bind_items(flat(cast("list[Any]", value)), name)

    def bind_items(self, items: Sequence[Any], name: Expression) -> None:
        """Remember the name of a list with these items, and name those without a name by it."""
        for place, item in enumerate(items):
            if id(item) not in self._names:
                self.bind(item, Index(name, Literal(place)))
        if items:
            lists = self._lists.setdefault(id(items[0]), [])
            lists.append((list(map(id, items)), name))

    def known(self, value: Any) -> Expression | None:
        """Return the name of a value, if it has one."""
        return self._names.get(id(value))

    def refer(self, value: Any) -> Expression:
        """Return the expression that means a value here."""
        known = self.known(value)
        if known is not None:
            return known
        if isinstance(value, list):
            return self.series(cast("list[Any]", value))
        parts = flat([value])
        if len(parts) > 1:
            return self.series(parts)
        if parts == [value]:
            message = "a value that is read has not been computed here"
            raise LookupError(message)
        return self.refer(parts[0])

    def series(self, values: Sequence[Any]) -> Expression:
        """Return a list of values: the name of one with these items, or written out."""
        items = flat(list(values))
        ids = list(map(id, items))
        written: list[Expression] = []
        place = 0
        while place < len(ids):
            length, name = self._longest(ids, place)
            if name is not None and length == len(ids):
                return name
            written.append(self.refer(items[place]) if name is None else Star(name))
            place += length
        return Series(tuple(written))

    def _longest(self, ids: list[int], start: int) -> tuple[int, Expression | None]:
        """Return the longest known list that stands at `start`: its length and its name."""
        fitting = [
            (len(known), name)
            for known, name in self._lists.get(ids[start], [])
            if known == ids[start : start + len(known)]
        ]
        return max(fitting, key=lambda pair: pair[0], default=(1, None))
