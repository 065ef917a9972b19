"""The rows of one instance as what `__init__` builds."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from specc.emit.layout import Line
from specc.emit.plan import BODY, Build, ClassPlan
from specc.emit.structure import turns
from specc.emit.text import Comprehension
from specc.ir.graph import Apply, Instance
from specc.ir.tensors import leaves
from specc.ops import Op
from specc.values.dimensions import shape_text
from specc.values.evaluate import Evaluator
from specc.values.expression import Attribute, Binary, Call, Expression, Literal, Name, Series, Star
from specc.values.traced import formula, names_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specc.emit.survey import Survey
    from specc.ir.graph import Row

__all__ = ["Constructors"]

_IDENTITY = Call(Attribute(Name("nn"), "Identity"))
_ENOUGH_FOR_A_LOOP = 3


class Constructors:
    """Writes what an instance builds.

    Args:
        plans: the classes of the modules inside, by instance.
    """

    def __init__(self, plans: Mapping[int, ClassPlan], survey: Survey) -> None:
        self.plans = plans
        self.survey = survey

    def attributes(self, instance: Instance) -> list[Line]:
        """Set an attribute for each row that builds something."""
        built = [(row, self._row(row, instance)) for row in instance.rows]
        return [
            Line(BODY, f"self.{row.key} = ", value) for row, value in built if value is not None
        ]

    def items(self, instance: Instance, depth: int) -> list[Line]:
        """Write the rows of a list one below the other."""
        lines: list[Line] = []
        previous = ""
        for index, row in enumerate(instance.rows):
            value = self._row(row, instance) or _IDENTITY
            shape = next(
                (shape_text(t.shape) for t in leaves(row.value) if t.shape is not None), ""
            )
            remark = f"{index}: {row.name}, {shape}" if row.name else f"{index}: {shape}"
            is_told = row.name is not None or shape != previous
            lines.append(Line(depth, "", value, ",", remark=remark if is_told else ""))
            previous = shape
        return lines

    def _row(self, row: Row, instance: Instance) -> Expression | None:
        """Return what a row's attribute is set to; `None` for a row that builds nothing."""
        if row.form == "one" or row.shared:
            return self._layer(row.applies[0]) if row.applies else None
        if row.form not in {"repeat", "each"}:
            return None
        applies = turns(row) if row.form == "each" else row.applies
        layers = [self._layer(apply) if apply else None for apply in applies]
        if not any(layers):
            return None
        grouped = _runs([layer or _IDENTITY for layer in layers], _open_count(row, instance))
        if row.form == "repeat" and self.survey.is_series(row):
            return Call(Attribute(Name("nn"), "Sequential"), grouped)
        match grouped:
            case (Star(only),):
                held = only
            case _:
                held = Series(grouped)
        return Call(Attribute(Name("nn"), "ModuleList"), (held,))

    def _layer(self, apply: Apply) -> Expression | None:
        target = apply.target
        if isinstance(target, Instance):
            values = {
                name: formula(v) for name, v in apply.value.replacements.items() if _is_number(v)
            }
            return Build(self.plans[id(target)], tuple(values.items()))
        return self.survey.layer(target) if isinstance(target, Op) else None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _open_count(row: Row, instance: Instance) -> Expression | None:
    """Return the formula that says how often a row is repeated, if it is more than a number."""
    if row.spec.repeat is None or (row.spec.first and len(row.applies) == 1):
        return None
    if not names_in(row.spec.repeat.expression) <= instance.env.keys():
        return None
    count = Evaluator(lambda name, _: instance.env[name])(row.spec.repeat.expression)
    written = formula(count)
    return None if isinstance(written, Literal) else written


def _runs(items: list[Expression], count: Expression | None) -> tuple[Expression, ...]:
    """Write equal neighbours as ``*(item for _ in range(n))``; `count` is that of all items."""
    grouped: list[Expression] = []
    done = 0
    for item, run in groupby(items):
        length = len(list(run))
        done += length
        times: Expression = Literal(length)
        is_open = count is not None and done == len(items) and (length > 1 or done == 1)
        if is_open and count is not None:
            before = Literal(done - length)
            times = Binary("-", count, before) if before.value else count
        if is_open or length >= _ENOUGH_FOR_A_LOOP:
            counted = Call(Name("range"), (times,))
            grouped.append(Star(Comprehension(item, "_", counted, bare=True)))
        else:
            grouped += [item] * length
    return tuple(grouped)
