"""What was found out about the instances of a graph before any of them is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from specc.emit.returns import find_returns, flat
from specc.ir.graph import Apply, Instance
from specc.ops import Op

if TYPE_CHECKING:
    from specc.ir.graph import Graph, Row
    from specc.values.expression import Expression

__all__ = ["Survey"]


class Survey:
    """What instances return, what applications build and give, and which rows run in series."""

    def __init__(self, graph: Graph) -> None:
        self._returns = find_returns(graph)
        self._layers: dict[int, Expression | None] = {}

    def returned(self, instance: Instance) -> list[Any]:
        """Return the values that an instance returns, as they are known inside it."""
        return self._returns[id(instance)]

    def layer(self, op: Op) -> Expression | None:
        """Return what builds an op's layer; `None` if it is an expression in `forward`."""
        if id(op) not in self._layers:
            self._layers[id(op)] = op.constructor()
        return self._layers[id(op)]

    def has_layer(self, apply: Apply) -> bool:
        """Whether an application builds something."""
        return not isinstance(apply.target, Op) or self.layer(apply.target) is not None

    def given(self, apply: Apply) -> list[Any]:
        """Return the values that an application gives, in order; `None` for one that is unused."""
        if not isinstance(apply.target, Instance):
            return [apply.value]
        return [apply.value.outside.get(id(inner)) for inner in self.returned(apply.target)]

    def is_series(self, row: Row) -> bool:
        """Whether `nn.Sequential` runs a row: each application takes the one value before it."""
        if any(not self.has_layer(apply) or _count(apply) != 1 for apply in row.applies):
            return False
        is_one = all(len(self.given(apply)) == 1 for apply in row.applies[:-1])
        return is_one and self._is_handed_on(row)

    def is_cycle(self, row: Row) -> bool:
        """Whether each application takes, one by one, all that the one before it gives."""
        is_several = all(_count(apply) == len(apply.inputs) > 1 for apply in row.applies)
        return is_several and all(map(self.has_layer, row.applies)) and self._is_handed_on(row)

    def _is_handed_on(self, row: Row) -> bool:
        handed = [_ids(self.given(apply)) for apply in row.applies[:-1]]
        return handed == [_ids(list(apply.inputs)) for apply in row.applies[1:]]


def _count(apply: Apply) -> int:
    """Count what stands between the parentheses of a call."""
    return len(apply.target.inputs) if isinstance(apply.target, Instance) else len(apply.inputs)


def _ids(values: list[Any]) -> list[int]:
    """Tell values apart; a list on its own stands for its items."""
    if len(values) == 1 and isinstance(values[0], list):
        values = flat(cast("list[Any]", values[0]))
    return list(map(id, values))
