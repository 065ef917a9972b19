"""Rows and values: their names, their types, and the turns of a row."""

from __future__ import annotations

from typing import Any, cast

from specc.emit.returns import flat
from specc.ir.graph import Apply, Instance, Row
from specc.ir.tensors import Result

__all__ = ["export_name", "kind", "name_of", "takes_one_list", "turns"]


def turns(row: Row) -> list[Apply | None]:
    """Return a row's applications side by side; `None` where a condition leaves one out."""
    found: list[Apply | None] = []
    waiting = list(reversed(row.applies))
    for value in cast("list[Any]", row.value):
        is_made_here = bool(waiting) and waiting[-1].value is value
        found.append(waiting.pop() if is_made_here else None)
    return found


def takes_one_list(apply: Apply) -> bool:
    """Whether a module takes all that arrives as one list."""
    inputs = list(apply.target.inputs.values()) if isinstance(apply.target, Instance) else []
    return len(inputs) == 1 and isinstance(inputs[0], list)


def name_of(row: Row) -> str:
    """Return the name of a row's value; a row without one is called by its place."""
    return row.name or f"row{row.key}"


def export_name(instance: Instance, value: Any) -> str:
    """Return the name of a value that a module returns: that of its output, or of its row."""
    named = instance.outputs if instance.spec.outputs is not None else []
    named = [*named, *((name_of(row), row.value) for row in instance.rows)]
    for name, known in named:
        if isinstance(known, Result):
            inside = [
                inner for inner in known.instance.exports if known.outside.get(id(inner)) is value
            ]
            if inside:
                is_output = any(inside[0] is output for _, output in known.instance.outputs)
                return name if is_output else export_name(known.instance, inside[0])
        elif known == value:
            return name
    return "out"


def kind(value: Any) -> str:
    """Return the type of a value in a signature."""
    return "list[Tensor]" if isinstance(value, list) or len(flat([value])) > 1 else "Tensor"
