"""Compare the figures that a spec expects of the whole model with those it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from specc.documents import Mapping, Report, Scalar, plain
from specc.ir.build import Load, build
from specc.passes.cost import count_cost
from specc.passes.detector import check_detector
from specc.values.dimensions import shape_text

if TYPE_CHECKING:
    from specc.documents import Node
    from specc.ir.graph import Graph
    from specc.passes.pipeline import Facts

__all__ = ["check_model"]


def check_model(
    graph: Graph, facts: Facts, report: Report, load: Load, params: dict[str, Any], variant: str | None
) -> None:
    """Check each entry of `expect`; one with `at` is built again with those values."""
    if report.errors:
        return
    entries = [entry for entry in graph.spec.expect]
    if variant is not None and variant in graph.spec.variants:
        found = graph.spec.variants[variant].get("expect")
        entries = [found] if isinstance(found, Mapping) else []
    for entry in entries:
        at = entry.get("at")
        if isinstance(at, Mapping):
            _check_at(graph, entry, cast("dict[str, Any]", plain(at)), report, load, params)
        elif not params or variant is not None:
            _Figures(graph, facts, report).check(entry)


def _check_at(
    graph: Graph,
    entry: Mapping,
    at: dict[str, Any],
    report: Report,
    load: Load,
    params: dict[str, Any],
) -> None:
    from specc.passes.pipeline import Facts

    names = graph.spec.root.params
    given = params | {name: value for name, value in at.items() if name in names}
    sizes = {name: value for name, value in at.items() if name not in names}
    inner = Report()
    other = build(graph.spec, inner, load, params=given, sizes=sizes)
    facts = Facts(count_cost(other), check_detector(other, inner))
    _Figures(other, facts, report).check(entry)


class _Figures:
    """Compares one entry of `expect`."""

    def __init__(self, graph: Graph, facts: Facts, report: Report) -> None:
        self.graph = graph
        self.facts = facts
        self.report = report

    def check(self, entry: Mapping) -> None:
        """Compare every figure of the entry."""
        keys = len(self.facts.costs.state)
        figures = {
            "params": ("parameters", self.facts.parameters),
            "keys": ("entries in the state dict", keys),
            "macs": ("multiply-adds", self.facts.macs),
            "boxes": ("boxes", self.facts.boxes),
        }
        for key, node in entry.entries:
            if key.name in figures:
                name, actual = figures[key.name]
                self.figure(f"the model has {actual:,} {name}" if actual is not None else f"the model has no {name}", actual, node)
            elif key.name == "parts":
                for path, wanted in cast("Mapping", node).entries:
                    actual = self.facts.costs.below(path.name)
                    self.figure(f"`{path.name}` has {actual:,} parameters", actual, wanted)
            elif key.name == "shapes":
                for path, wanted in cast("Mapping", node).entries:
                    self.shape(path, wanted)

    def figure(self, says: str, actual: int | None, node: Node) -> None:
        expected = plain(node)
        if expected == actual or not isinstance(expected, int):
            return
        by = f" ({actual - expected:+,})" if actual is not None else ""
        self.report.add("E0411", f"{says}, expected {expected:,}{by}", node.span, "expected")

    def shape(self, path: Scalar, node: Node) -> None:
        if path.name not in self.graph:
            message = f"there is no row `{path.name}`"
            self.report.add("E0303", message, path.span, "unknown row", help="`specc check-shapes` lists them")
            return
        shape = self.graph[path.name].shape
        expected = plain(node)
        if shape is None:
            return
        actual = list(shape[1:]) if isinstance(expected, list) else shape[-1]
        if actual != expected:
            message = f"`{path.name}` gives {shape_text(shape)}"
            self.report.add("E0411", message, node.span, "expected")
