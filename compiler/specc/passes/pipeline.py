"""The passes over a graph, in order, and the facts they leave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from specc.passes.aliasing import check_overwrites
from specc.passes.cost import Costs, count_cost
from specc.passes.detector import Detector, check_detector
from specc.passes.expectations import check_expectations
from specc.passes.initial import check_initial
from specc.passes.refusals import report_refusals
from specc.passes.unused import find_unused

if TYPE_CHECKING:
    from specc.documents import Report
    from specc.ir.graph import Graph

__all__ = ["PIPELINE", "Facts", "run"]


@dataclass(slots=True)
class Facts:
    """What the passes found out about a graph."""

    costs: Costs = field(default_factory=Costs)
    found: Detector | None = None

    @property
    def parameters(self) -> int:
        """Return the number of parameters."""
        return self.costs.total_parameters

    @property
    def macs(self) -> int | None:
        """Return the multiply-adds for one image; `None` while sizes are symbolic."""
        return sum(self.costs.macs.values()) if self.costs.is_complete else None

    @property
    def boxes(self) -> int | None:
        """Return the number of boxes that the detector lays over an image."""
        return self.found.boxes if self.found is not None else None

    @property
    def detector(self) -> dict[str, Any] | None:
        """Return the literal that the runtime reads."""
        return self.found.literal if self.found is not None else None


def _count(graph: Graph, facts: Facts, report: Report) -> None:
    del report
    facts.costs = count_cost(graph)


def _detect(graph: Graph, facts: Facts, report: Report) -> None:
    facts.found = check_detector(graph, report)


def _overwrites(graph: Graph, facts: Facts, report: Report) -> None:
    del facts
    check_overwrites(graph, report)


def _shapes(graph: Graph, facts: Facts, report: Report) -> None:
    del facts
    report_refusals(graph, check_expectations(graph, report), report)


def _initial(graph: Graph, facts: Facts, report: Report) -> None:
    del facts
    check_initial(graph, report)


def _unused(graph: Graph, facts: Facts, report: Report) -> None:
    del facts
    find_unused(graph, report)


PIPELINE = (_count, _shapes, _overwrites, _detect, _initial, _unused)


def run(graph: Graph, report: Report) -> Facts:
    """Run all passes; each reports what it finds."""
    facts = Facts()
    for step in PIPELINE:
        step(graph, facts, report)
    return facts
