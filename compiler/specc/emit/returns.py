"""What each emitted class returns: the outputs that its module declares, and the taps in use."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from specc.emit.places import place_of, value_at
from specc.ir.graph import Instance
from specc.ir.tensors import Inner, Result, leaves, spread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specc.ir.graph import Graph

__all__ = ["Returns", "find_returns", "flat", "made_by"]

Returns = dict[int, list[Any]]
"""The values that an instance returns, as they are known inside it, by the instance's id."""


def find_returns(graph: Graph) -> Returns:
    """Decide what every instance returns, from the root inwards: a use may reach down a chain."""
    root = graph.root
    returns: Returns = {id(root): [value for _, value in root.outputs]}
    list(leaves(returns[id(root)]))  # brings the outputs out of the modules that make them
    waiting = [[root]]
    while waiting:
        for twins in _inside(waiting.pop()):
            returns |= zip(map(id, twins), _returned(twins), strict=True)
            waiting.append(twins)
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
    elif isinstance(value, (list, Inner)):
        for item in cast("list[Any]", value.made if isinstance(value, Inner) else value):
            yield from made_by(item)


def _declared(instance: Instance) -> list[Any]:
    return flat([value for _, value in instance.outputs])


def _inside(twins: list[Instance]) -> Iterator[list[Instance]]:
    """Yield the modules inside instances of one class, those together that are one instance."""
    for rows in zip(*(twin.rows for twin in twins), strict=True):
        targets = [[apply.target for apply in row.applies] for row in rows]
        apart = zip(*targets, strict=True)
        for group in [list(chain(*targets))] if rows[0].shared else apart:
            instances = [target for target in group if isinstance(target, Instance)]
            if instances:
                yield instances


def _returned(twins: list[Instance]) -> list[list[Any]]:
    """Return the values that each of the uses of one instance returns, at the same places in all.

    They are the declared outputs and what else any use is asked for; the last row if nothing is.
    """
    declared = [_declared(twin) for twin in twins]
    wanted = {place_of(twin, value) for twin in twins for value in twin.exports}
    if twins[0].spec.outputs is None and wanted:
        return [[value_at(twin, place) for place in sorted(wanted)] for twin in twins]
    first = [place_of(twins[0], value) for value in declared[0]]
    beside = sorted(wanted - set(first))
    return [
        [*values, *(value_at(twin, place) for place in beside)]
        for twin, values in zip(twins, declared, strict=True)
    ]
