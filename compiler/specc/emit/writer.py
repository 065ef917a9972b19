"""Calls and assignments inside one `forward`: what turns.py and forward.py are written with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from specc.emit.layout import Line
from specc.emit.locals import Locals
from specc.emit.plan import BODY
from specc.emit.returns import flat
from specc.emit.structure import export_name, name_of, takes_one_list
from specc.ir.graph import Apply, Instance, Row
from specc.ir.tensors import leaves
from specc.values.dimensions import shape_text
from specc.values.expression import Attribute, Call, Expression, Index, Literal, Name, Series, Star

if TYPE_CHECKING:
    from collections.abc import Iterable

    from specc.emit.survey import Survey
    from specc.ops import Op

__all__ = ["Writer", "shapes"]


class Writer:
    """The statements of one method, and the names of the values in it.

    Args:
        inputs: the method's arguments.
        may_reuse: whether the arguments are done with once the first row has been written.
    """

    def __init__(
        self, instance: Instance, survey: Survey, inputs: dict[str, Any], *, may_reuse: bool
    ) -> None:
        self.instance = instance
        self.survey = survey
        named = {name_of(row) for row in instance.rows}
        self.names = Locals({*inputs, *instance.env, *named})
        for name, value in inputs.items():
            self.names.bind(value, Name(name))
        reused = may_reuse and "x" in inputs
        self.flowing = "x" if reused else self.names.fresh("x", "y", "z", "out")

    def layer(self, row: Row, turn: int | None = None) -> Expression:
        """Return the attribute, or the item of a list, that holds a row's layer."""
        if self.instance.spec.is_list:
            layer: Expression = Index(Name("self"), Literal(int(row.key)))
        else:
            layer = Attribute(Name("self"), row.key)
        return layer if turn is None or row.shared else Index(layer, Literal(turn))

    def call(self, apply: Apply, layer: Expression) -> Expression:
        """Apply a row to its inputs."""
        if takes_one_list(apply) and len(apply.inputs) > 1:
            return self.call_with(apply, layer, [self.names.series(apply.inputs)])
        if isinstance(apply.target, Instance):
            return self.call_with(apply, layer, list(map(self.names.refer, apply.inputs)))
        inputs: list[Expression] = []
        for value in flat(list(apply.inputs)):
            read = self.names.refer(value)
            if isinstance(read, Series):
                inputs += read.items
            elif not isinstance(value, list):
                inputs.append(read)
            elif cast("Op", apply.target).takes_list:
                inputs.append(Star(read))
            else:
                inputs += map(self.names.refer, flat(cast("list[Any]", value)))
        return self.call_with(apply, layer, inputs)

    def call_with(self, apply: Apply, layer: Expression, inputs: list[Expression]) -> Expression:
        """Return the call of a layer, or the expression of an op without one."""
        if not self.survey.has_layer(apply):
            return cast("Op", apply.target).expression(tuple(inputs))
        if takes_one_list(apply) and len(inputs) > 1:
            inputs = [Series(tuple(inputs))]
        return Call(layer, tuple(inputs))

    def assign(self, row: Row, apply: Apply, expression: Expression, name: str) -> Line:
        """Name what an application gives, one variable for each value."""
        values = self.survey.given(apply)
        targets = [name] if len(values) == 1 else self._targets(row, apply, values)
        for target, value in zip(targets, values, strict=True):
            self.names.bind(value, Name(target))
        return Line(BODY, f"{', '.join(targets)} = ", expression, remark=shapes(values))

    def _targets(self, row: Row, apply: Apply, values: list[Any]) -> list[str]:
        target = cast("Instance", apply.target)
        exported = [export_name(target, inner) for inner in self.survey.returned(target)]
        return [
            "_" if value is None else self.names.fresh(name, f"{name_of(row)}_{name}")
            for name, value in zip(exported, values, strict=True)
        ]


def shapes(values: Iterable[Any]) -> str:
    """Write the shapes of values as a remark."""
    tensors = [tensor for value in values if value is not None for tensor in leaves(value)]
    return ", ".join(shape_text(tensor.shape) for tensor in tensors if tensor.shape is not None)
