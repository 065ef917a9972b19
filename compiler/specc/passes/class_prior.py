"""Warn of class scores that begin too high for a loss that counts every anchor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.documents import Label
from specc.ir.tensors import leaves
from specc.ops import INITIALIZERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specc.documents import Report, Span
    from specc.ir.graph import Apply, Graph, Node, Row

__all__ = ["check_class_prior"]


def check_class_prior(graph: Graph, report: Report, classes: str, loss: Span) -> None:
    """Report layers that make the output `classes`, and whose bias no `init` sets to a prior.

    With scores around a half, the many anchors without an object make a loss that drowns all else:
    Lin et al., Focal Loss, section 3.3. While there are errors, other layers may be meant.
    """
    if report.errors:
        return
    filled = {apply.path for row, apply in graph.applies() if _is_set(apply, row)}
    bare = {node.span.start: node for node in _makers(graph, classes) if node.owner not in filled}
    for node in bare.values():
        message = f"`{node.path}` makes class scores that begin around a half"
        help = "add `init: {bias: constant_(-log((1 - 0.01) / 0.01))}`: one anchor in a hundred"
        also = [Label(loss, "counts all anchors, few of which have an object")]
        report.add("W0606", message, node.span, "no `init` of its bias", help=help, also=also)


def _is_set(apply: Apply, row: Row) -> bool:
    """Whether a bias is given its value; zeros for all layers around are not meant for this one."""
    own = {setting.name for setting in row.spec.init}
    made = apply.initial.get("bias")
    return made is not None and ("bias" in own or not isinstance(made, INITIALIZERS["zeros_"]))


def _makers(graph: Graph, output: str) -> Iterator[Node]:
    """Yield the last layers before an output that have a bias."""
    waiting = [tensor.origin for tensor in leaves(graph.outputs()[output])]
    while waiting:
        node = graph[waiting.pop()]
        entries = {entry.name for entry in node.op.state()} if node.op is not None else set[str]()
        if "bias" in entries:
            yield node
        elif not entries:
            waiting += node.inputs
