"""Rows and values: their names, their types, and the turns of a row."""

from __future__ import annotations

from typing import Any, cast

from specc.emit.returns import flat
from specc.ir.graph import Apply, Instance, Row
from specc.ir.tensors import Result

__all__ = ["export_name", "kind", "name_of", "takes_one_list", "turns"]


def turns(row: Row) -> list[Apply | None]:
    """Return a row's applications side by side; `None` where a condition leaves one out."""
    applies = {id(apply.value): apply for apply in row.applies}
    return [applies.get(id(value)) for value in cast("list[Any]", row.value)]


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
    return next((name for name, known in named if value in _parts(known)), "out")


def _parts(value: Any) -> list[Any]:
    return [value, *value.outside.values()] if isinstance(value, Result) else [value]


def kind(value: Any) -> str:
    """Return the type of a value in a signature."""
    return "list[Tensor]" if isinstance(value, list) or len(flat([value])) > 1 else "Tensor"
