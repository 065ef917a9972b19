"""How rows are held: what an application gives, which rows run in series, and their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from specc.emit.returns import flat
from specc.ir.graph import Apply, Instance, Row
from specc.ir.tensors import Result
from specc.ops import Op

if TYPE_CHECKING:
    from specc.emit.returns import Returns

__all__ = [
    "export_name",
    "given",
    "is_cycle",
    "is_series",
    "kind",
    "name_of",
    "takes_one_list",
    "turns",
    "without_layer",
]


def without_layer(apply: Apply) -> bool:
    """Whether a row's op is an expression in `forward`, with nothing to build."""
    return isinstance(apply.target, Op) and apply.target.constructor() is None


def given(apply: Apply, returns: Returns) -> list[Any]:
    """Return the values that an application gives, in order; `None` for one that nothing uses."""
    if not isinstance(apply.target, Instance):
        return [apply.value]
    return [apply.value.outside.get(id(inner)) for inner in returns[id(apply.target)]]


def turns(row: Row) -> list[Apply | None]:
    """Return a row's applications side by side; `None` where a condition leaves one out."""
    applies = {id(apply.value): apply for apply in row.applies}
    return [applies.get(id(value)) for value in cast("list[Any]", row.value)]


def takes_one_list(apply: Apply) -> bool:
    """Whether a module takes all that arrives as one list."""
    inputs = list(apply.target.inputs.values()) if isinstance(apply.target, Instance) else []
    return len(inputs) == 1 and isinstance(inputs[0], list)


def is_series(row: Row, returns: Returns) -> bool:
    """Whether `nn.Sequential` runs a row: each application takes the one value before it."""
    if any(without_layer(apply) or _count(apply) != 1 for apply in row.applies):
        return False
    is_one = all(len(given(apply, returns)) == 1 for apply in row.applies[:-1])
    return is_one and _is_handed_on(row, returns)


def is_cycle(row: Row, returns: Returns) -> bool:
    """Whether each application takes, one by one, all that the one before it gives."""
    is_several = all(_count(apply) == len(apply.inputs) > 1 for apply in row.applies)
    has_layers = not any(without_layer(apply) for apply in row.applies)
    return is_several and has_layers and _is_handed_on(row, returns)


def _count(apply: Apply) -> int:
    """Count what stands between the parentheses of a call."""
    return len(apply.target.inputs) if isinstance(apply.target, Instance) else len(apply.inputs)


def _is_handed_on(row: Row, returns: Returns) -> bool:
    handed = [_ids(given(apply, returns)) for apply in row.applies[:-1]]
    return handed == [_ids(list(apply.inputs)) for apply in row.applies[1:]]


def _ids(values: list[Any]) -> list[int]:
    """Tell values apart; a list on its own stands for its items."""
    if len(values) == 1 and isinstance(values[0], list):
        values = flat(cast("list[Any]", values[0]))
    return list(map(id, values))


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
