"""Compare what the heads give with the anchors and the number of classes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

from specc.documents import Label
from specc.ir.tensors import leaves
from specc.values.dimensions import shape_text

if TYPE_CHECKING:
    from specc.documents import Report
    from specc.ir.graph import Graph, Node
    from specc.ir.tensors import Tensor
    from specc.values.dimensions import Dim, Shape

__all__ = ["PerMap", "compare_heads"]

PerMap = list[tuple[tuple[int, int], int]]
"""Height and width of each map, and the anchors at each of its cells."""

COLUMNS = {"boxes": 4, "classes": None, "centerness": 1, "objectness": 1}
"""Numbers of each anchor in an output; `None` for as many as there are classes."""

WHAT = {
    "boxes": "boxes",
    "classes": "scores of boxes",
    "centerness": "center-ness of boxes",
    "objectness": "objectness of boxes",
}


def compare_heads(
    graph: Graph, report: Report, names: dict[str, str], per_map: PerMap, classes: int | None
) -> None:
    """Report outputs that are not rows (N, anchors, columns) of what their key is about.

    `names` holds the outputs by their keys in `detector:`; `classes` is `num_classes`, if known.
    """
    outputs = graph.outputs()
    rows: dict[str, Tensor] = {}
    for key, name in names.items():
        if name not in outputs:
            continue
        tensors = list(leaves(outputs[name]))
        columns = COLUMNS[key] or classes
        if columns is None or any(tensor.shape is None for tensor in tensors):
            continue  # what failed has been reported
        if len(tensors) != 1 or len(_shape(tensors[0])) != 3:
            _not_rows(graph, report, key, tensors, columns)
        elif _shape(tensors[0])[2] != columns:
            _wrong_columns(graph, report, key, tensors[0], columns)
        else:
            rows[key] = tensors[0]
    laid = sum(_laid(per_map))
    wrong = (key for key, tensor in rows.items() if _shape(tensor)[1] != laid)
    key = next(wrong, None)
    if key is not None:
        _wrong_rows(graph, report, key, rows[key], per_map)
        return
    for key, tensor in rows.items():
        joined = _join(graph, graph[tensor.origin])
        if _is_out_of_order(graph, joined, per_map):
            _wrong_order(graph, report, key, joined, per_map)
            return


def _shape(tensor: Tensor) -> Shape:
    return cast("Shape", tensor.shape)


def _not_rows(graph: Graph, report: Report, key: str, tensors: list[Tensor], columns: int) -> None:
    several = len(tensors) != 1
    gives = f"{len(tensors)} tensors" if several else f"a tensor {shape_text(_shape(tensors[0]))}"
    message = f"`{key}` takes rows (N, anchors, {columns}); this is {gives}"
    help = f"`PerBox({columns})` makes rows of a map" + ", `Cat(dim=1)` joins them" * several
    report.add("E0505", message, graph.spec.detector[key].span, "not rows", help=help)


def _wrong_columns(graph: Graph, report: Report, key: str, tensor: Tensor, columns: int) -> None:
    given = _shape(tensor)[2]
    wanted = f"`num_classes` is {columns}" if key == "classes" else f"an anchor has {columns}"
    message = f"`{key}` has {given} columns, but {wanted}"
    node = graph[tensor.origin]
    also = [Label(node.span, f"`{node.path}` gives {shape_text(_shape(tensor))}")]
    written = "num_classes" if key == "classes" else columns
    help = f"give the head {written} channels an anchor, and write `PerBox({written})`"
    label = f"{given} columns"
    report.add("E0505", message, graph.spec.detector[key].span, label, help=help, also=also)


def _wrong_rows(graph: Graph, report: Report, key: str, tensor: Tensor, per_map: PerMap) -> None:
    """Report rows and anchors that differ in number, and the first map where they do."""
    laid = sum(_laid(per_map))
    node = graph[tensor.origin]
    given = [graph[source] for source in node.inputs]
    also = [Label(node.span, f"`{node.path}` gives {shape_text(_shape(tensor))}")]
    for source, ((height, width), count) in zip(given, per_map, strict=False):
        rows = _rows(source)
        if rows is not None and rows != height * width * count:
            each = f"{count} a cell, {height * width * count} in all"
            text = f"{rows} rows, but the {height}x{width} map has {each}"
            also = [Label(source.span, f"`{source.path}`: {text}")]
            break
    message = f"the heads give {_shape(tensor)[1]} {WHAT[key]}, the anchors {laid}"
    help = "give heads and anchors the same number of boxes at a cell of each map"
    span = graph.spec.detector["anchors"].span
    report.add("E0503", message, span, f"{laid} boxes", help=help, also=also)


def _wrong_order(graph: Graph, report: Report, key: str, joined: Node, per_map: PerMap) -> None:
    """Report rows that are joined of the maps in another order than the detector has them."""
    rows = " and ".join(str(_rows(graph[source])) for source in joined.inputs)
    anchors = " and ".join(map(str, _laid(per_map)))
    message = f"`{key}` joins {rows} rows, but the anchors of `maps` are {anchors}"
    also = [Label(joined.span, f"`{joined.path}` joins {rows} rows")]
    help = "join the rows of the maps in the order of `maps`, or write `maps` in theirs"
    span = graph.spec.detector["maps"].span
    report.add("E0503", message, span, f"{anchors} anchors", help=help, also=also)


def _is_out_of_order(graph: Graph, joined: Node, per_map: PerMap) -> bool:
    given, laid = [_rows(graph[source]) for source in joined.inputs], _laid(per_map)
    return given != laid and Counter(given) == Counter(laid)


def _laid(per_map: PerMap) -> list[int]:
    """Return the anchors of each map."""
    return [height * width * count for (height, width), count in per_map]


def _join(graph: Graph, node: Node) -> Node:
    """Return the row that put a tensor's rows one behind another, or the last before it is unclear."""
    while len(node.inputs) == 1 and _rows(graph[node.inputs[0]]) == _rows(node):
        node = graph[node.inputs[0]]
    return node


def _rows(node: Node) -> Dim | None:
    return node.shape[1] if node.shape is not None and len(node.shape) == 3 else None
