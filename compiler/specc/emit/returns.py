"""What each emitted class returns: the outputs that its module declares, and the taps in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from specc.ir.graph import Instance
from specc.ir.tensors import Result, leaves, spread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specc.ir.graph import Graph

__all__ = ["Returns", "find_returns", "flat", "made_by"]

Returns = dict[int, list[Any]]
"""The values that an instance returns, as they are known inside it, by the instance's id."""


def find_returns(graph: Graph) -> Returns:
    """Decide what every instance returns, from the root inwards: a use may reach down a chain."""
    returns: Returns = {}
    for instance in reversed(list(graph.instances())):
        if instance is graph.root:
            returns[id(instance)] = [value for _, value in instance.outputs]
            list(leaves(returns[id(instance)]))
        for row in instance.rows:
            turns = [apply.target for apply in row.applies if isinstance(apply.target, Instance)]
            for turn in turns:
                returns[id(turn)] = _returned(turn)
            if row.shared and turns:
                _agree(turns, returns)
    return returns


def flat(values: list[Any]) -> list[Any]:
    """Return tensors and lists in place of the results of modules."""
    return [part for value in values for part in spread(value)]


def made_by(value: Any) -> Iterator[Any]:
    """Yield a row's value, and what it is made of."""
    yield value
    if isinstance(value, Result):
        for outer in list(value.outside.values()):
            yield from made_by(outer)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from made_by(item)


def _declared(instance: Instance) -> list[Any]:
    return flat([value for _, value in instance.outputs])


def _returned(instance: Instance) -> list[Any]:
    """Return the declared outputs and what else is used outside; the last row if nothing is."""
    if instance.spec.outputs is None and instance.exports:
        return _in_order(instance, instance.exports)
    declared = _declared(instance)
    return [*declared, *_in_order(instance, _beside(instance, declared))]


def _beside(instance: Instance, declared: list[Any]) -> list[Any]:
    known = {id(value) for value in declared}
    return [value for value in instance.exports if id(value) not in known]


def _in_order(instance: Instance, values: list[Any]) -> list[Any]:
    """Sort values by the rows that make them."""
    places: dict[int, int] = {}
    for index, row in enumerate(instance.rows):
        for value in made_by(row.value):
            places.setdefault(id(value), index)
    return sorted(values, key=lambda value: places.get(id(value), -1))


def _agree(turns: list[Instance], returns: Returns) -> None:
    """Let all uses of one shared instance return the same places: those that any of them needs."""
    beside = {id(value) for turn in turns for value in _beside(turn, _declared(turn))}
    tapped = [
        index
        for index, rows in enumerate(zip(*(turn.rows for turn in turns), strict=True))
        if any(id(row.value) in beside for row in rows)
    ]
    for turn in turns:
        returns[id(turn)] = [*_declared(turn), *(turn.rows[index].value for index in tapped)]
