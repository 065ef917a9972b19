"""Compare two models row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from specc.ir.tensors import leaves

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specc.ir.graph import Graph, Node
    from specc.ops import Initializer
    from specc.passes.pipeline import Facts
    from specc.values.dimensions import Shape

__all__ = ["Change", "Difference", "Side", "compare"]


@dataclass(frozen=True, slots=True)
class Side:
    """What a row is in one of the models.

    Attributes:
        kind: the op's name.
        settings: its arguments but those that follow from what arrives, and its initial values.
        reads: the paths that feed it.
        shape: what comes out.
        parameters: the numbers that it learns; none at a second use of shared weights.
        macs: multiply-adds for one image; `None` while sizes are symbolic.
    """

    kind: str
    settings: dict[str, object]
    reads: tuple[str, ...]
    shape: Shape | None
    parameters: int
    macs: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """A row that differs; `before` is missing for one that was added, `after` for one removed."""

    path: str
    before: Side | None
    after: Side | None


@dataclass(frozen=True, slots=True)
class Difference:
    """The rows in which two models differ, how many do not, and what differs around the rows.

    Attributes:
        changes: in the order of the second model, with removed rows where they were in the first.
        same: the number of rows that are equal.
        settings: outputs and the detector's settings that differ, before and after, by name.
    """

    changes: list[Change]
    same: int
    settings: dict[str, tuple[object, object]]

    @property
    def is_empty(self) -> bool:
        """Whether the models are equal but for their names."""
        return not self.changes and not self.settings


def compare(first: tuple[Graph, Facts], second: tuple[Graph, Facts]) -> Difference:
    """Compare two models, matching rows by their paths."""
    before, after = _sides(*first), _sides(*second)
    paths = _merged(list(before), list(after))
    rows = [Change(path, before.get(path), after.get(path)) for path in paths]
    changes = [row for row in rows if row.before != row.after]
    old, new = _settings(*first), _settings(*second)
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    settings = {name: (old.get(name), new.get(name)) for name in names}
    return Difference(changes, len(rows) - len(changes), settings)


def _merged(before: list[str], after: list[str]) -> Iterator[str]:
    """Yield all paths: those after, and in front of each the ones that were lost before it."""
    kept, places = set(after), {path: place for place, path in enumerate(before)}
    done = 0
    for path in after:
        place = places.get(path, done)
        yield from (old for old in before[done:place] if old not in kept)
        done = max(done, place)
        yield path
    yield from (old for old in before[done:] if old not in kept)


def _sides(graph: Graph, facts: Facts) -> dict[str, Side]:
    initial = {apply.path: apply.initial for _, apply in graph.applies()}
    return {
        node.path: Side(
            node.kind,
            _arguments(node) | _initial(initial.get(node.path, {})),
            node.inputs,
            node.shape,
            facts.costs.parameters.get(node.path, 0),
            facts.costs.macs.get(node.path),
        )
        for node in graph.nodes()
    }


def _arguments(node: Node) -> dict[str, object]:
    if node.op is None:
        return {}
    declared = node.op.arguments
    given = node.op.settings().items()
    return {name: value for name, value in given if declared[name].inferred is None}


def _initial(values: dict[str, Initializer]) -> dict[str, object]:
    return {
        f"init.{name}": {"kind": type(value).__name__} | value.settings()
        for name, value in values.items()
    }


def _settings(graph: Graph, facts: Facts) -> dict[str, object]:
    """Return by name what the outputs are and what the detector says."""
    outputs = {
        f"outputs.{name}": [tensor.origin for tensor in leaves(value)]
        for name, value in graph.outputs().items()
    }
    literal = dict(facts.detector or {})
    literal.pop("name", None)
    return {"outputs": list(graph.outputs())} | outputs | dict(_flat(literal, "detector"))


def _flat(value: Any, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for name, item in cast("dict[str, Any]", value).items():
            yield from _flat(item, f"{path}.{name}")
    else:
        yield path, value
