"""Where in a module a value is made, so that the same value is found in another of its uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from specc.ir.graph import Instance

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Place", "place_of", "value_at"]

Place = tuple[int, ...]
"""A row, its turn, and the place inside the module that it calls, in the order of the rows.

A row alone stands for all its turns; -1 for the inputs, and the number of rows for the outputs.
"""


def place_of(instance: Instance, value: Any) -> Place:
    """Return where a value of an instance is first known.

    Raises:
        LookupError: the instance does not have it.
    """
    for place, known in _places(instance):
        if known is value:
            return place
    raise LookupError("a value is used that its module does not have")


def value_at(instance: Instance, place: Place) -> Any:
    """Return the value at a place, brought out of the modules in which it is made."""
    row, *inside = place
    if row == -1:
        return list(instance.inputs.values())[inside[0]]
    if row == len(instance.rows):
        return instance.outputs[inside[0]][1]
    if not inside:
        return instance.rows[row].value
    turn, *deeper = inside
    apply = instance.rows[row].applies[turn]
    if not deeper or not isinstance(apply.target, Instance):
        return apply.value
    return apply.value.export(value_at(apply.target, tuple(deeper)))


def _places(instance: Instance) -> Iterator[tuple[Place, Any]]:
    for index, value in enumerate(instance.inputs.values()):
        yield (-1, index), value
    for index, row in enumerate(instance.rows):
        for turn, apply in enumerate(row.applies):
            yield (index, turn), apply.value
            if isinstance(apply.target, Instance):
                for inner in apply.target.exports:
                    outer = apply.value.outside.get(id(inner))
                    if outer is not None:
                        yield (index, turn, *place_of(apply.target, inner)), outer
        yield (index,), row.value
    for index, (_, value) in enumerate(instance.outputs):
        yield (len(instance.rows), index), value
