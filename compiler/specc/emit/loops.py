"""What the turns of a row walk over, when they stand side by side in a comprehension."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from specc.emit.text import Comprehension, text
from specc.ir.names import refusal
from specc.values.expression import Call, Expression, Literal, Name, Series

if TYPE_CHECKING:
    from specc.emit.locals import Locals
    from specc.emit.survey import Survey
    from specc.ir.graph import Row

__all__ = ["Loop", "find_loop"]


@dataclass(slots=True)
class Loop:
    """Lists that walk together.

    Attributes:
        count: how many turns there are.
        inputs: what a turn takes: items, and values that are the same in every turn.
        variables: the names of the items.
        lists: what is walked over, a list for each name.
    """

    count: int
    inputs: list[Expression]
    variables: list[str] = field(default_factory=list[str])
    lists: list[Expression] = field(default_factory=list[Expression])

    def over(self, element: Expression) -> Expression:
        """Return the list of what the turns give."""
        if not self.lists and self.count == 1:
            return Series((element,))
        if not self.lists:
            return Comprehension(element, "_", Call(Name("range"), (Literal(self.count),)))
        walked = self.lists[0]
        if len(self.lists) > 1:
            strict = ("strict", Literal(value=True), (0, 0))
            walked = Call(Name("zip"), tuple(self.lists), (strict,))
        return Comprehension(element, ", ".join(self.variables), walked)

    def walk(self, name: str, items: Expression, *, first: bool = False) -> Expression:
        """Walk over one more list; return its item, named so that it hides nothing."""
        taken = {
            *self.variables,
            *(text(value).split(".")[0].split("[")[0] for value in self.inputs),
        }
        while name in taken:
            name += "_"
        match items:
            case Call(Name("list"), (copied,)):
                items = copied
            case _:
                pass
        place = 0 if first else len(self.variables)
        self.variables.insert(place, name)
        self.lists.insert(place, items)
        return Name(name)


def find_loop(row: Row, names: Locals, survey: Survey) -> Loop | None:
    """Return the lists that a row's turns walk over; `None` if they build on one another."""
    if len({len(apply.inputs) for apply in row.applies}) != 1:
        return None
    results = {id(value) for apply in row.applies for value in survey.given(apply)}
    columns = list(zip(*(apply.inputs for apply in row.applies), strict=True))
    if any(id(value) in results for column in columns for value in column):
        return None
    same = [_is_same(column, names) for column in columns]
    fixed = {place: names.refer(columns[place][0]) for place, is_same in enumerate(same) if is_same}
    loop = Loop(len(row.applies), list(fixed.values()))
    inputs: list[Expression] = []
    for place, column in enumerate(columns):
        known = fixed.get(place)
        inputs.append(known or loop.walk(_variable(row, place), names.series(column)))
    loop.inputs = inputs
    return loop


def _is_same(column: tuple[Any, ...], names: Locals) -> bool:
    """Whether all turns take one value; a single turn walks over a list that has a name."""
    if len(column) == 1:
        return isinstance(names.series(column), Series)
    return all(value is column[0] for value in column)


def _variable(row: Row, place: int) -> str:
    """Return the name that the spec gives to the items of an input."""
    inputs = row.spec.inputs or ()
    written = inputs[place] if place < len(inputs) else None
    if not isinstance(written, Name) or refusal(written.id) is not None:
        return "x"
    return written.id
