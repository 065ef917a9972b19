"""The usual kinds of argument: each is a schema, a default and the one form it is kept in."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

from specc.ops.base import argument
from specc.values.numbers import is_number

__all__ = [
    "POSITIVE",
    "Pair",
    "Sides",
    "choice",
    "flag",
    "inferred",
    "inplace",
    "integer",
    "integer_schema",
    "integers",
    "number",
    "numbers",
    "or_none",
    "pair",
    "pair_schemas",
    "several",
    "sides",
    "sides_schema",
]

Pair = tuple[int, int]
Sides = tuple[int, int, int, int]

LARGEST = 2**20
MISSING = dataclasses.MISSING

POSITIVE = {"type": "number", "exclusiveMinimum": 0}
"""The schema of a number above zero."""


def integer(
    doc: str,
    *,
    minimum: int = 1,
    maximum: int = LARGEST,
    default: object = MISSING,
    keyword: bool = False,
    tries: tuple[object, ...] = (),
) -> Any:
    """Declare a whole number."""
    schema = or_none(integer_schema(minimum, maximum), default)
    keyword = keyword or default is not MISSING
    return argument(doc, schema, default=default, keyword=keyword, tries=tries)


def inferred(doc: str, *, dimension: int = 1) -> Any:
    """Declare a number that must equal a dimension of the input, and may be left out or `_`."""
    return argument(doc, integer_schema(1), inferred=dimension, keyword=False)


def number(
    doc: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    default: object = MISSING,
) -> Any:
    """Declare a real number."""
    bounds = {"minimum": minimum, "maximum": maximum, "exclusiveMinimum": above}
    given = {key: bound for key, bound in bounds.items() if bound is not None}
    return argument(doc, or_none({"type": "number"} | given, default), default=default)


def flag(doc: str, *, default: bool | None, tries: tuple[object, ...] = ()) -> Any:
    """Declare a truth value."""
    return argument(doc, or_none({"type": "boolean"}, default), default=default, tries=tries)


def inplace() -> bool:
    """Declare `inplace`, which every op that may overwrite its input has."""
    return flag("Write the result over the input.", default=False)


def choice(doc: str, values: tuple[str, ...], *, default: object = MISSING) -> Any:
    """Declare one of some words."""
    return argument(doc, {"enum": list(values)}, default=default)


def pair(
    doc: str,
    *,
    minimum: int = 1,
    default: object = MISSING,
    tries: tuple[object, ...] = (),
) -> Any:
    """Declare one number, or two for height and width."""
    schema = or_none({"anyOf": pair_schemas(integer_schema(minimum))}, default)
    return argument(doc, schema, default=default, tries=tries, convert=as_pair)


def sides(doc: str, *, minimum: int = 0) -> Any:
    """Declare one number, or four: left, right, top, bottom."""
    schema = {"anyOf": [integer_schema(minimum), sides_schema(minimum)]}
    return argument(doc, schema, convert=as_sides)


def integers(doc: str, *, minimum: int, longest: int = 8) -> Any:
    """Declare a list of whole numbers."""
    schema = several(integer_schema(minimum), 1, longest)
    return argument(doc, schema, convert=as_tuple)


def numbers(doc: str, *, nested: bool = False) -> Any:
    """Declare a list of positive numbers, or, `nested`, a list of such lists."""
    row = {"type": "array", "items": POSITIVE, "minItems": 1}
    rows = {"type": "array", "items": row | {"minItems": 0}, "minItems": 1}
    return argument(doc, rows if nested else row)


def or_none(schema: dict[str, Any], default: object = None) -> dict[str, Any]:
    """Let `None` through as well if it is the default."""
    return schema if default is not None else {"anyOf": [schema, {"type": "null"}]}


def pair_schemas(one: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the schemas of one item and of two."""
    return [one, several(one, 2, 2)]


def sides_schema(minimum: int = 0) -> dict[str, Any]:
    """Return the schema of left, right, top, bottom."""
    return several(integer_schema(minimum), 4, 4)


def as_tuple(value: Any) -> Any:
    """Keep a list as a tuple, anything else as it is."""
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


def as_pair(value: Any) -> Any:
    """Write one number as two equal ones."""
    return (value, value) if is_number(value) else as_tuple(value)


def as_sides(value: Any) -> Any:
    """Write one number as four equal ones."""
    return (value,) * 4 if is_number(value) else as_tuple(value)


def integer_schema(minimum: int = 1, maximum: int = LARGEST) -> dict[str, Any]:
    """Return the schema of a whole number."""
    return {"type": "integer", "minimum": minimum, "maximum": maximum}


def several(one: dict[str, Any], fewest: int, most: int) -> dict[str, Any]:
    """Return the schema of a list of `fewest` to `most` items."""
    return {"type": "array", "items": one, "minItems": fewest, "maxItems": most}
