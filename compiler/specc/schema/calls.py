"""The schema of a call's arguments, and findings in words.

Each op has one JSON Schema, made from its declared arguments. jsonschema checks every bound call
against the schema of its own op: one schema over all ops would cost a hundred times as much, and
say only that nothing matched.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from jsonschema import Draft202012Validator

from specc.documents import suggest

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


@cache
def _validator(declaration: type[Declaration]) -> Draft202012Validator:
    return Draft202012Validator(call_schema(declaration))


def check_call(declaration: type[Declaration], arguments: dict[str, Any]) -> list[Problem]:
    """Check bound, evaluated arguments against the declaration's schema."""
    data = {name: _jsonable(value) for name, value in arguments.items()}
    errors = _validator(declaration).iter_errors(data)  # pyright: ignore[reportUnknownMemberType]
    problems: list[Problem] = []
    for error in errors:
        problems += _problems(declaration, error)
    meant = " ".join(problem.help or "" for problem in problems if problem.code == "E0206")
    return [p for p in problems if p.code != "E0207" or f"`{p.label[4:-1]}`" not in meant]


def _jsonable(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in cast("list[Any]", value)]
    return value


def _problems(declaration: type[Declaration], error: ValidationError) -> list[Problem]:
    name = declaration.__name__
    known = list(declaration.arguments)
    if error.validator == "additionalProperties":
        given = cast("dict[str, Any]", error.instance)
        return [_unknown(name, argument, known) for argument in given if argument not in known]
    if error.validator == "required":
        missing = error.message.split("'")[1]
        form = ", ".join(a if declaration.arguments[a].required else f"{a}=..." for a in known[:4])
        message = f"`{name}` needs `{missing}`"
        return [Problem("E0207", message, None, f"no `{missing}`", f"`{name}({form}, ...)`")]
    argument = str(error.absolute_path[0])
    value = cast("dict[str, Any]", _root_instance(error, declaration))[argument]
    wanted = describe(declaration.arguments[argument].schema)
    code = "E0211" if _is_range(declaration.arguments[argument].schema, value) else "E0210"
    message = f"`{argument}` of `{name}` is {wanted}; this is {shown(value)}"
    return [Problem(code, message, argument, f"not {wanted}", _advice(value, declaration, argument))]


def _root_instance(error: ValidationError, declaration: type[Declaration]) -> Any:
    del declaration
    top = error
    while top.parent is not None:
        top = cast("ValidationError", top.parent)
    if len(top.absolute_path) == 1:
        return {top.absolute_path[0]: top.instance}
    return {top.absolute_path[0]: top.instance}


def _unknown(name: str, argument: str, known: list[str]) -> Problem:
    near = suggest(argument, known)
    help = f"did you mean `{near}`?" if near else f"`{name}` takes {', '.join(known) or 'nothing'}"  # noqa: A001
    return Problem("E0206", f"`{name}` has no argument `{argument}`", argument, "unknown argument", help)


def shown(value: Any) -> str:
    """Write a value as a spec would, short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {value!r}" if len(value) <= 40 else f"the text {value[:37]!r}..."
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _advice(value: Any, declaration: type[Declaration], argument: str) -> str | None:
    schema = declaration.arguments[argument].schema
    if isinstance(value, str):
        near = suggest(value, cast("list[str]", schema.get("enum", [])))
        if near:
            return f"did you mean {near!r}?"
        if value.lstrip("-").replace(".", "", 1).isdigit():
            return f"write {value} without quotes"
    return None


def _is_range(schema: dict[str, Any], value: Any) -> bool:
    """Whether the value would fit if the schema had no bounds."""
    return Draft202012Validator(_unbounded(schema)).is_valid(_jsonable(value))  # pyright: ignore


def _unbounded(schema: Any) -> Any:
    bounds = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    if isinstance(schema, dict):
        items = cast("dict[str, Any]", schema).items()
        return {key: _unbounded(value) for key, value in items if key not in bounds}
    if isinstance(schema, list):
        return [_unbounded(item) for item in cast("list[Any]", schema)]
    return schema


def describe(schema: dict[str, Any]) -> str:
    """Say in words what a schema admits."""
    if "anyOf" in schema:
        parts = [describe(part) for part in cast("list[dict[str, Any]]", schema["anyOf"])]
        return ", or ".join(dict.fromkeys(parts))
    if "enum" in schema:
        return " or ".join(repr(value) for value in cast("list[str]", schema["enum"]))
    words = {
        "integer": "a whole number",
        "number": "a number",
        "boolean": "True or False",
        "string": "a text",
        "null": "None",
        "array": "a list",
    }
    kind = words[schema["type"]]
    if schema["type"] == "array":
        count = schema.get("minItems")
        exact = f"{count} of them" if count == schema.get("maxItems") else "a list of them"
        inner = describe(schema["items"]) if "items" in schema else "values"
        return f"({', '.join([inner] * count)})" if exact.startswith("2") and count else f"a list of {inner}s"
    bounds = [
        f"at least {schema['minimum']}" if "minimum" in schema else "",
        f"above {schema['exclusiveMinimum']}" if "exclusiveMinimum" in schema else "",
    ]
    limits = " and ".join(bound for bound in bounds if bound)
    return f"{kind} of {limits}" if limits.startswith("at least") else f"{kind} {limits}".strip()
