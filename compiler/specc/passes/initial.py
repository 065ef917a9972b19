"""Check what modules say of the initial values of all ops of a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.documents import suggest
from specc.ir.graph import Instance
from specc.ops import Op
from specc.passes.unused import named_from

if TYPE_CHECKING:
    from specc.documents import Report
    from specc.ir.graph import Graph
    from specc.ir.spec import InitSpec

__all__ = ["check_initial"]

Held = dict[str, set[str]]
"""The tensors of the ops in a module, by the kind of op."""


def check_initial(graph: Graph, report: Report) -> None:
    """Report tensors that none of the ops meant has, and kinds of ops that are not there.

    A kind is there too where a condition leaves its rows out. While there are errors, what they cut
    off would be missed.
    """
    if report.errors:
        return
    held = _held(graph)
    for module in (graph.spec.root, *graph.spec.modules.values()):
        for declared in module.init if id(module) in held else ():
            tensors = held[id(module)].get(declared.op)
            if tensors is not None:
                _check_tensors(declared, tensors, module.name, report)
            elif declared.op not in named_from(module, graph.spec):
                message = f"there is no `{declared.op}` in `{module.name}`"
                help = "take it out, or name the op that is meant"
                report.add("W0608", message, declared.span, "fills nothing", help=help)


def _held(graph: Graph) -> dict[int, Held]:
    """Return what the modules of the model hold, in all places where one is used together."""
    of_instance: dict[int, Held] = {}
    of_module: dict[int, Held] = {}
    for instance in graph.instances():
        held = of_instance[id(instance)] = Held()
        for apply in (apply for row in instance.rows for apply in row.applies):
            if isinstance(apply.target, Op):
                names = {entry.name for entry in _in_full(apply.target).state()}
                held.setdefault(type(apply.target).__name__, set()).update(names)
            elif isinstance(apply.target, Instance):
                _add(of_instance.get(id(apply.target), {}), held)
        _add(held, of_module.setdefault(id(instance.spec), {}))
    return of_module


def _in_full(op: Op) -> Op:
    """Return an op with its flags at their defaults, by which torch's layers have all tensors."""
    flags = {name: a.default for name, a in op.arguments.items() if isinstance(a.default, bool)}
    return type(op)(**op.settings() | flags)


def _add(held: Held, to: Held) -> None:
    for kind, names in held.items():
        to.setdefault(kind, set()).update(names)


def _check_tensors(declared: InitSpec, tensors: set[str], module: str, report: Report) -> None:
    for value in declared.values:
        if value.name not in tensors:
            known = sorted(tensors, reverse=True)
            near = suggest(value.name, known)
            has = f"they have {', '.join(known)}" if known else "take it out"
            help = f"did you mean `{near}`?" if near else has
            message = f"no `{declared.op}` in `{module}` has a tensor `{value.name}`"
            report.add("E0314", message, value.span, "not a tensor of these rows", help=help)
