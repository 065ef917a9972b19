"""Put the inputs of a row that have names into the order of what is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from specc.values.expression import ExpressionError

if TYPE_CHECKING:
    from specc.ir.spec import ModuleSpec
    from specc.ops import Op
    from specc.values.expression import At

__all__ = ["argument_names", "in_order", "input_names"]


def input_names(target: type[Op] | ModuleSpec) -> list[str]:
    """Return the names of what an op or module takes; none for an op that takes any number."""
    if isinstance(target, type):
        return list(target.inputs or ())
    return [declared.name for declared in target.inputs] or ["x"]


def argument_names(target: type[Op] | ModuleSpec) -> list[str]:
    """Return the names of the arguments of an op or module, in order."""
    return list(target.arguments if isinstance(target, type) else target.params)


def in_order(names: list[str], given: int, named: dict[str, tuple[Any, At]]) -> list[Any]:
    """Return the named values in order, behind `given` values without a name.

    Raises:
        ExpressionError: a name that there is not, one that is taken, or a gap.
    """
    for name, (_, at) in named.items():
        if name not in names:
            known = f"the inputs are {', '.join(names)}" if names else "name none of them"
            raise ExpressionError(f"there is no input `{name}`", at, known, "E0206")
        if name in names[:given]:
            raise ExpressionError(f"`{name}` is given twice", at, "leave one of them out", "E0209")
    wanted = names[given : given + len(named)]
    for name in wanted:
        if name not in named:
            at = next(iter(named.values()))[1]
            raise ExpressionError(f"`{name}` is missing", at, f"add `{name}=...`", "E0305")
    return [named[name][0] for name in wanted]
