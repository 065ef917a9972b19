"""Search for the one attribute that would make a row give what is expected of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from specc.ops import ShapeError
from specc.values.dimensions import Shape

if TYPE_CHECKING:
    from specc.ir.graph import Expectation, Graph, Node
    from specc.ops import Op

__all__ = ["Repair", "find_repair"]

FARTHEST = 16


@dataclass(frozen=True, slots=True)
class Repair:
    """An attribute of a row, and the value that mends the shape."""

    node: Node
    attribute: str
    value: object
    is_own: bool

    def text(self, expected: str) -> str:
        """Return the advice: ``ceil_mode=True gives 38``."""
        where = "" if self.is_own else f" in `{self.node.path}`"
        return f"`{self.attribute}={self.value}`{where} gives {expected}"


def find_repair(graph: Graph, expectation: Expectation, trusted: set[str]) -> Repair | None:
    """Try the attributes of the row, then of the rows before it back to one known to be right.

    Among several edits, one that lets a row of stride one keep its size is preferred to one that
    makes two mistakes cancel out; then the nearest row.
    """
    chain = _chain(graph, expectation.node, trusted)
    found: list[tuple[tuple[int, int], Repair]] = []
    for distance, node in enumerate(chain):
        op = cast("Op", node.op)
        inputs = [graph[source].shape for source in node.inputs]
        if any(shape is None for shape in inputs):
            continue
        known = cast("list[Shape]", inputs)
        for attribute, value, changed in op.alternatives():
            shape = _carried(graph, [*reversed(chain[:distance])], changed, known)
            if shape == expectation.expected:
                oddness = 0 if distance == 0 or _keeps_size(changed, known) else 1
                repair = Repair(node, attribute, value, distance == 0)
                found.append(((oddness, distance), repair))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _chain(graph: Graph, path: str, trusted: set[str]) -> list[Node]:
    """Return the row and the single-input rows before it, up to one whose shape is known right."""
    chain: list[Node] = []
    node = graph[path]
    while node.op is not None and len(node.inputs) == 1 and len(chain) < FARTHEST:
        chain.append(node)
        if node.inputs[0] in trusted:
            break
        node = graph[node.inputs[0]]
    return chain


def _carried(graph: Graph, rest: list[Node], changed: Op, inputs: list[Shape]) -> Shape | None:
    """Return what comes out at the end of the chain when its first row is changed."""
    del graph
    try:
        shape = changed.shape(*inputs)
        for node in rest:
            shape = cast("Op", node.op).shape(shape)
    except (ShapeError, ZeroDivisionError):
        return None
    return shape


def _keeps_size(op: Op, inputs: list[Shape]) -> bool:
    return op.shape(*inputs)[2:] == inputs[0][2:]
