"""Draw modules into a picture: what is open, what is one box, what shares a box."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from specc.draw.marks import inside, outputs, rows_of, taps
from specc.draw.picture import Box, Frame, Line, Place
from specc.draw.words import attributes, large, rounds
from specc.ir.graph import Instance

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from specc.draw.picture import Picture, Role
    from specc.driver import Model
    from specc.ir.graph import Apply, Node, Row

__all__ = ["MOST_CELLS", "Pencil"]

MOST_CELLS = 12


class Pencil:
    """Draws modules into a picture."""

    def __init__(self, model: Model, picture: Picture, most_rows: int) -> None:
        self.model = model
        self.most_rows = most_rows
        self.picture = picture
        self.graph = model.hierarchy
        self.taps = taps(self.graph)
        self.uses = Counter(source for node in self.graph.nodes() for source in node.inputs)
        self.uses.update(path for paths in outputs(self.graph).values() for path in paths)

    def module(self, instance: Instance, level: int) -> list[Box | Frame]:
        """Draw the rows of a module; the middle of a very long one is one box."""
        rows, end = instance.rows, self.most_rows // 4
        if len(rows) <= self.most_rows:
            return [item for row in rows for item in self.row(instance, row, level)]
        middle = rows[end:-end]
        self.picture.skipped += len(middle)
        items = [item for row in rows[:end] for item in self.row(instance, row, level)]
        paths = [path for row in middle for path in rows_of(self.graph, instance, row)]
        items.append(self.folded(Line("…", f"{len(middle):,} rows"), paths))
        return items + [item for row in rows[-end:] for item in self.row(instance, row, level)]

    def row(self, instance: Instance, row: Row, level: int) -> Iterator[Box | Frame]:
        """Draw a row: repeats as one box, the rounds of a `for` side by side."""
        count = len(row.applies)
        if row.form == "repeat" and count > 1:
            yield self.repeated(instance, row, f"x{count}")
        elif row.form == "each" and count > MOST_CELLS:
            yield self.repeated(instance, row, f"x{count} side by side")
        elif row.form == "each" and count > 1 and not (_modules(row) and self.is_open(level)):
            yield self.side_by_side(instance, row)
        else:
            for apply in row.applies:
                yield from self.apply(instance, row, apply, level)
        own = instance.path_of(row.key)
        if own in self.graph.failed and own in self.graph and own not in self.picture.places:
            yield self.leaf(self.graph[own], row.name or row.key)

    def is_open(self, level: int) -> bool:
        """Whether modules at this level are drawn open."""
        return level < self.picture.depth

    def apply(
        self, instance: Instance, row: Row, apply: Apply, level: int
    ) -> Iterator[Box | Frame]:
        """Draw one use of an op or module; a row may go into the box before it."""
        key = apply.path.removeprefix(f"{instance.path}.")
        name = key if row.name is None else row.name + key.removeprefix(row.key)
        if not isinstance(apply.target, Instance):
            node = self.graph[apply.path]
            if not self.join_producer(node, name):
                yield self.leaf(node, name)
        elif self.is_open(level):
            yield self.opened(apply, apply.target, name, level)
        else:
            self.picture.is_whole = False
            yield self.folded(Line(name, apply.target.spec.name), inside(self.graph, apply))

    # -- rows

    def leaf(self, node: Node, name: str) -> Box:
        """Draw a row of an op."""
        box = self.picture.add(self.role(node), _line(node, name), node.path)
        if box.role == "failed":
            box.details = [self.model.faults[node.path]]
        return box

    def role(self, node: Node) -> Role:
        """Return what a row's colour tells."""
        if node.path in self.model.faults:
            return "failed"
        if node.shape is None:
            return "unknown"
        if node.path in self.taps:
            return "tap"
        return "weights" if self.weights([node.path]) else "plain"

    def join_producer(self, node: Node, name: str) -> bool:
        """Put a row on its producer's box, if it only changes values in place as a ReLU does."""
        box = None if node.path in self.model.faults else self.producer_box(node)
        if box is None:
            return False
        box.lines.append(_line(node, name))
        self.picture.places[node.path] = Place(box)
        if node.path in self.taps:
            box.role = "tap"
        return True

    def producer_box(self, node: Node) -> Box | None:
        """Return the box of the row before, if nothing else uses that row's value."""
        if node.op is None or node.shape is None or len(node.inputs) != 1:
            return None
        source = self.graph[node.inputs[0]]
        place = self.picture.places.get(source.path)
        if place is None or place.cell is not None or place.box.role not in ("weights", "plain"):
            return None
        is_alone = self.uses[source.path] == 1 and _parent(source.path) == _parent(node.path)
        is_same = source.shape == node.shape and node.op.window() is None
        is_cheap = is_alone and is_same and not node.op.macs(node.shape, node.shape)
        return place.box if is_cheap else None

    # -- modules and loops

    def opened(self, apply: Apply, instance: Instance, name: str, level: int) -> Box | Frame:
        """Draw a module as a frame, or, if one box holds it all, as the heading of that box."""
        items = self.module(instance, level + 1)
        match items:
            case [Box(role="weights" | "plain" | "tap", cells=[]) as box]:
                box.lines.insert(0, Line(name, instance.spec.name))
                return box
            case _:
                weights = self.weights(inside(self.graph, apply))
                size = f" · {large(weights)} params" if weights else ""
                return Frame(instance.path, Line(name, instance.spec.name + size), items)

    def folded(self, line: Line, paths: Iterable[str]) -> Box:
        """Draw a part of the model as one box; a failure inside shows on it."""
        held = list(paths)
        box = self.picture.add("folded", line, *held)
        weights = self.weights(held)
        box.details = [f"{large(weights)} parameters"] if weights else []
        wrong = next((path for path in held if path in self.model.faults), None)
        if wrong is not None:
            box.role = "failed"
            box.details.append(f"{wrong}: {self.model.faults[wrong]}")
        return box

    def repeated(self, instance: Instance, row: Row, times: str) -> Box:
        """Draw all rounds of a row as one box."""
        line = Line(row.name or row.key, f"{self.kind(row)} {times}")
        return self.folded(line, rows_of(self.graph, instance, row))

    def side_by_side(self, instance: Instance, row: Row) -> Box:
        """Draw the rounds of a `for` row as the cells of one box."""
        common, own = rounds([apply.target for apply in row.applies])
        line = Line(row.name or row.key, " ".join((self.kind(row), ", ".join(common))).rstrip())
        box = self.folded(line, rows_of(self.graph, instance, row))
        box.cells = own
        if _modules(row):
            self.picture.is_whole = False
        elif box.role == "folded":
            box.role, box.details = "weights" if box.details else "plain", []
        for index, apply in enumerate(row.applies):
            paths = inside(self.graph, apply)
            self.picture.places.update(dict.fromkeys(paths, Place(box, index)))
        return box

    def kind(self, row: Row) -> str:
        """Return the name of the op or module that a row calls."""
        apply = row.applies[-1]
        if isinstance(apply.target, Instance):
            return apply.target.spec.name
        return self.graph[apply.path].kind

    def weights(self, paths: Iterable[str]) -> int:
        """Return how many parameters some rows have together."""
        return sum(self.model.facts.costs.parameters.get(path, 0) for path in paths)


def _modules(row: Row) -> bool:
    return any(isinstance(apply.target, Instance) for apply in row.applies)


def _line(node: Node, name: str) -> Line:
    told = [] if node.op is None else attributes(node.op)
    return Line(name, f"{node.kind} {', '.join(told)}".rstrip())


def _parent(path: str) -> str:
    return path.rpartition(".")[0]
