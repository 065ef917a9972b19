"""Which numbers of a class are arguments of its `__init__`, and its source written with them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from specc.emit.formulas import FUNCTION_HELPERS, Formulas
from specc.emit.layout import Line
from specc.emit.plan import BODY, Argument
from specc.emit.variation import may_vary
from specc.values.expression import Literal, Name
from specc.values.numbers import is_number
from specc.values.traced import formula, names_in, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from specc.emit.plan import ClassPlan
    from specc.ir.graph import Graph
    from specc.values.expression import Expression

__all__ = ["settle_arguments"]

Numbers = dict[str, int | float]


def settle_arguments(graph: Graph, plans: list[ClassPlan]) -> None:
    """Decide the arguments of each class, those it uses first, and write its formulas with them.

    A number stays an argument unless it decides the structure and is the same in all places. The
    model itself is built with any number, so there all shapes have to follow it.
    """
    numbers, decisive = _numbers(graph)
    for plan in plans:
        values = [numbers[id(instance)] for instance in plan.instances]
        pinned = set[str]().union(*(decisive[id(instance)] for instance in plan.instances))
        is_root = plan.instances[0] is graph.root
        names = values[0].keys()
        closed = {name for name in names & pinned if len({known[name] for known in values}) == 1}
        if is_root:
            closed |= {name for name in names - closed if not may_vary(graph, name)}
        formulas = Formulas(values[0], frozenset(names - closed))
        _write(plan, formulas)
        plan.arguments = _arguments(plan, formulas.read, values, is_root=is_root)


def _numbers(graph: Graph) -> tuple[dict[int, Numbers], dict[int, set[str]]]:
    """Return the numbers that each instance knows, and which of them decide the structure.

    What decides it inside a module decides it for whoever gave the number; what a variant sets
    is a choice of the spec, not of whoever builds the class. But a detector has as many classes
    as its data.
    """
    root = graph.root
    numbers = {id(root): _numeric(root.params)}
    chosen = {key.name for v in graph.spec.variants.values() for key, _ in v.entries}
    if graph.spec.detector:
        chosen.discard("num_classes")
    decisive = {id(root): root.pinned | chosen}
    for instance in graph.instances():
        pinned = decisive.setdefault(id(instance), set(instance.pinned))
        for _, apply in instance.children():
            given = _numeric(apply.value.replacements)
            numbers[id(apply.target)] = given
            for name in decisive[id(apply.target)] & given.keys():
                pinned |= names_in(formula(apply.value.replacements[name]))
    return numbers, decisive


def _numeric(values: dict[str, Any]) -> Numbers:
    return {name: plain(value) for name, value in values.items() if is_number(value)}


def _write(plan: ClassPlan, formulas: Formulas) -> None:
    """Write a class's statements with its formulas."""
    init = _rewritten(plan.init, formulas.in_init)
    plan.methods = tuple(
        replace(method, body=_rewritten(method.body, formulas.in_forward))
        for method in plan.methods
    )
    kept = tuple(Line(BODY, f"self.{name} = ", Name(name)) for name in sorted(formulas.kept))
    if plan.base != "nn.Module":
        plan.init = (*init, *kept)
    elif init or kept:
        plan.init = (Line(BODY, "super().__init__()"), *kept, *init)
    functions = formulas.functions & FUNCTION_HELPERS.keys()
    plan.helpers += [FUNCTION_HELPERS[name] for name in sorted(functions)]


def _rewritten(
    lines: tuple[Line, ...], write: Callable[[Expression], Expression]
) -> tuple[Line, ...]:
    return tuple(
        line if line.value is None else replace(line, value=write(line.value)) for line in lines
    )


def _arguments(
    plan: ClassPlan, read: set[str], values: list[Numbers], *, is_root: bool
) -> list[Argument]:
    """Return the names that the source reads: sizes of the inputs, then parameters as declared."""
    params = plan.instances[0].spec.params
    found = [Argument(name, "int") for name in values[0] if name in read - params.keys()]
    for name, param in params.items():
        if name not in read:
            continue
        is_float = param.kind == "float" or any(isinstance(known[name], float) for known in values)
        default: Any = values[0][name] if is_root else param.default
        if default is not None:
            default = Literal(float(default) if is_float else int(default))
        found.append(Argument(name, "float" if is_float else "int", default))
    return sorted(found, key=lambda argument: argument.default is not None)
