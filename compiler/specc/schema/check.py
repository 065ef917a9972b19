"""Run the document's schema and say in words, at the right place, what does not fit."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

from jsonschema import Draft202012Validator

from specc.documents import (
    Mapping,
    Scalar,
    Sequence,
    did_you_mean,
    mend,
    plain,
    quoted,
    suggest,
    unusual,
)
from specc.schema.calls import shown
from specc.schema.document import document_schema
from specc.schema.split import refuse_split_calls

if TYPE_CHECKING:
    from jsonschema import ValidationError

    from specc.documents import Node, Report

__all__ = ["check_document"]

_KINDS = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(document_schema())


def check_document(root: Node, report: Report) -> None:
    """Check a document's structure; everything found is reported at once."""
    if not isinstance(root, Mapping):
        message = "a spec is a mapping with `specc`, `name`, `inputs` and `layers`"
        help = "start it with `specc: 1` and `name: my_model`"
        report.add("E0203", message, root.span, f"this is {_kind(plain(root))}", help=help)
        return
    refuse_split_calls(root, report)
    if report.errors:
        return
    errors = _validator().iter_errors(cast("Any", plain(root)))  # pyright: ignore[reportUnknownMemberType]
    for error in errors:
        _report(error, root, report)


def _report(error: ValidationError, root: Node, report: Report) -> None:
    """Put what jsonschema found into words, at the node it is about."""
    node = _find(root, list(error.absolute_path))
    schema = cast("dict[str, Any]", error.schema)
    name = str(error.absolute_path[-1]) if error.absolute_path else "the spec"
    match error.validator:
        case "additionalProperties":
            _unknown_keys(cast("Mapping", node), list(schema["properties"]), report)
        case "required":
            _missing_key(node, error.message.split("'")[1], list(schema["properties"]), report)
        case "const":
            wanted = schema["const"]
            message = f"`{name}` is {wanted}, the version of the language; this is {_kind(error.instance)}"
            help = f"write `{name}: {wanted}`"
            report.add("E0203", message, node.span, "another version", help=help)
        case "maxProperties" if name == "repeat":
            message, help = "a turn has one name; this has several", "write `repeat: {i: 3}`"
            report.add("E0203", message, node.span, "several names", help=help)
        case "maxProperties":
            message = "a row of a list has one name; this has several keys"
            help = "write `name: call`, or the block form with `op:`"
            report.add("E0203", message, node.span, "not a row", help=help)
        case "minItems" | "minProperties" | "pattern":
            help = f"write something under it, or take `{name}` out"
            report.add("E0203", f"`{name}` is empty", node.span, "empty", help=help)
        case _ if isinstance(node, Scalar) and (found := unusual(node.text)):
            at, length = found
            message = f"`{name}` holds full-width `{node.text[at : at + length]}`"
            help = f"write `{mend(node.content.text.splitlines()[0])}`"
            report.add("E0120", message, node.part(at, at + length), "full-width", help=help)
        case _:
            wanted = _wanted(schema)
            what = "a row" if name.isdigit() else f"`{name}`"
            message = f"{what} is {wanted}; this is {_kind(error.instance)}"
            report.add("E0203", message, node.span, "another kind of value", help=f"write {wanted}")


def _unknown_keys(node: Mapping, known: list[str], report: Report) -> None:
    for key in (key for key, _ in node.entries if key.name not in known):
        help = did_you_mean(key.name, known, f"there are {', '.join(known)}")
        report.add("E0201", f"unknown key {quoted(key.name)}", key.span, "unknown key", help=help)


def _missing_key(node: Node, missing: str, known: list[str], report: Report) -> None:
    """Report a key that is not there, unless it is there misspelled."""
    entries = node.entries if isinstance(node, Mapping) else []
    if any(suggest(key.name, known) == missing for key, _ in entries if key.name not in known):
        return
    span = entries[0][0].span if entries else node.span
    help = f"add `{missing}:`"
    report.add("E0202", f"`{missing}` is missing", span, f"no `{missing}`", help=help)


def _wanted(schema: dict[str, Any]) -> str:
    if "title" in schema:
        return cast("str", schema["title"])
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else cast("list[str]", kinds)
    *most, last = [_KINDS[kind] for kind in kinds] or ["something else"]
    return f"{', '.join(most)} or {last}" if most else last


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else shown(value)


def _find(node: Node, path: list[Any]) -> Node:
    """Follow a path of keys and positions to its node."""
    for step in path:
        if isinstance(node, Sequence):
            node = cast("Node", node.items[step])
        elif isinstance(node, Mapping):
            found = node.get(step)
            if found is None:
                return node
            node = found
    return node
