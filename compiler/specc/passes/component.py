"""Read a component's call, as an op's is read: its name, its arguments, their values as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from specc.detector import COMPONENTS, Component
from specc.documents import did_you_mean
from specc.ir.binding import bind, check_bound
from specc.ir.context import report_fault
from specc.ops import Declaration, ShapeError
from specc.values.expression import Call, ExpressionError, Name
from specc.values.numbers import is_number

if TYPE_CHECKING:
    from specc.documents import Report
    from specc.ir.scope import Scope
    from specc.ir.spec import Phrase

__all__ = ["literal_of", "read_component", "settings"]


def read_component(phrase: Phrase, slot: str, scope: Scope, report: Report) -> Component | None:
    """Return the component that a phrase calls, or report why it cannot be one for this slot."""
    call = phrase.expression
    known = [name for name, declared in COMPONENTS.items() if declared.fits(slot)]
    if not isinstance(call, Call) or not isinstance(call.function, Name):
        help = f"write `{slot.rpartition('.')[2]}: {known[0]}(...)`"
        report.add("E0204", f"`{slot}` is a call", phrase.span, "not a call", help=help)
        return None
    name = call.function.id
    if name not in known:
        help = did_you_mean(name, known, f"there is {', '.join(known)}")
        message, place = f"there is no `{name}` for `{slot}`", phrase.at(call.function.at)
        report.add("E0205", message, place, "unknown component", help=help)
        return None
    declared = COMPONENTS[name]
    try:
        bound = bind(call, list(declared.arguments), scope.evaluate, name)
    except ExpressionError as error:
        report_fault(error, phrase, report)
        return None
    if check_bound(declared, bound, call, phrase, report):
        return None
    made = declared(**bound.values)
    try:
        made.check()
    except ShapeError as error:
        span = phrase.at(bound.places.get(error.argument or "", call.function.at))
        report.add(error.code, error.message, span, "does not fit", help=error.help)
        return None
    return made


def settings(declared: Declaration) -> dict[str, Any]:
    """Return the arguments of a component or op as data, numbers in the declared kind."""
    return {
        name: _data(value, declared.arguments[name].schema)
        for name, value in declared.settings().items()
    }


def literal_of(slot: str, component: Component | None) -> dict[str, Any]:
    """Return a component as the runtime reads it, under its key; nothing if there is none."""
    if component is None:
        return {}
    return {slot: {"kind": type(component).__name__} | settings(component)}


def _data(value: Any, schema: dict[str, Any]) -> Any:
    if isinstance(value, (list, tuple)):
        return [_data(item, schema) for item in cast("list[Any]", value)]
    if not is_number(value):
        return value
    return float(value) if "integer" not in str(schema) else int(value)
