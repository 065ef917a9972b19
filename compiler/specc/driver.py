"""The whole compiler on one screen: text -> Document -> Spec -> Graph -> Facts -> source."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from specc.documents import Diagnostic, Findings, Report
from specc.emit.module import emit_module
from specc.ir.build import build
from specc.library import Library, load_spec, read
from specc.passes.faults import find_faults
from specc.passes.model import check_model
from specc.passes.pipeline import Facts, run
from specc.passes.weights import check_maps, weight_maps

if TYPE_CHECKING:
    import os
    from collections.abc import Generator
    from collections.abc import Mapping as MappingType

    import networkx as nx

    from specc.ir.graph import Graph
    from specc.ir.spec import Spec
    from specc.passes.weights import WeightMap
    from specc.values.dimensions import Shape

__all__ = ["Model", "compile_spec"]


@contextmanager
def _without_collection() -> Generator[None]:
    """Leave the garbage where it is for a while.

    What a compilation makes stays to its end; to search it, and all else that the process holds,
    again and again takes a fifth of the time for large specs.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@dataclass
class Model:
    """A compiled spec.

    Attributes:
        spec: what the file says.
        hierarchy: the expanded model, modules and rows.
        facts: costs by row, the detector.
        diagnostics: everything found, errors and warnings, in reading order.
    """

    spec: Spec
    hierarchy: Graph
    facts: Facts
    diagnostics: list[Diagnostic]
    path: str
    name: str

    @property
    def ok(self) -> bool:
        """Whether there are no errors."""
        return not any(found.severity == "error" for found in self.diagnostics)

    @property
    def graph(self) -> nx.DiGraph[str]:
        """The rows as a `networkx` graph: node `vgg.22` has its `Node` under `row`."""
        return self.hierarchy.network

    @property
    def shapes(self) -> dict[str, tuple[int | str, ...]]:
        """Map each row's path to its shape; symbolic sizes are text, the batch is `"N"`."""
        return {n.path: _public(n.shape) for n in self.hierarchy.nodes() if n.shape is not None}

    @property
    def parameters(self) -> int:
        """The number of parameters."""
        return self.facts.parameters

    @property
    def macs(self) -> int | None:
        """The multiply-adds for one image; `None` while sizes are symbolic."""
        return self.facts.macs

    @property
    def boxes(self) -> int | None:
        """The number of boxes; `None` without a detector."""
        return self.facts.boxes

    @cached_property
    def faults(self) -> dict[str, str]:
        """Map the paths of the rows that an error is about to what is wrong with them."""
        return find_faults(self.hierarchy, self.diagnostics)

    @cached_property
    def weights(self) -> dict[str, WeightMap]:
        """Map the names of known checkpoints to tables: their keys, each with this model's.

        Raises:
            Findings: a map does not fit this model.
        """
        report = Report()
        maps = weight_maps(self.hierarchy, self.facts.costs, report)
        report.stop()
        return maps

    @cached_property
    @_without_collection()
    def source(self) -> str:
        """The emitted module.

        Raises:
            Findings: the spec has errors.
        """
        if not self.ok:
            raise Findings(self.diagnostics)
        return emit_module(self.hierarchy, self.facts, self.path)


def _public(shape: Shape) -> tuple[int | str, ...]:
    return tuple(int(side) if isinstance(side, int) else str(side) for side in shape)


@_without_collection()
def compile_spec(
    path: str | os.PathLike[str],
    *,
    variant: str | None = None,
    params: MappingType[str, object] | None = None,
    resize: tuple[int, int] | None = None,
) -> Model:
    """Compile a spec.

    Args:
        path: the YAML file; `file.yaml:variant` picks a variant.
        variant: a name under `variants`.
        params: values for the root's parameters.
        resize: another height and width for the first input.

    Raises:
        Findings: the file cannot be read at all. Errors in what it says are in `diagnostics`, so
            that the part which is right can be shown.
    """
    file, named = _file_and_variant(str(path))
    variant = variant or named
    report = Report()
    library = Library(report)
    spec = read(load_spec(file), file, report)
    given = library.values(spec, variant, params or {})
    graph = build(spec, report, library.load, params=given, resize=resize)
    facts = run(graph, report)
    if resize is None and not params:
        check_model(graph, facts, report, library.load, given, variant)
    if not params and not report.errors:
        check_maps(graph, facts.costs, report)
    name = f"{spec.name}_{variant}" if variant else spec.name
    return Model(spec, graph, facts, report.diagnostics, file, name)


def _file_and_variant(path: str) -> tuple[str, str | None]:
    """Split `file.yaml:variant`, unless there is a file of that whole name."""
    if Path(path).exists():
        return path, None
    file, _, variant = path.partition(":")
    return file, variant or None
