"""Graph -> classes: which places of the model share a class, and what each class is called.

Every instance of a module is written for itself, with formulas where the spec has formulas; those
whose source is then equal share a class, and the numbers in which they differ are its arguments.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from specc.emit.arguments import settle_arguments
from specc.emit.chains import is_sequential
from specc.emit.constructors import Constructors
from specc.emit.forward import Forward
from specc.emit.layout import Line
from specc.emit.naming import name_classes
from specc.emit.plan import BODY, ClassPlan, Method
from specc.emit.stages import write_stages
from specc.emit.survey import Survey
from specc.ir.names import OUTPUTS
from specc.ops import Helper, Op

if TYPE_CHECKING:
    from specc.ir.graph import Graph, Instance

__all__ = ["plan_classes"]


def plan_classes(graph: Graph) -> list[ClassPlan]:
    """Return the classes of a model, each behind those it uses; the root is the last."""
    drafts = _Drafts(graph)
    for instance in graph.instances():
        drafts.place(instance)
    plans = list(drafts.plans.values())
    name_classes(plans)
    settle_arguments(graph, plans)
    return plans


class _Drafts:
    """Classes whose formulas are still those of the spec."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.survey = Survey(graph)
        self.plans: dict[object, ClassPlan] = {}
        self.of: dict[int, ClassPlan] = {}
        self.constructors = Constructors(graph, self.of, self.survey)
        self.varying = _varying(graph)

    def place(self, instance: Instance) -> None:
        """Write an instance's class, or find the one that is already there."""
        base, init = self._init(instance)
        methods = () if base == "nn.Sequential" else self._methods(instance)
        if id(instance) in self.varying:
            init = _plain(init)
            methods = tuple(replace(method, body=_plain(method.body)) for method in methods)
        key = (id(instance.spec), base, init, methods)
        plan = self.plans.get(key)
        if plan is None:
            self.plans[key] = plan = ClassPlan(base, init, methods, [], _helpers(instance))
        else:
            plan.init = _common(plan.init, init)
            plan.methods = tuple(
                replace(mine, body=_common(mine.body, theirs.body))
                for mine, theirs in zip(plan.methods, methods, strict=True)
            )
        plan.instances.append(instance)
        self.of[id(instance)] = plan

    def _init(self, instance: Instance) -> tuple[str, tuple[Line, ...]]:
        if not instance.spec.is_list:
            return "nn.Module", tuple(self.constructors.attributes(instance))
        opening, closing = Line(BODY, "super().__init__("), Line(BODY, ")")
        filled = self.constructors.filled(instance)
        if is_sequential(instance, self.survey):
            rows = self.constructors.items(instance, BODY + 4)
            return "nn.Sequential", (opening, *rows, closing, *filled)
        rows = self.constructors.items(instance, BODY + 8)
        brackets = Line(BODY + 4, "["), Line(BODY + 4, "]")
        return "nn.ModuleList", (opening, brackets[0], *rows, brackets[1], closing, *filled)

    def _methods(self, instance: Instance) -> tuple[Method, ...]:
        if instance is not self.graph.root:
            return (Forward(instance, self.survey).method(),)
        forward = Forward(instance, self.survey, outputs=OUTPUTS)
        ends = [(name, last) for name, last, _ in self.graph.spec.stages]
        return tuple(write_stages(forward, ends)) if ends else (forward.method(),)


def _helpers(instance: Instance) -> list[Helper]:
    """Return the sources that the ops of an instance call, each behind those it needs."""
    ops = [apply.target for row in instance.rows for apply in row.applies]
    found = [op.helper for op in ops if isinstance(op, Op) and op.helper is not None]
    return [part for helper in found for part in (*helper.needs, helper)]


def _varying(graph: Graph) -> set[int]:
    """Return the instances that are used for several shapes, since a shared row holds them."""
    found: set[int] = set()
    for instance in reversed(list(graph.instances())):
        for row, apply in instance.children():
            if id(instance) in found or (row.shared and len(row.applies) > 1):
                found.add(id(apply.target))
    return found


def _plain(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    return tuple(replace(line, remark="") for line in lines)


def _common(mine: tuple[Line, ...], theirs: tuple[Line, ...]) -> tuple[Line, ...]:
    """Drop the remarks on which two instances of a class differ."""
    return tuple(
        a if a.remark == b.remark else replace(a, remark="")
        for a, b in zip(mine, theirs, strict=True)
    )
