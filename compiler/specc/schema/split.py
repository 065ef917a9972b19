"""Calls inside YAML's own brackets, where YAML splits them at their commas.

`[Conv2d(3, 64, 3), ReLU()]` is four texts to YAML. Whatever comes of them, one finding says it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.documents import Label, Mapping, Scalar, Sequence, Span

if TYPE_CHECKING:
    from specc.documents import Node, Report

__all__ = ["refuse_split_calls"]


def refuse_split_calls(root: Node, report: Report) -> None:
    """Report each pair of brackets that holds a part of a call."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Scalar):
            continue
        parts = _parts(node)
        broken = next((part for part in parts if _is_cut(part)), None)
        if broken is None or node.span.text[:1] not in "[{":
            waiting += parts
            continue
        bracket = node.span.text[0]
        report.add(
            "E0219",
            f"YAML splits this call at its commas, since it stands inside `{bracket}`",
            broken.span,
            "cut off here",
            help="write each row on a line of its own, or put the call in quotes",
            also=[
                Label(Span(node.span.source, node.span.start, node.span.start + 1), "opened here")
            ],
        )


def _parts(node: Mapping | Sequence) -> list[Node]:
    if isinstance(node, Sequence):
        return node.items
    return [part for entry in node.entries for part in entry]


def _is_cut(node: Node) -> bool:
    """Whether a text without quotes opens a parenthesis that it does not close."""
    if not isinstance(node, Scalar) or not node.plain or not isinstance(node.value, str):
        return False
    return node.value.count("(") > node.value.count(")")
