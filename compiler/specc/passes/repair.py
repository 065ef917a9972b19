"""Search for the one attribute that would make a row give what is expected of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from specc.ops import ShapeError

if TYPE_CHECKING:
    from specc.ir.graph import Expectation, Graph, Node
    from specc.ops import Op
    from specc.values.dimensions import Shape

__all__ = ["Repair", "find_repair"]

FARTHEST = 16
MOST_EDITS = 2
LIKELIEST = ("ceil_mode", "padding", "stride", "dilation", "kernel_size")


@dataclass(frozen=True, slots=True)
class Repair:
    """A row, and its attributes with the values that would each mend the shape, likeliest first.

    `shape` is what the row gives with the first of them.
    """

    node: Node
    edits: tuple[tuple[str, object], ...]
    shape: Shape
    is_own: bool

    def text(self, expected: str) -> str:
        """Return the advice: ``ceil_mode=True gives 38``."""
        where = "" if self.is_own else f" in `{self.node.path}`"
        edits = " or ".join(f"`{attribute}={value}`" for attribute, value in self.edits)
        return f"{edits}{where} gives {expected}"


def find_repair(graph: Graph, expectation: Expectation, trusted: set[str]) -> Repair | None:
    """Try the attributes of the row, then of the rows before it back to one known to be right.

    A row of stride one that changes the size for no reason is the likeliest culprit; then the row
    itself; then an edit of another row, which may make two mistakes cancel out. Of several the
    nearest row is chosen.
    """
    chain = _chain(graph, expectation.node, trusted)
    found: dict[tuple[int, int], list[tuple[str, object, Op]]] = {}
    for distance, node in enumerate(chain):
        op = cast("Op", node.op)
        inputs = [graph[source].shape for source in node.inputs]
        known = [shape for shape in inputs if shape is not None]
        if len(known) != len(inputs):
            continue
        for attribute, value, changed in op.alternatives():
            if _carried(chain[:distance], changed, known) == expectation.expected:
                oddness = _oddness(node, changed, known, is_own=distance == 0)
                found.setdefault((oddness, distance), []).append((attribute, value, changed))
    if not found:
        return None
    oddness, distance = min(found)
    node = chain[distance]
    edits = sorted(found[oddness, distance], key=lambda edit: _rank(edit[0]))
    likeliest = tuple((attribute, value) for attribute, value, _ in edits[:MOST_EDITS])
    shape = edits[0][2].shape(*(cast("Shape", graph[source].shape) for source in node.inputs))
    return Repair(node, likeliest, shape, distance == 0)


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


def _carried(behind: list[Node], changed: Op, inputs: list[Shape]) -> Shape | None:
    """Return what comes out at the end of the chain when its first row is changed."""
    try:
        shape = changed.shape(*inputs)
        for node in reversed(behind):
            shape = cast("Op", node.op).shape(shape)
    except ShapeError:
        return None
    return shape


def _rank(attribute: str) -> int:
    return LIKELIEST.index(attribute) if attribute in LIKELIEST else len(LIKELIEST)


def _oddness(node: Node, changed: Op, inputs: list[Shape], *, is_own: bool) -> int:
    """Rank an edit: one that lets a row keep its size, one of the row itself, any other."""
    is_size_kept = node.shape is not None and node.shape[2:] == inputs[0][2:]
    if not is_size_kept and _keeps_size(changed, inputs):
        return 0
    return 1 if is_own else 2


def _keeps_size(op: Op, inputs: list[Shape]) -> bool:
    return op.shape(*inputs)[2:] == inputs[0][2:]
