"""The passes over a graph, in order, and the facts they leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from specc.passes.aliasing import check_overwrites
from specc.passes.cost import count_cost
from specc.passes.detector import check_detector
from specc.passes.expectations import check_expectations
from specc.passes.initial import check_initial
from specc.passes.refusals import report_refusals
from specc.passes.unused import find_unused

if TYPE_CHECKING:
    from specc.documents import Report
    from specc.ir.graph import Graph
    from specc.passes.cost import Costs
    from specc.passes.detector import Detector

__all__ = ["Facts", "run"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the passes found out about a graph."""

    costs: Costs
    found: Detector | None

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


def run(graph: Graph, report: Report) -> Facts:
    """Run all passes; each reports what it finds."""
    costs = count_cost(graph)
    meant = check_expectations(graph, report)
    report_refusals(graph, meant, report)
    check_overwrites(graph, report)
    detector = check_detector(graph, report)
    check_initial(graph, report)
    find_unused(graph, report)
    return Facts(costs, detector)
