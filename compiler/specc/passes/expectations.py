"""Compare what the spec expects with what was inferred, and look for the edit that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.documents import Label
from specc.passes.refusals import meant_of
from specc.passes.repair import find_repair
from specc.values.dimensions import Shape, shape_text

if TYPE_CHECKING:
    from specc.documents import Report
    from specc.ir.graph import Expectation, Graph, Node

__all__ = ["check_expectations"]


def check_expectations(graph: Graph, report: Report) -> dict[str, Shape | None]:
    """Report the rows where a deviation begins, and not what follows from them.

    Returns:
        What they and the rows behind them would give without it, `None` where that is not known,
        by path. A row that gives what is expected of it is right again.
    """
    by_node: dict[str, list[Expectation]] = {}
    for expectation in graph.expectations:
        by_node.setdefault(expectation.node, []).append(expectation)
    right = {path for path, each in by_node.items() if all(e.expected == e.actual for e in each)}
    meant: dict[str, Shape | None] = {}
    for node in graph.nodes():
        follows = not meant.keys().isdisjoint(node.inputs)
        wrong = [e for e in by_node.get(node.path, []) if e.expected != e.actual]
        if wrong:
            meant[node.path] = wrong[0].expected
            if not follows:
                _report(graph, wrong[0], right, report)
        elif follows and node.path not in right:
            meant[node.path] = meant_of(graph, node, meant)
    return meant


def _report(graph: Graph, expectation: Expectation, right: set[str], report: Report) -> None:
    row = graph[expectation.node]
    repair = find_repair(graph, expectation, right)
    node = repair.node if repair else _beginning(graph, row, right)
    gives = repair.shape if repair else expectation.expected
    arrow = expectation.phrase
    also = [] if node is row else [Label(node.span, f"`{node.path}`")]
    report.add(
        "E0410",
        f"{_named(node, is_own=node is row)}: {_deviation(graph, node, gives)}",
        arrow.at(arrow.expression.at),
        f"`{row.path}` gives {shape_text(expectation.actual)}",
        help=repair.text(_shown(gives, node.shape or ())[0])
        if repair
        else f"mend the rows before, or write `-> {_written(expectation)}`",
        also=also,
        rows=[node.path],
    )


def _beginning(graph: Graph, node: Node, right: set[str]) -> Node:
    """Go back over rows that only pass on the shape that arrives, as a ReLU does."""
    while node.op is not None and node.op.window() is None and node.inputs:
        source = graph[node.inputs[0]]
        if source.op is None or source.shape != node.shape or source.path in right:
            break
        node = source
    return node


def _named(node: Node, *, is_own: bool) -> str:
    """Name a row as its table does, by its number, where that alone tells it."""
    above, _, last = node.path.rpartition(".")
    return f"idx {last}" if is_own and last.isdigit() and "." not in above else f"`{node.path}`"


def _deviation(graph: Graph, node: Node, expected: Shape) -> str:
    """Write what arrives at a row, what it gives and what it should: `75 -> 37, expected 38`."""
    actual = node.shape or ()
    wanted, given = _shown(expected, actual)
    arriving = graph[node.inputs[0]].shape if node.inputs else None
    if arriving is None or len(arriving) != len(actual):
        return f"{given}, expected {wanted}"
    is_side = "x" not in wanted and len(arriving) == 4 and arriving[2] == arriving[3]
    before = str(arriving[2]) if is_side else shape_text(arriving)
    return f"{before} -> {given}, expected {wanted}"


def _shown(expected: Shape, actual: Shape) -> tuple[str, str]:
    """Write two shapes by the numbers in which they differ: `38` and `37`, if that says it."""
    if len(expected) == len(actual) == 4 and expected[:2] == actual[:2]:
        sides = expected[2:], actual[2:]
        if all(pair[0] == pair[1] for pair in sides):
            return str(expected[2]), str(actual[2])
    return shape_text(expected, batch=len(expected) != len(actual)), shape_text(actual)


def _written(expectation: Expectation) -> str:
    """Write what a row gives as an expectation."""
    _, given = _shown(expectation.expected, expectation.actual)
    return given if "x" not in given else f"[{', '.join(map(str, expectation.actual[1:]))}]"
