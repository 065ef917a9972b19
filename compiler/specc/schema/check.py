"""Run the document's schema and say in words, at the right place, what does not fit."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

from jsonschema import Draft202012Validator

from specc.documents import Mapping, Sequence, plain, suggest
from specc.schema.calls import shown
from specc.schema.document import document_schema

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
        report.add("E0203", message, root.span, f"this is {_kind(plain(root))}")
        return
    errors = _validator().iter_errors(plain(root))  # pyright: ignore[reportUnknownMemberType]
    for error in errors:
        _report(error, root, report)


def _report(error: ValidationError, root: Node, report: Report) -> None:
    node = _find(root, list(error.absolute_path))
    schema = cast("dict[str, Any]", error.schema)
    if error.validator == "additionalProperties" and isinstance(node, Mapping):
        known = list(schema["properties"])
        for key in (key for key, _ in node.entries if key.name not in known):
            near = suggest(key.name, known)
            help = f"did you mean `{near}`?" if near else f"there are {', '.join(known)}"  # noqa: A001
            report.add("E0201", f"unknown key `{key.name}`", key.span, "unknown key", help=help)
        return
    if error.validator == "required":
        missing = error.message.split("'")[1]
        label = f"no `{missing}`"
        start = node.entries[0][0].span if isinstance(node, Mapping) and node.entries else node.span
        report.add("E0202", f"`{missing}` is missing", start, label, help=f"add `{missing}:`")
        return
    where = f"`{error.absolute_path[-1]}`" if error.absolute_path else "this"
    value = cast("object", error.instance)
    if error.validator == "const":
        message = f"{where} is {schema['const']}, the version of the language; this is {shown(value)}"
        report.add("E0203", message, node.span, "another version", help=f"write {schema['const']}")
    elif error.validator == "maxProperties":
        message = "a row of a list has one name; this has several keys"
        help = "write `name: call`, or the block form with `op:`"  # noqa: A001
        report.add("E0203", message, node.span, "not a row", help=help)
    else:
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else cast("list[str]", kinds)
        wanted = " or ".join(_KINDS[kind] for kind in kinds) or "something else"
        message = f"{where} is {wanted}; this is {_kind(value)}"
        report.add("E0203", message, node.span, f"not {wanted}")


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
            node = node.items[step]
        elif isinstance(node, Mapping):
            found = node.get(step)
            if found is None:
                return node
            node = found
    return node

