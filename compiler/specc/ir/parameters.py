"""The parameters of a module: their types, and their values as the module sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from specc.documents import plain as data
from specc.ir.callees import named
from specc.ir.tensors import Callee
from specc.schema.calls import shown
from specc.values.expression import Name
from specc.values.numbers import is_number, is_whole
from specc.values.traced import plain, traced

if TYPE_CHECKING:
    from specc.ir.spec import ParamSpec, Spec

__all__ = ["KINDS", "fits", "misfit", "open_parameter", "variant_params"]

KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "True or False",
    "str": "a text",
    "list": "a list",
    "module": "an op or module",
}
"""The types that a parameter may have, in words."""


def fits(value: object, param: ParamSpec) -> bool:
    """Whether a value has a parameter's type."""
    if param.default is None and not param.required:
        return True
    match param.kind:
        case "int":
            return is_whole(value)
        case "float":
            return is_number(value)
        case "bool":
            return isinstance(value, bool)
        case "list":
            return isinstance(value, (list, tuple))
        case "str":
            return isinstance(value, (str, Callee))
        case _:
            return isinstance(value, Callee)


def misfit(value: object, param: ParamSpec, owner: str) -> str:
    """Say that a value is not of a parameter's type."""
    given = value.name if isinstance(value, Callee) else shown(value)
    return f"`{param.name}` of `{owner}` is {KINDS[param.kind]}; this is {given}"


def open_parameter(spec: Spec, name: str, value: object) -> object:
    """Return a parameter's value as its module sees it: a number is also an open name."""
    if isinstance(value, str):
        return named(spec, value) or value
    return traced(value, Name(name)) if is_number(value) else _without_formulas(value)


def variant_params(spec: Spec, name: str) -> dict[str, Any]:
    """Return a variant's parameter values."""
    entries = spec.variants[name].entries
    return {key.name: data(node) for key, node in entries if key.name != "expect"}


def _without_formulas(value: object) -> object:
    """Copy a list, and those in it, with plain numbers: the caller's formulas mean nothing inside."""
    if isinstance(value, (list, tuple)):
        return [_without_formulas(item) for item in cast("list[object]", value)]
    return plain(value) if is_number(value) else value
