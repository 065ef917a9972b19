"""The schema of a call's arguments, and findings in words.

Each op has one JSON Schema, made from its declared arguments. jsonschema checks every bound call
against the schema of its own op: one schema over all ops would cost a hundred times as much, and
say only that nothing matched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from jsonschema import Draft202012Validator, validators

from specc.documents import did_you_mean, suggest
from specc.ops.arguments import LARGEST
from specc.values.numbers import is_number, is_whole

if TYPE_CHECKING:
    from jsonschema import ValidationError

    from specc.ops import Declaration

__all__ = ["Problem", "call_schema", "check_call", "describe"]


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding in a call: about one argument, or about the call when `argument` is `None`."""

    code: str
    message: str
    argument: str | None
    label: str
    help: str | None = None


def call_schema(declaration: type[Declaration]) -> dict[str, Any]:
    """Return the JSON Schema of the arguments of an op or a detector's component."""
    arguments = declaration.arguments.values()
    return {
        "type": "object",
        "properties": {a.name: a.schema | {"description": a.doc} for a in arguments},
        "required": [a.name for a in arguments if a.required],
        "additionalProperties": False,
    }


def _is_whole(checker: object, value: object) -> bool:
    del checker
    return is_whole(value)


def _is_number(checker: object, value: object) -> bool:
    del checker
    return is_number(value) and math.isfinite(value)


# JSON has one kind of number: to a plain validator `2.0` is an integer, and torch refuses it.
_TYPES = Draft202012Validator.TYPE_CHECKER.redefine_many(
    {"integer": _is_whole, "number": _is_number}
)
_Validator = cast(
    "type[Draft202012Validator]",
    validators.extend(Draft202012Validator, type_checker=_TYPES),  # pyright: ignore[reportUnknownMemberType]
)


@cache
def _validator(declaration: type[Declaration]) -> Draft202012Validator:
    return _Validator(call_schema(declaration))


MOST_REMEMBERED = 10_000
_SOUND: set[tuple[type[Declaration], str]] = set()
"""Calls that passed: a network makes few different ones, and each once is enough."""


def check_call(declaration: type[Declaration], arguments: dict[str, Any]) -> list[Problem]:
    """Check bound, evaluated arguments against the declaration's schema."""
    seen = declaration, repr(arguments)
    if seen in _SOUND:
        return []
    data = {name: _jsonable(value) for name, value in arguments.items()}
    errors = list(_validator(declaration).iter_errors(data))  # pyright: ignore[reportUnknownMemberType]
    if not errors and len(_SOUND) < MOST_REMEMBERED:
        _SOUND.add(seen)
    problems = [problem for error in errors for problem in _problems(declaration, error, data)]
    return list(dict.fromkeys(problems))


def _jsonable(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in cast("list[Any]", value)]
    return value


def _problems(
    declaration: type[Declaration], error: ValidationError, given: dict[str, Any]
) -> list[Problem]:
    """Put what jsonschema found about a call's arguments into words."""
    name = declaration.__name__
    known = list(declaration.arguments)
    if error.validator == "additionalProperties":
        return [_unknown(name, argument, known) for argument in given if argument not in known]
    if error.validator == "required":
        missing = error.message.split("'")[1]
        help = f"write `{_form(declaration)}`"
        return [Problem("E0207", f"`{name}` needs `{missing}`", None, f"no `{missing}`", help)]
    argument = str(error.absolute_path[0])
    value, schema = given[argument], declaration.arguments[argument].schema
    message = f"`{argument}` of `{name}` is {describe(schema)}; this is {shown(value)}"
    code, label = ("E0210", "another kind of value")
    if _is_range(schema, value):
        code, label = ("E0211", "out of range")
    return [Problem(code, message, argument, label, _advice(value, schema, argument))]


def _form(declaration: type[Declaration]) -> str:
    """Return a call with what it cannot do without: `Conv2d(_, out_channels, kernel_size)`."""
    arguments = list(declaration.arguments.values())
    last = max(place for place, argument in enumerate(arguments) if argument.required)
    parts = [
        argument.name if argument.required else "_"
        for argument in arguments[: last + 1]
        if argument.required or argument.inferred is not None
    ]
    return f"{declaration.__name__}({', '.join(parts)})"


def _unknown(name: str, argument: str, known: list[str]) -> Problem:
    help = did_you_mean(argument, known, f"`{name}` takes {', '.join(known) or 'nothing'}")
    return Problem(
        "E0206", f"`{name}` has no argument `{argument}`", argument, "unknown argument", help
    )


def shown(value: Any) -> str:
    """Write a value as a spec would, short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {value!r}" if len(value) <= 40 else f"the text {value[:37]!r}..."
    text = _written(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _written(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_written, cast('list[Any]', value)))}]"
    return repr(value) if isinstance(value, str) else str(value)


def _advice(value: Any, schema: dict[str, Any], argument: str) -> str:
    """Say what to write instead."""
    if isinstance(value, str):
        near = suggest(value, cast("list[str]", schema.get("enum", [])))
        if near:
            return f"did you mean {near!r}?"
        if value.lstrip("-").replace(".", "", 1).isdigit():
            return f"write {value} without quotes"
    if isinstance(value, float) and value.is_integer():
        return f"write {value:.0f}"
    if isinstance(value, int) and value > LARGEST:
        return f"no whole number may be above {LARGEST:,}"
    return f"give `{argument}` {describe(schema)}"


def _is_range(schema: dict[str, Any], value: Any) -> bool:
    """Whether the value would fit if the schema had no bounds."""
    return _Validator(_unbounded(schema)).is_valid(_jsonable(value))  # pyright: ignore[reportUnknownMemberType]


def _unbounded(schema: Any) -> Any:
    bounds = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    if isinstance(schema, dict):
        items = cast("dict[str, Any]", schema).items()
        return {key: _unbounded(value) for key, value in items if key not in bounds}
    if isinstance(schema, list):
        return [_unbounded(item) for item in cast("list[Any]", schema)]
    return schema


_NOUNS = {"integer": "whole number", "number": "number", "string": "text"}
_COUNTS = {2: "two", 3: "three", 4: "four"}


def describe(schema: dict[str, Any]) -> str:
    """Say in words what a schema admits: `a whole number from 1 up, or two of them`."""
    if "anyOf" in schema:
        first, *others = cast("list[dict[str, Any]]", schema["anyOf"])
        parts = [describe(first), *(_other(first, other) for other in others)]
        return ", or ".join(dict.fromkeys(parts))
    if "enum" in schema:
        *most, last = (repr(value) for value in cast("list[str]", schema["enum"]))
        return f"{', '.join(most)} or {last}" if most else last
    match schema["type"]:
        case "null":
            return "None"
        case "boolean":
            return "True or False"
        case "array":
            count = schema["minItems"] if schema.get("minItems") == schema.get("maxItems") else 0
            inner = _plural(schema.get("items", {}))
            return f"{_COUNTS.get(count, count)} {inner}" if count else f"a list of {inner}"
        case kind:
            return f"a {_NOUNS[kind]}{_bounds(schema)}"


def _other(first: dict[str, Any], other: dict[str, Any]) -> str:
    """Describe an alternative, in terms of the first one where it is several of that."""
    if other.get("items") == first and other.get("minItems") == other.get("maxItems"):
        return f"{_COUNTS[other['minItems']]} of them"
    return describe(other)


def _plural(item: dict[str, Any]) -> str:
    kind = item.get("type")
    return f"{_NOUNS[kind]}s{_bounds(item)}" if kind in _NOUNS else "lists"


def _bounds(schema: dict[str, Any]) -> str:
    if "exclusiveMinimum" in schema:
        return f" above {schema['exclusiveMinimum']}"
    if "minimum" not in schema:
        return ""
    least, most = schema["minimum"], schema.get("maximum", LARGEST)
    return f" from {least} up" if most == LARGEST else f" from {least} to {most}"
