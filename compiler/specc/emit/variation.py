"""Whether a model can be built with another number than the one it was checked with.

A formula may end in an op that only gives a number: the joined channels of `Cat`, the features of
`Flatten`, a sum with a map whose width is written out. A layer behind it would not fit any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from specc.ir.graph import Instance
from specc.ops import Op, ShapeError
from specc.values.evaluate import Evaluator
from specc.values.expression import ExpressionError
from specc.values.traced import Traced, formula

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from specc.ir.graph import Graph
    from specc.values.dimensions import Shape
    from specc.values.expression import At

__all__ = ["may_vary"]


def may_vary(graph: Graph, name: str) -> bool:
    """Double a parameter of the model, and tell whether every layer takes what arrives then."""
    params = graph.root.params
    shapes: dict[str, Shape] = {}
    try:
        ops = dict(_ops(graph.root, {**params, name: 2 * params[name] or 1}))
        for node in graph.nodes():
            if node.op is None:
                shapes[node.path] = cast("Shape", node.shape)
                continue
            arriving = [shapes[source] for source in node.inputs]
            op = ops[node.path]
            if any(getattr(op, told) != arriving[0][place] for told, place in _inferred(op)):
                return False
            shapes[node.path] = op.shape(*arriving)
    except (ExpressionError, ShapeError, KeyError):
        return False
    return True


def _inferred(op: Op) -> Iterator[tuple[str, int]]:
    """Yield the arguments that say how much arrives, and the dimension they speak of."""
    for name, argument in op.arguments.items():
        if argument.inferred is not None:
            yield name, argument.inferred


def _ops(instance: Instance, values: Mapping[str, Any]) -> Iterator[tuple[str, Op]]:
    """Yield the ops of a module by their path, as they are under other values of its names."""
    applied = [(row, *turn) for row in instance.rows for turn in enumerate(row.applies)]
    for row, turn, apply in applied:
        numbers = _Numbers(values if row.spec.turn is None else {**values, row.spec.turn: turn})
        if isinstance(apply.target, Instance):
            given = apply.value.replacements
            yield from _ops(
                apply.target, {name: numbers.of(value) for name, value in given.items()}
            )
        elif apply.target is not None:
            settings = apply.target.settings()
            changed = {name: numbers.of(value) for name, value in settings.items()}
            yield apply.path, type(apply.target)(**changed)


class _Numbers:
    """Formulas over the names of one module, computed."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.evaluate = Evaluator(self._look_up)

    def _look_up(self, name: str, at: At) -> Any:
        del at
        return self.values[name]

    def of(self, value: Any) -> Any:
        """Return what a number is under these values, and anything else as it is."""
        if isinstance(value, (list, tuple)):
            items = [self.of(item) for item in cast("list[Any]", value)]
            return items if isinstance(value, list) else tuple(items)
        return self.evaluate(formula(value)) if isinstance(value, Traced) else value
