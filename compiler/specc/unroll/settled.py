"""Numbers without their formulas, save for the one parameter that a detector leaves open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from specc.ir.graph import Instance
from specc.values.expression import Name
from specc.values.numbers import is_number
from specc.values.traced import Traced, formula, names_in, plain, substitute, traced

if TYPE_CHECKING:
    from specc.ir.graph import Apply, Graph
    from specc.ops import Declaration

__all__ = ["OPEN", "Known", "is_open", "known_inside", "known_of_root", "made", "settled"]

OPEN = "num_classes"

Known = dict[str, object]
"""What the names in a module's formulas stand for: numbers, or formulas of `num_classes`."""


def known_of_root(graph: Graph) -> Known:
    """Return the values of the root's parameters; a detector's `num_classes` stays a name."""
    values = {name: value for name, value in graph.root.params.items() if is_number(value)}
    known: Known = {name: plain(value) for name, value in values.items()}
    if graph.spec.detector and isinstance(values.get(OPEN), int):
        known[OPEN] = traced(plain(values[OPEN]), Name(OPEN))
    return known


def known_inside(apply: Apply, known: Known) -> Known:
    """Return the same for the module that is applied."""
    assert isinstance(apply.target, Instance)
    given = apply.value.replacements
    return {name: settled(value, known) for name, value in given.items() if is_number(value)}


def settled(value: Any, known: Known) -> Any:
    """Return a value as a row writes it."""
    if isinstance(value, (list, tuple)):
        items = [settled(item, known) for item in cast("list[Any]", value)]
        return tuple(items) if isinstance(value, tuple) else items
    if not isinstance(value, Traced):
        return value
    value = substitute(value, known)
    return value if is_open(value) else plain(value)


def made(declaration: Declaration, known: Known) -> Declaration:
    """Return an op or component with its settings as a row writes them."""
    settings = declaration.settings()
    return type(declaration)(**{name: settled(value, known) for name, value in settings.items()})


def is_open(value: Any) -> bool:
    """Whether a value, or one in it, depends on `num_classes`."""
    return OPEN in names_in(formula(value))
