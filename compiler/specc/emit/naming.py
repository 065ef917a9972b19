"""What emitted classes are called, and the first line of their docstrings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.ir.graph import Instance
from specc.ir.names import OUTPUTS, class_name
from specc.ir.tensors import Callee
from specc.values.expression import Call, Name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from specc.emit.plan import ClassPlan
    from specc.ir.graph import Row
    from specc.ir.spec import Spec

__all__ = ["name_classes"]


def name_classes(plans: list[ClassPlan]) -> None:
    """Name each class after its module and what tells it from the others of that module.

    That is the ops and modules that were handed over, and the rows that a condition leaves out; what
    is still of one name gets a number. The root, which is the last, has the first choice.
    """
    plan_of = {id(instance): plan for plan in plans for instance in plan.instances}
    of_module: dict[int, list[ClassPlan]] = {}
    for plan in plans:
        of_module.setdefault(id(plan.instances[0].spec), []).append(plan)
    taken = {OUTPUTS}.union(*(plan.instances[0].params for plan in plans))
    first: dict[tuple[int, str], Sequence[Sequence[object]]] = {}
    for plan in [plans[-1], *plans[:-1]]:
        instance = plan.instances[0]
        others = [other.instances[0] for other in of_module[id(instance.spec)]]
        chosen = _telling(_chosen(instance), map(_chosen, others))
        missing = _telling(_missing(instance), map(_missing, others))
        suffix = "".join([*map(class_name, chosen), *(f"No{class_name(name)}" for name in missing)])
        plan.name = _free(_module_name(instance) + suffix, taken)
        built = [_built(row, plan_of) for row in instance.rows]
        before = first.setdefault((id(instance.spec), suffix), built)
        rows = zip(instance.rows, built, before, strict=True)
        other = [row.name or row.key for row, mine, theirs in rows if mine != theirs]
        plan.doc = _doc(instance, chosen, missing, other)


def _telling(names: list[str], others: Iterable[list[str]]) -> list[str]:
    """Return the names that not all the others have too."""
    common = set(names).intersection(*others)
    return [name for name in names if name not in common]


def _chosen(instance: Instance) -> list[str]:
    """Return the ops and modules that were handed over."""
    return [value.name for value in instance.params.values() if isinstance(value, Callee)]


def _missing(instance: Instance) -> list[str]:
    """Return the rows that a condition leaves out, by name, or by what they would call."""
    return [row.name or _callee(row) for row in instance.rows if row.form == "absent"]


def _built(row: Row, plan_of: dict[int, ClassPlan]) -> Sequence[object]:
    """Return the class, or the kind of op, of each turn of a row."""
    targets = [apply.target for apply in (row.applies[:1] if row.shared else row.applies)]
    return [plan_of[id(of)] if isinstance(of, Instance) else type(of) for of in targets]


def _callee(row: Row) -> str:
    match row.spec.call.expression:
        case Call(Name(name)):
            return name
        case _:
            return f"row{row.key}"


def _free(name: str, taken: set[str]) -> str:
    free, count = name, 1
    while free in taken:
        count += 1
        free = f"{name}{count}"
    taken.add(free)
    return free


def _module_name(instance: Instance) -> str:
    """Return what a module is called: a whole file by its `class`, a module by its name."""
    file = _file(instance)
    return (file and file.class_name) or class_name(instance.spec.name)


def _file(instance: Instance) -> Spec | None:
    """Return the file whose root a module is, if it is one."""
    return instance.spec.spec if instance.spec.is_root else None


def _doc(instance: Instance, chosen: list[str], missing: list[str], other: list[str]) -> str:
    spec, file = instance.spec, _file(instance)
    written = spec.doc or (file.title if file else f"Module `{spec.name}` of the spec")
    parts = [("with", chosen), ("without", missing), ("with another", other)]
    told = [
        f", {word} {' and '.join(f'`{name}`' for name in names)}" for word, names in parts if names
    ]
    return f"{written.rstrip().rstrip('.')}{''.join(told)}"
