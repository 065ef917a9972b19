"""Check what modules say of the initial values of all ops of a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.documents import suggest
from specc.ir.graph import Instance
from specc.ops import Op
from specc.passes.unused import named_from

if TYPE_CHECKING:
    from specc.documents import Report
    from specc.ir.graph import Apply, Graph, Row
    from specc.ir.spec import InitSpec

__all__ = ["check_initial"]

Held = dict[str, dict[str, set[int]]]
"""The tensors of the ops in a module, by the kind of op: the phrases, by `id`, that fill each."""

_LEFT_OUT = 0
"""In place of a phrase, for a tensor that a flag such as `bias=False` leaves out."""


def check_initial(graph: Graph, report: Report) -> None:
    """Report tensors that none of the ops meant has, and values that fill nothing.

    That is where no op is of the kind, or all have values from nearer by. What a condition leaves out
    counts as there. While there are errors, what they cut off would be missed.
    """
    if report.errors:
        return
    held, left_out = _held(graph), _left_out(graph)
    for module in (graph.spec.root, *graph.spec.modules.values()):
        for declared in module.init if id(module) in held else ():
            tensors = held[id(module)].get(declared.op)
            if tensors is not None:
                _check_tensors(declared, tensors, module.name, report)
                if id(module) not in left_out:
                    _check_used(declared, tensors, module.name, report)
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
        for row in instance.rows:
            for apply in row.applies:
                if isinstance(apply.target, Op):
                    _note(apply.target, _sources(instance, row, apply), held)
                elif isinstance(apply.target, Instance):
                    _add(of_instance.get(id(apply.target), {}), held)
        _add(held, of_module.setdefault(id(instance.spec), {}))
    return of_module


def _sources(instance: Instance, row: Row, apply: Apply) -> dict[str, int]:
    """Return the phrase that fills each tensor of an op, by `id`: the row's own, or a module's."""
    of_row = {setting.name: id(setting.phrase) for setting in row.spec.init}
    of_kind = instance.init.get(type(apply.target).__name__, {})
    around = {name: id(filling.phrase) for name, filling in of_kind.items()}
    return {name: (around | of_row)[name] for name in apply.initial}


def _note(op: Op, sources: dict[str, int], held: Held) -> None:
    tensors = held.setdefault(type(op).__name__, {})
    there = {entry.name for entry in op.state()}
    for entry in _in_full(op).state():
        phrase = sources.get(entry.name) if entry.name in there else _LEFT_OUT
        tensors.setdefault(entry.name, set()).update({phrase} if phrase is not None else ())


def _in_full(op: Op) -> Op:
    """Return an op with its flags at their defaults, by which torch's layers have all tensors."""
    flags = {name: a.default for name, a in op.arguments.items() if isinstance(a.default, bool)}
    return type(op)(**op.settings() | flags)


def _add(held: Held, to: Held) -> None:
    for kind, tensors in held.items():
        known = to.setdefault(kind, {})
        for name, phrases in tensors.items():
            known.setdefault(name, set()).update(phrases)


def _left_out(graph: Graph) -> set[int]:
    """Return the modules in which, at any depth, a condition leaves a row out."""
    found: set[int] = set()
    for instance in graph.instances():
        targets = [apply.target for _, apply in instance.children()]
        inside = {id(target.spec) for target in targets if isinstance(target, Instance)}
        if inside & found or any(row.form == "absent" for row in instance.rows):
            found.add(id(instance.spec))
    return found


def _check_used(
    declared: InitSpec, tensors: dict[str, set[int]], module: str, report: Report
) -> None:
    for value in declared.values:
        phrases = tensors.get(value.name)
        if phrases and phrases.isdisjoint((id(value.phrase), _LEFT_OUT)):
            op = f"`{declared.op}` in `{module}`"
            message = f"every {op} begins with a `{value.name}` that is said nearer to it"
            help = "take it out, or what the rows or the modules further in say"
            report.add("W0608", message, value.span, "fills nothing", help=help)


def _check_tensors(
    declared: InitSpec, tensors: dict[str, set[int]], module: str, report: Report
) -> None:
    for value in declared.values:
        if value.name not in tensors:
            known = sorted(tensors, reverse=True)
            near = suggest(value.name, known)
            has = f"they have {', '.join(known)}" if known else "take it out"
            help = f"did you mean `{near}`?" if near else has
            message = f"no `{declared.op}` in `{module}` has a tensor `{value.name}`"
            report.add("E0314", message, value.span, "not a tensor of these rows", help=help)
