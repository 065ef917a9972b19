"""What a model costs: parameters, state-dict entries, multiply-adds, receptive fields, by row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from specc.values.dimensions import factor

if TYPE_CHECKING:
    from specc.ir.graph import Graph, Node
    from specc.ops import Entry
    from specc.values.dimensions import Shape

__all__ = ["Costs", "Field", "count_cost"]


@dataclass(frozen=True, slots=True)
class Field:
    """What a position of a row's output sees of the input: `size` pixels, `step` apart."""

    size: tuple[int, int] = (1, 1)
    step: tuple[int, int] = (1, 1)


@dataclass(slots=True)
class Costs:
    """Figures by path. `macs` has no figure for a row of symbolic sizes, and is not complete then."""

    parameters: dict[str, int] = field(default_factory=dict[str, int])
    macs: dict[str, int] = field(default_factory=dict[str, int])
    fields: dict[str, Field] = field(default_factory=dict[str, Field])
    state: dict[str, Entry] = field(default_factory=dict[str, "Entry"])
    is_complete: bool = True

    @property
    def total_parameters(self) -> int:
        """Return the number of parameters of the model."""
        return sum(self.parameters.values())

    def below(self, path: str) -> int:
        """Return the parameters of a row or of all rows below a path."""
        inside = f"{path}."
        return sum(n for p, n in self.parameters.items() if p == path or p.startswith(inside))


def count_cost(graph: Graph) -> Costs:
    """Count every row once; the weights of a shared row once, its work at each use."""
    costs = Costs()
    for node in graph.nodes():
        costs.fields[node.path] = _field(node, [costs.fields[path] for path in _seen(graph, node)])
        if node.op is None:
            continue
        if node.path == node.owner:
            entries = node.op.state()
            costs.state.update({f"{node.path}.{entry.name}": entry for entry in entries})
            costs.parameters[node.path] = sum(_size(e) for e in entries if e.is_parameter)
        if node.shape is not None and (rows := _rows(node.shape)) is not None:
            shapes = [graph[source].shape for source in node.inputs]
            if all(shape is not None for shape in shapes):
                known = [shape for shape in shapes if shape is not None]
                costs.macs[node.path] = rows * node.op.macs(node.shape, *known)
        costs.is_complete = costs.is_complete and node.path in costs.macs
    return costs


def _rows(shape: Shape) -> int | None:
    """Return how many rows of a batch an image has, if all is known: one, or one a region."""
    is_known = all(isinstance(side, int) for side in shape[1:])
    return factor(shape[0]) if is_known and shape else None


def _size(entry: Entry) -> int:
    total = 1
    for side in entry.shape:
        total *= side
    return total


def _seen(graph: Graph, node: Node) -> list[str]:
    """Return what a row sees: the maps it reads, and not their regions; without maps, all it reads."""
    maps = [path for path in node.inputs if len(graph[path].shape or ()) == 4]
    return maps or list(node.inputs)


def _field(node: Node, sources: list[Field]) -> Field:
    """Combine the fields that arrive with the op's window (Araujo et al., Distill 2019).

    Positions are as near as in the densest of them: a coarse map was enlarged to be merged with it.
    """
    if not sources:
        return Field()
    widest = max(f.size[0] for f in sources), max(f.size[1] for f in sources)
    densest = min(f.step[0] for f in sources), min(f.step[1] for f in sources)
    window = node.op.window() if node.op is not None else None
    if window is None:
        return Field(widest, densest)
    reach = [d * (k - 1) for k, d in zip(window.kernel, window.dilation, strict=True)]
    size = [s + r * j for s, r, j in zip(widest, reach, densest, strict=True)]
    step = [j * s for j, s in zip(densest, window.stride, strict=True)]
    return Field((size[0], size[1]), (step[0], step[1]))
