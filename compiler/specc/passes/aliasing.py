"""Find values that are overwritten in place while something else still means the old value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.documents import Label
from specc.ir.tensors import leaves

if TYPE_CHECKING:
    from specc.documents import Report
    from specc.ir.graph import Graph, Node

__all__ = ["check_overwrites"]


def check_overwrites(graph: Graph, report: Report) -> None:
    """Report each row that writes over a value which is an output or feeds another row."""
    outputs = {tensor.origin for value in graph.outputs().values() for tensor in leaves(value)}
    for node in graph.nodes():
        if node.op is None or not node.op.overwrites_input:
            continue
        source = _root(graph, graph[node.inputs[0]])
        aliases = _aliases(graph, source)
        readers = (path for alias in aliases for path in graph.readers[alias])
        others = [path for path in readers if path not in aliases and path != node.path]
        if others:
            _report(report, source, node, f"`{others[0]}` reads it too", graph[others[0]])
        elif outputs & aliases:
            _report(report, source, node, "it is an output", None)


def _root(graph: Graph, node: Node) -> Node:
    """Return the row whose memory a row's value lies in."""
    while node.op is not None and node.op.passes_on_memory:
        node = graph[node.inputs[0]]
    return node


def _aliases(graph: Graph, root: Node) -> set[str]:
    """Return the rows whose values lie in a row's memory, itself among them."""
    found, waiting = {root.path}, [root.path]
    while waiting:
        for path in graph.readers[waiting.pop()]:
            op = graph[path].op
            if op is not None and op.passes_on_memory and path not in found:
                found.add(path)
                waiting.append(path)
    return found


def _report(report: Report, source: Node, node: Node, reason: str, other: Node | None) -> None:
    name = source.name or source.path
    also = [Label(source.span, f"`{source.path}` is computed here")]
    if other is not None:
        also.append(Label(other.span, f"`{other.path}` reads it"))
    report.add(
        "E0306",
        f"`{name}` is overwritten in place by `{node.path}`, but {reason}",
        node.span,
        "overwrites its input",
        help=f"tap `{node.path}`, which holds what stays, or write `inplace=False` here",
        note="a tap of a value that is overwritten gives the new value, without any error",
        also=also,
        rows=[node.path],
    )
