"""Find the input sizes that a model takes, and the row at which each other size first breaks.

A model's structure does not depend on height and width, so the rows of one build serve all sizes:
only their shape rules are asked again. Where rows of that build are open, because it broke before
them or its sizes are names, the model is built once more, for the size that got there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from specc.ops import ShapeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from specc.ir.graph import Graph, Node
    from specc.values.dimensions import Shape

__all__ = ["Break", "Sizes", "find_sizes"]

OPEN = "its weights depend on a size that the spec leaves open; write a number in place of `_`"


@dataclass(frozen=True, slots=True)
class Break:
    """A row that refuses some sizes, and what it says of the first of them."""

    node: Node
    message: str
    sizes: list[int] = field(default_factory=list[int])


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes that a model takes, and by row those at which it breaks there first.

    The breaks come in the order of their smallest sizes.
    """

    valid: list[int]
    breaks: list[Break]


def find_sizes(graph: Graph, rebuild: Callable[[int], Graph], sizes: Iterable[int]) -> Sizes:
    """Try square inputs; as in `build`, the first map among the inputs gets the size.

    Weights are those of the graph: a `Linear` behind a `Flatten` takes the size it was made for.

    Args:
        graph: the model at the sizes that its spec declares.
        rebuild: builds the model for another size.
        sizes: heights and widths in pixels.
    """
    rows = _Rows(graph)
    valid: list[int] = []
    breaks: dict[str, Break] = {}
    for side in sizes:
        found = rows.first_break(side)
        if found is not None and rows.is_cut_off(found[0]):
            rows = _Rows(rebuild(side))
            found = rows.first_break(side)
        if found is None:
            valid.append(side)
            continue
        node, message = found
        breaks.setdefault(node.path, Break(node, message)).sizes.append(side)
    return Sizes(valid, list(breaks.values()))


class _Rows:
    """The rows of one build, with the shapes that their rules have given so far."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.known: dict[str, dict[tuple[Shape, ...], Shape]] = {
            node.path: {} for node in graph.nodes()
        }

    def first_break(self, side: int) -> tuple[Node, str] | None:
        """Return the first row that refuses its input, or is open, and why."""
        shapes = self.inputs(side)
        for node in self.graph.nodes():
            if node.path in shapes:
                continue
            if node.op is None:
                return node, self.graph.failed.get(node.path) or OPEN
            arriving = tuple(shapes[source] for source in node.inputs)
            known = self.known[node.path]
            if arriving not in known:
                try:
                    _check_arguments(node, arriving)
                    known[arriving] = node.op.shape(*arriving)
                except ShapeError as error:
                    return node, error.message
            shapes[node.path] = known[arriving]
        return None

    def is_cut_off(self, node: Node) -> bool:
        """Whether a row is open because something before it broke when the model was built."""
        sources = [self.graph[source].shape for source in node.inputs]
        return node.op is None and (node.path in self.graph.failed or None in sources)

    def inputs(self, side: int) -> dict[str, Shape]:
        """Return the shapes of the model's inputs, the first map at the size that is tried."""
        names = [declared.name for declared in self.graph.spec.root.inputs]
        shapes = {name: self.graph[name].shape or () for name in names}
        image = next((name for name, shape in shapes.items() if len(shape) == 4), None)
        if image is not None:
            shapes[image] = (*shapes[image][:2], side, side)
        return shapes


def _check_arguments(node: Node, arriving: tuple[Shape, ...]) -> None:
    """Compare what an op was made for, such as its `in_features`, with what arrives."""
    if node.op is None:
        return
    for name, argument in node.op.arguments.items():
        if argument.inferred is None:
            continue
        made_for, side = getattr(node.op, name), arriving[0][argument.inferred]
        if isinstance(side, int) and side != made_for:
            raise ShapeError("E0401", f"`{name}` is {made_for}, but {side} arrive")
