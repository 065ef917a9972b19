"""Loops that fill the layers of a kind all at once: `for layer in self.modules(): ...`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from specc.emit.initial import tensor_of
from specc.emit.layout import Line
from specc.emit.locals import Locals
from specc.emit.plan import BODY
from specc.emit.text import text
from specc.ir.graph import Instance
from specc.ops import Op
from specc.values.expression import Attribute, Call, Expression, Name, Series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specc.ir.graph import Filling, Graph, Row

__all__ = ["InitialLoops"]


class InitialLoops:
    """What a module's `init` becomes: a loop in its class, for each kind of op.

    Where a module further in says something else of that kind, or only one row is meant, the layers
    are filled beside their own rows.
    """

    def __init__(self, graph: Graph) -> None:
        self._ops: dict[int, dict[str, list[Op]]] = {}
        self._meant: dict[int, set[str]] = {}
        for instance in graph.instances():
            self._ops[id(instance)] = self._found(instance)
            inside = [self._meant[id(apply.target)] for _, apply in instance.children()]
            self._meant[id(instance)] = set[str]().union(*inside, *map(_meant, instance.rows))
        self._kinds: dict[int, list[str]] = {}
        self._done: dict[int, set[str]] = {}
        self._place(graph.root, set())

    def done(self, instance: Instance) -> set[str]:
        """Return the kinds of ops that loops fill: its own, or those of the modules around it."""
        return self._done[id(instance)]

    def lines(self, instance: Instance) -> list[Line]:
        """Return the loop of an instance, if it has one."""
        layer = Name(Locals(instance.env).fresh("layer"))
        branches: dict[tuple[_Fill, ...], list[Expression]] = {}
        for kind in self._kinds[id(instance)]:
            ops = self._ops[id(instance)][kind]
            fills = tuple(_fills(layer, instance.init[kind], ops))
            branches.setdefault(fills, []).append(ops[0].layer_class)
        lines = [Line(BODY, f"for {layer.id} in ", Call(Attribute(Name("self"), "modules")), ":")]
        for fills, classes in branches.items():
            word = "if" if len(lines) == 1 else "elif"
            lines += _branch(word, _is_one_of(layer, classes), fills)
        return lines if branches else []

    def _found(self, instance: Instance) -> dict[str, list[Op]]:
        """Return the ops in an instance and the modules in it, by kind."""
        found: dict[str, list[Op]] = {}
        for apply in (apply for row in instance.rows for apply in row.applies):
            if isinstance(apply.target, Op):
                found.setdefault(type(apply.target).__name__, []).append(apply.target)
        for _, apply in instance.children():
            for kind, ops in self._ops[id(apply.target)].items():
                found.setdefault(kind, []).extend(ops)
        return found

    def _place(self, instance: Instance, done: set[str]) -> None:
        """Decide on the loops of an instance, then of those in it; `done` are the kinds around it."""
        held = [apply.target for _, apply in instance.children()]
        inside = [module for module in held if isinstance(module, Instance)]
        apart = done.union(*(module.own_init for module in inside))
        kinds = [k for k in instance.init if k not in apart and self._is_for_several(k, instance)]
        self._kinds[id(instance)] = kinds
        self._done[id(instance)] = done | set(kinds)
        for module in inside:
            self._place(module, done | set(kinds))

    def _is_for_several(self, kind: str, instance: Instance) -> bool:
        """Whether more than one row is meant; a module counts as several."""
        if any(kind in self._meant[id(apply.target)] for _, apply in instance.children()):
            return True
        return sum(kind in _meant(row) for row in instance.rows) > 1


def _meant(row: Row) -> set[str]:
    """Return the kinds of ops of a row in which a module's values fill something."""
    own = {setting.name for setting in row.spec.init}
    return {type(apply.target).__name__ for apply in row.applies if apply.initial.keys() - own}


@dataclass(frozen=True, slots=True)
class _Fill:
    """The statement that fills a tensor; `lacking` is the tensor where some layers lack it."""

    statement: Expression
    lacking: Expression | None = None
    remark: str = field(default="", compare=False)


def _fills(layer: Name, fillings: dict[str, Filling], ops: list[Op]) -> Iterator[_Fill]:
    """Yield what fills the tensors of a layer of one kind."""
    for name, filling in fillings.items():
        held = [entry for op in ops for entry in op.state() if entry.name == name]
        if len(held) == len(ops):
            tensor = tensor_of(layer, name, is_parameter=held[0].is_parameter, is_typed=True)
            yield _Fill(filling.made.expression(tensor))
        elif held:
            tensor = Attribute(layer, name)
            remark = "" if name in ops[0].may_lack else "pyright: ignore"
            yield _Fill(filling.made.expression(tensor), tensor, remark)


def _is_one_of(layer: Name, classes: list[Expression]) -> Call:
    several = Series(tuple(classes), is_tuple=True)
    return Call(Name("isinstance"), (layer, classes[0] if len(classes) == 1 else several))


def _branch(word: str, test: Expression, fills: tuple[_Fill, ...]) -> Iterator[Line]:
    """Fill the layers that pass a test."""
    match fills:
        case (_Fill(statement, lacking, remark),) if lacking is not None:
            also = f" and {text(lacking)} is not None:"
            yield Line(BODY + 4, f"{word} ", test, also, remark)
            yield Line(BODY + 8, "", statement)
        case _:
            yield Line(BODY + 4, f"{word} ", test, ":")
            for fill in fills:
                depth = BODY + 8
                if fill.lacking is not None:
                    yield Line(depth, "if ", fill.lacking, " is not None:", fill.remark)
                    depth += 4
                yield Line(depth, "", fill.statement)
