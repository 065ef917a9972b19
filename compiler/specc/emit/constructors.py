"""The rows of one instance as what `__init__` builds."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from specc.emit.initial import fill
from specc.emit.initial_loops import InitialLoops
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
from specc.values.numbers import is_number
from specc.values.traced import at_turn, fold, formula, names_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specc.emit.survey import Survey
    from specc.ir.graph import Graph, Row

__all__ = ["Constructors"]

_IDENTITY = Call(Attribute(Name("nn"), "Identity"))
_ENOUGH_FOR_A_LOOP = 3


class Constructors:
    """Writes what an instance builds.

    Args:
        plans: the classes of the modules inside, by instance.
    """

    def __init__(self, graph: Graph, plans: Mapping[int, ClassPlan], survey: Survey) -> None:
        self.plans = plans
        self.survey = survey
        self.loops = InitialLoops(graph)

    def attributes(self, instance: Instance) -> list[Line]:
        """Set an attribute for each row that builds something, and fill what it holds."""
        lines: list[Line] = []
        loop = self.loops.lines(instance)
        for row in instance.rows:
            value = self._row(row, instance)
            if value is not None:
                lines.append(Line(BODY, f"self.{row.key} = ", value))
                lines += [] if loop else fill(row, instance, self.loops.done(instance))
        return [*lines, *self.filled(instance)] if loop else lines

    def filled(self, instance: Instance) -> list[Line]:
        """Fill what all rows hold, when they are built."""
        done = self.loops.done(instance)
        by_row = [line for row in instance.rows for line in fill(row, instance, done)]
        return [*self.loops.lines(instance), *by_row]

    def items(self, instance: Instance, depth: int) -> list[Line]:
        """Write the rows of a list one below the other, without those left out at its end."""
        lines: list[Line] = []
        previous = ""
        present = [index for index, row in enumerate(instance.rows) if row.form != "absent"]
        for index, row in enumerate(instance.rows[: present[-1] + 1 if present else None]):
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
        items = [layer or _IDENTITY for layer in layers]
        grouped = _runs(items, _open_count(row, instance), row.spec.turn)
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
                name: formula(v) for name, v in apply.value.replacements.items() if is_number(v)
            }
            return Build(self.plans[id(target)], tuple(values.items()))
        return self.survey.layer(target) if isinstance(target, Op) else None


def _open_count(row: Row, instance: Instance) -> Expression | None:
    """Return the formula that says how often a row is repeated, if it is more than a number.

    The root is built with one count, which decides its structure.
    """
    if row.spec.repeat is None or (row.spec.first and len(row.applies) == 1) or not instance.path:
        return None
    if not names_in(row.spec.repeat.expression) <= instance.env.keys():
        return None
    count = Evaluator(lambda name, _: instance.env[name])(row.spec.repeat.expression)
    written = formula(count)
    return None if isinstance(written, Literal) else written


def _runs(
    items: list[Expression], count: Expression | None, turn: str | None
) -> tuple[Expression, ...]:
    """Write equal neighbours as ``*(item for _ in range(n))``; `count` is that of all items.

    Those that differ by the number of their turn are equal: ``*(item(i) for i in range(1, n))``.
    """
    grouped: list[Expression] = []
    done = 0
    for item, run in groupby(items):
        before, done = done, done + len(list(run))
        length = done - before
        is_open = count is not None and done == len(items) and (length > 1 or done == 1)
        if is_open or length >= _ENOUGH_FOR_A_LOOP:
            stop = count if is_open and count is not None else Literal(done)
            grouped.append(Star(_looped(item, before, stop, turn)))
        else:
            grouped += [_at_turn(item, number) for number in range(before, done)]
    return tuple(grouped)


def _at_turn(item: Expression, number: int) -> Expression:
    """Write an item for one turn, in whose place the number stands."""
    if isinstance(item, Build):
        return replace(item, values=tuple((n, at_turn(v, number)) for n, v in item.values))
    return at_turn(item, number)


def _looped(item: Expression, start: int, stop: Expression, turn: str | None) -> Comprehension:
    """Write an item for each turn from `start` up to `stop`."""
    values = [value for _, value in item.values] if isinstance(item, Build) else [item]
    if turn is not None and any(turn in names_in(value) for value in values):
        bounds = (Literal(start), stop) if start else (stop,)
        return Comprehension(item, turn, Call(Name("range"), bounds), bare=True)
    times = fold(Binary("-", stop, Literal(start))) if start else stop
    return Comprehension(item, "_", Call(Name("range"), (times,)), bare=True)
