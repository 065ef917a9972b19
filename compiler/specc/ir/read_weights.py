"""Read the `weights` section: what known checkpoints call this model's tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from specc.documents import Mapping, Scalar, Sequence
from specc.ir.key_patterns import KeyPattern, read_pattern, read_template
from specc.ir.spec import MapSpec

if TYPE_CHECKING:
    from specc.documents import Node, Report
    from specc.ir.phrases import PhraseReader

__all__ = ["read_weights"]


def read_weights(section: Node | None, reader: PhraseReader) -> dict[str, MapSpec]:
    """Read each map; what cannot be read is reported."""
    entries = section.entries if isinstance(section, Mapping) else []
    return {key.name: _map(key, cast("Mapping", node), reader) for key, node in entries}


def _map(key: Scalar, node: Mapping, reader: PhraseReader) -> MapSpec:
    report = reader.report
    sides = [
        (read_pattern(ours, report), read_template(cast("Scalar", theirs), report))
        for ours, theirs in cast("Mapping", node.get("map")).entries
    ]
    conversions = cast("Mapping | None", node.get("convert"))
    convert = [
        (read_pattern(theirs, report), reader.phrase(call))
        for theirs, call in (conversions.entries if conversions else [])
    ]
    return MapSpec(
        name=key.name,
        span=key.span,
        lines=[(ours, theirs) for ours, theirs in sides if ours and theirs],
        into=cast("Scalar | None", node.get("into")),
        condition=reader.optional(node.get("if")),
        new=_patterns(node.get("new"), reader),
        drop=_without_conditions(_patterns(node.get("drop"), reader), report),
        convert=[(theirs, call) for theirs, call in convert if theirs and call],
        preprocess=reader.optional(node.get("preprocess")),
    )


def _patterns(node: Node | None, reader: PhraseReader) -> list[KeyPattern]:
    items = cast("list[Scalar]", node.items if isinstance(node, Sequence) else [])
    read = [read_pattern(item, reader.report) for item in items]
    return [pattern for pattern in read if pattern is not None]


def _without_conditions(patterns: list[KeyPattern], report: Report) -> list[KeyPattern]:
    """Report patterns of their keys that ask for more than a form: the import asks nothing else."""
    for pattern in patterns:
        for hole in pattern.conditions:
            message = "only the form of their keys counts here"
            help = f"write `{{{hole.letter}}}`"
            span = pattern.node.part(hole.start, hole.end)
            report.add("E0701", message, span, "a condition", help=help)
    return patterns
