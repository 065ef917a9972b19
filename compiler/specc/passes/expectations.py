"""Compare what the spec expects with what was inferred, and look for the edit that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.documents import Label
from specc.passes.repair import find_repair
from specc.values.dimensions import Shape, shape_text

if TYPE_CHECKING:
    from specc.documents import Report
    from specc.ir.graph import Expectation, Graph
    from specc.passes.cost import Costs

__all__ = ["check_expectations"]


def check_expectations(graph: Graph, costs: Costs, report: Report) -> None:
    """Report the rows where a deviation begins; what follows from them is not repeated."""
    del costs
    wrong: set[str] = set()
    by_node: dict[str, list[Expectation]] = {}
    for expectation in graph.expectations:
        by_node.setdefault(expectation.node, []).append(expectation)
    for node in graph.nodes():
        is_tainted = any(source in wrong for source in node.inputs)
        for expectation in by_node.get(node.path, []):
            if expectation.expected != expectation.actual and not is_tainted:
                _report(graph, expectation, by_node, report)
                is_tainted = True
        if is_tainted:
            wrong.add(node.path)


def _report(
    graph: Graph, expectation: Expectation, by_node: dict[str, list[Expectation]], report: Report
) -> None:
    node = graph[expectation.node]
    arriving = graph[node.inputs[0]].shape if node.inputs else None
    expected, actual = _shown(expectation.expected, expectation.actual)
    written = actual if "x" not in actual else _as_list(expectation.actual)
    before = ""
    if arriving is not None and len(arriving) == len(expectation.actual):
        before = f"{_differing(arriving, expectation)} -> "
    last = node.path.rpartition(".")[2]
    label = f"idx {last}" if last.isdigit() else f"`{node.path}`"
    trusted = {
        path for path, all_of in by_node.items() if all(e.expected == e.actual for e in all_of)
    }
    repair = find_repair(graph, expectation, trusted)
    also = (
        [Label(repair.node.span, f"`{repair.node.path}`")]
        if repair and repair.node is not node
        else []
    )
    report.add(
        "E0410",
        f"{label}: {before}{actual}, expected {expected}",
        expectation.phrase.at(expectation.phrase.expression.at),
        f"`{node.path}` gives {shape_text(expectation.actual)}",
        help=repair.text(expected) if repair else f"mend the rows before, or write `-> {written}`",
        also=also,
    )


def _shown(expected: Shape, actual: Shape) -> tuple[str, str]:
    """Write two shapes by the numbers in which they differ: `38` and `37`, if that says it."""
    if len(expected) == len(actual) == 4 and expected[:2] == actual[:2]:
        sides = expected[2:], actual[2:]
        if all(pair[0] == pair[1] for pair in sides):
            return str(expected[2]), str(actual[2])
    return shape_text(expected, batch=len(expected) != len(actual)), shape_text(actual)


def _as_list(shape: Shape) -> str:
    return f"[{', '.join(map(str, shape[1:]))}]"


def _differing(arriving: Shape, expectation: Expectation) -> str:
    expected, _ = _shown(expectation.expected, expectation.actual)
    if "x" in expected or len(arriving) != 4:
        return shape_text(arriving)
    return str(arriving[2]) if arriving[2] == arriving[3] else shape_text(arriving)
