"""Bind a call's arguments to names, as Python binds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from specc.values.expression import ExpressionError, Star

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from specc.values.expression import At, Call, Expression

__all__ = ["Bound", "bind"]


@dataclass(slots=True)
class Bound:
    """Arguments by name: their values, and where each stands in the call's text."""

    values: dict[str, Any]
    places: dict[str, At]


def bind(
    call: Call, names: Sequence[str], evaluate: Callable[[Expression], Any], title: str
) -> Bound:
    """Give each argument its name and evaluate it.

    Raises:
        ExpressionError: too many arguments, one given twice, or one that cannot be evaluated.
    """
    bound = Bound({}, {})
    if len(call.arguments) > len(names):
        takes = (
            f"`{title}` takes {len(names)}: {', '.join(names)}"
            if names
            else f"`{title}` takes none"
        )
        extra = call.arguments[len(names)]
        message = f"`{title}` is given {len(call.arguments)} arguments"
        raise ExpressionError(message, extra.at, takes, "E0208")
    for name, value in zip(names, call.arguments, strict=False):
        if isinstance(value, Star):
            message, help = "`*` is for lists, not for arguments", "write the arguments one by one"
            raise ExpressionError(message, value.at, help, "E0213")
        bound.values[name] = evaluate(value)
        bound.places[name] = value.at
    for name, value, at in call.keywords:
        if name in bound.values:
            message = f"`{name}` is given twice"
            raise ExpressionError(message, at, "leave one of them out", "E0209")
        bound.values[name] = evaluate(value)
        known = name in names
        bound.places[name] = value.at if known else at
    return bound
