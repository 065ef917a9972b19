"""Compare the figures that a spec expects of the whole model with those it has."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from specc.documents import Mapping, Report, Scalar, did_you_mean, plain
from specc.ir.build import Load, build
from specc.ir.tensors import inner_leaves
from specc.passes.cost import count_cost
from specc.passes.detector import check_detector
from specc.passes.pipeline import Facts
from specc.passes.refusals import report_refusals
from specc.values.dimensions import Size, shape_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from specc.documents import Node
    from specc.ir.graph import Graph
    from specc.values.dimensions import Shape

__all__ = ["check_model"]

LARGEST_SIZE = 2**20


def check_model(
    graph: Graph,
    facts: Facts,
    report: Report,
    load: Load,
    params: dict[str, Any],
    variant: str | None,
) -> None:
    """Check each entry of `expect`; one with `at` is built again with those values.

    The figures are those of the values in the file: `params` are a variant's.
    """
    if report.errors:
        return
    entries = graph.spec.expect
    if variant is not None and variant in graph.spec.variants:
        found = graph.spec.variants[variant].get("expect")
        entries = [found] if isinstance(found, Mapping) else []
    for entry in entries:
        at = entry.get("at")
        if isinstance(at, Mapping):
            _check_at(graph, entry, at, report, load, params)
        else:
            _Figures(graph, facts, report).check(entry)


def _check_at(
    graph: Graph,
    entry: Mapping,
    at: Mapping,
    report: Report,
    load: Load,
    params: dict[str, Any],
) -> None:
    names = graph.spec.root.params
    if not _names_known(graph, at, report) or not _sizes_usable(graph, at, report):
        return
    values = cast("dict[str, Any]", plain(at))
    given = params | {name: value for name, value in values.items() if name in names}
    sizes = {name: value for name, value in values.items() if name not in names}
    inner = Report()
    other = build(graph.spec, inner, load, params=given, sizes=sizes)
    report_refusals(other, {}, inner)
    facts = Facts(count_cost(other), check_detector(other, inner))
    if inner.errors:
        first = next(found for found in inner.diagnostics if found.severity == "error")
        place = cast("Scalar", entry.key("at")).span
        message = f"with these values: {first.message}"
        report.add(first.code, message, place, "these values", help=first.help, also=first.labels)
        return
    _Figures(other, facts, report).check(entry)


def _sizes_usable(graph: Graph, at: Mapping, report: Report) -> bool:
    """Report a size that is no size."""
    params = graph.spec.root.params
    sizes = [(key, plain(node)) for key, node in at.entries if key.name not in params]
    wrong = [(key, v) for key, v in sizes if type(v) is not int or not 0 < v <= LARGEST_SIZE]
    for key, value in wrong:
        message = f"`{key.name}` is a size, a whole number of at least 1; this is {value}"
        report.add("E0211", message, key.span, "not a size", help="write the pixels, such as 512")
    return not wrong


def _names_known(graph: Graph, at: Mapping, report: Report) -> bool:
    """Report what `at` sets and the root has not: parameters and symbolic sizes."""
    known = [*graph.spec.root.params, *_symbolic_sizes(graph)]
    unknown = [key for key, _ in at.entries if key.name not in known]
    for key in unknown:
        help = did_you_mean(key.name, known, f"there are {', '.join(known) or 'none'}")
        message = f"`{graph.spec.name}` has no parameter or size `{key.name}`"
        report.add("E0311", message, key.span, "unknown parameter", help=help)
    return not unknown


def _symbolic_sizes(graph: Graph) -> set[str]:
    shapes = [graph[declared.name].shape or () for declared in graph.spec.root.inputs]
    return {side.name for shape in shapes for side in shape if isinstance(side, Size)}


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
                self.figure(
                    f"the model has {actual:,} {name}"
                    if actual is not None
                    else f"the model has no {name}",
                    actual,
                    node,
                )
            elif key.name == "parts":
                for path, wanted in cast("Mapping", node).entries:
                    if not self.is_known(path, self.parts):
                        continue
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
        help = "mend the rows" if actual is None else f"mend the rows, or write {actual}"
        message = f"{says}, expected {expected:,}{by}"
        self.report.add("E0411", message, node.span, "expected", help=help)

    def shape(self, path: Scalar, node: Node) -> None:
        if not self.is_known(path, self.shapes):
            return
        shape = self.shapes[path.name]
        expected = plain(node)
        actual = list(shape[1:]) if isinstance(expected, list) else shape[-1]
        if actual != expected:
            message = f"`{path.name}` gives {shape_text(shape)}, expected {expected}"
            help = f"mend the rows, or write [{', '.join(map(str, shape[1:]))}]"
            self.report.add("E0411", message, node.span, "expected", help=help)

    def is_known(self, path: Scalar, known: Iterable[str]) -> bool:
        """Whether a path is among those known."""
        if path.name in known:
            return True
        help = did_you_mean(path.name, sorted(known), "`specc check-shapes` lists the rows")
        message = f"there is no row `{path.name}`"
        self.report.add("E0303", message, path.span, "unknown row", help=help)
        return False

    @cached_property
    def parts(self) -> set[str]:
        """The paths of rows, and of the modules and repeated rows that hold them."""
        paths = {node.path for node in self.graph.nodes()}
        paths |= {instance.path for instance in self.graph.instances()}
        return paths | {path[: dot.start()] for path in paths for dot in re.finditer(r"\.", path)}

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """The shapes of all values that are one tensor: by their path, and by a row's name."""
        shapes = {n.path: n.shape for n in self.graph.nodes() if n.shape is not None}
        for path, value in self._values():
            tensors = list(inner_leaves(value))
            if len(tensors) == 1 and tensors[0].shape is not None:
                shapes.setdefault(path, tensors[0].shape)
        return shapes

    def _values(self) -> Iterator[tuple[str, object]]:
        for instance in self.graph.instances():
            yield instance.path, [value for _, value in instance.outputs]
            for row in instance.rows:
                if row.name is not None:
                    yield instance.path_of(row.name), row.value
