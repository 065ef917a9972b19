"""Draw what flows: arrows between the boxes of a picture, and the model's outputs."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from specc.draw.marks import outputs
from specc.draw.picture import Arrow, Line, Picture, Place
from specc.values.dimensions import shape_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from specc.ir.graph import Graph

    Flows = dict[tuple[Place, Place], dict[str, str]]
    """The values that go from a place to another, and their shapes."""

__all__ = ["flow"]

MOST_SHAPES = 3


def flow(graph: Graph, picture: Picture, taps: set[str]) -> None:
    """Add the arrows and the outputs to a picture, and to its folded boxes what goes in and out."""
    flows = _flows(graph, picture.places)
    _note_shapes(graph, picture, flows)
    for (tail, head), values in flows.items():
        shapes = list(dict.fromkeys(values.values()))
        picture.arrows.append(Arrow(tail, head, shapes, not taps.isdisjoint(values)))
    for name, paths in outputs(graph).items():
        text = _several(shape_text(graph[path].shape) for path in paths)
        box = picture.add("output", Line(name, text))
        picture.items.append(box)
        tails = dict.fromkeys(picture.places[p] for p in paths if p in picture.places)
        picture.arrows += (Arrow(tail, Place(box), [], is_tap=False) for tail in tails)


def _flows(graph: Graph, places: dict[str, Place]) -> Flows:
    """Gather what flows between places; a value that arrives twice is drawn once."""
    flows: Flows = defaultdict(dict)
    for node in graph.nodes():
        head = places.get(node.path)
        for source in node.inputs:
            tail = places.get(source)
            if head is not None and tail is not None and tail.box is not head.box:
                flows[tail, head][source] = shape_text(graph[source].shape)
    return flows


def _note_shapes(graph: Graph, picture: Picture, flows: Flows) -> None:
    arriving: dict[str, dict[str, str]] = defaultdict(dict)
    leaving: dict[str, dict[str, str]] = defaultdict(dict)
    for (tail, head), values in flows.items():
        arriving[head.box.id].update(values)
        leaving[tail.box.id].update(values)
    for path in (path for paths in outputs(graph).values() for path in paths):
        if path in picture.places:
            leaving[picture.places[path].box.id][path] = shape_text(graph[path].shape)
    for box in picture.boxes:
        if box.role == "folded" and not box.cells:
            sides = (_several(known[box.id].values()) for known in (arriving, leaving))
            box.details.insert(0, " → ".join(side for side in sides if side))


def _several(shapes: Iterable[str]) -> str:
    each = list(dict.fromkeys(shapes))
    more = [f"+{len(each) - MOST_SHAPES}"] if len(each) > MOST_SHAPES else []
    return ", ".join([*each[:MOST_SHAPES], *more])
