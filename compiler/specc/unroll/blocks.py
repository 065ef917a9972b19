"""The model as blocks of rows, in which every name and number is settled."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from specc.ir.graph import Instance
from specc.ir.tensors import leaves
from specc.unroll.settled import is_open, known_inside, known_of_root, made, settled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from specc.documents import Span
    from specc.ir.graph import Apply, Graph, Row
    from specc.ir.tensors import Tensor
    from specc.ops import Initializer, Op
    from specc.unroll.settled import Known
    from specc.values.dimensions import Shape

__all__ = ["Block", "Entry", "Source", "blocks", "root_block"]

_OUTPUT = re.compile(r"out\d*")

Source = str | list[str]
"""What a row takes: the path of the row that makes a tensor, or a list of such paths."""


@dataclass(slots=True, eq=False)
class Entry:
    """A row, written out.

    Attributes:
        key: its part of the state-dict path.
        name: the name of its value, if the spec gives it one.
        span: the row of the spec that it comes from.
        inputs: what it takes; a shared row, at each turn.
        target: the op or module it applies; a row without one only names its inputs.
        initial: how tensors of the op are filled.
        shape: what the op gives for each image, where it is known.
    """

    key: str
    name: str | None
    span: Span
    inputs: list[list[Source]]
    target: Op | Block | None = None
    path: str = ""
    is_shared: bool = False
    initial: dict[str, Initializer] = field(default_factory=dict[str, "Initializer"])
    shape: list[int] = field(default_factory=list[int])

    @property
    def result(self) -> list[str]:
        """The paths of the tensors that its name stands for."""
        if self.target is None:
            return list(_flat(self.inputs[0]))
        if self.is_shared:
            return []
        return self.target.result if isinstance(self.target, Block) else [self.path]

    @property
    def reads_itself(self) -> bool:
        """Whether a turn takes what an earlier one gave."""
        taken = (source for turn in self.inputs for source in _flat(turn))
        return any(source.partition("@")[0] == self.path for source in taken)

    @property
    def is_open(self) -> bool:
        """Whether it needs to know `num_classes`."""
        if isinstance(self.target, Block):
            return any(entry.is_open for entry in self.target.entries)
        numbers = [] if self.target is None else list(self.target.settings().values())
        return is_open([*numbers, *self.shape])


@dataclass(slots=True, eq=False)
class Block:
    """A module, written out: its inputs by name, and its rows."""

    path: str
    is_list: bool
    inputs: dict[str, Source]
    doc: str | None = None
    entries: list[Entry] = field(default_factory=list["Entry"])

    @property
    def result(self) -> list[str]:
        """The paths of what it gives: its last row's, unless that only names values."""
        last = self.entries[-1]
        return [] if self.hides_rows or last.target is None else last.result

    @property
    def hides_rows(self) -> bool:
        """Whether a row has the name of an output that nobody named, which a tap would find."""
        return any(_OUTPUT.fullmatch(entry.name or "") for entry in self.entries)

    def entry(self, key: str) -> Entry:
        """Return the row with a key."""
        return next(entry for entry in self.entries if entry.key == key)


def root_block(graph: Graph) -> Block:
    """Return the model as a block."""
    return _of_instance(graph.root, known_of_root(graph))


def blocks(block: Block, *, is_shared: bool = False) -> Iterator[tuple[Block, bool]]:
    """Yield a block's modules and theirs, as they stand in it, and whether each is shared."""
    for entry in block.entries:
        if isinstance(entry.target, Block):
            yield entry.target, is_shared or entry.is_shared
            yield from blocks(entry.target, is_shared=is_shared or entry.is_shared)


def _of_instance(instance: Instance, known: Known) -> Block:
    inputs = {name: _source(value) for name, value in instance.inputs.items()}
    block = Block(instance.path, instance.spec.is_list, inputs, instance.spec.doc)
    for row in instance.rows:
        block.entries += _entries(row, block, known)
    while len(block.entries) > 1 and _only_keeps_place(block.entries[-1]):
        block.entries.pop()
    return block


def _only_keeps_place(entry: Entry) -> bool:
    return entry.target is None and entry.name is None


def _entries(row: Row, block: Block, known: Known) -> list[Entry]:
    """Return what is written for a row; one that is left out keeps its place in a list."""
    found: list[Source] = [tensor.origin for tensor in leaves(row.value)]
    if row.form == "value" and found:
        return [Entry(row.key, row.name, row.spec.span, [found])]
    if not row.applies:
        return [_filler(row, row.key, row.value, block.inputs)] if block.is_list else []
    if row.form == "one":
        return [_applied(row, row.applies[0], row.key, row.name, known)]
    if row.shared:
        return [_shared(row, known)]
    turns = _turns(row, f"{block.path}.{row.key}" if block.path else row.key, known)
    taken = list(turns.inputs.values())
    return [Entry(row.key, row.name, row.spec.span, [taken], turns)]


def _filler(row: Row, key: str, value: Any, inputs: dict[str, Source]) -> Entry:
    """Return a row that only names what it would have taken: those below keep their numbers."""
    first = next(leaves(value), None)
    source = next(_flat(inputs.values())) if first is None else first.origin
    return Entry(key, None, row.spec.span, [[source]])


def _applied(row: Row, apply: Apply, key: str, name: str | None, known: Known) -> Entry:
    entry = Entry(key, name, row.spec.span, [_inputs(apply)], path=apply.path)
    if isinstance(apply.target, Instance):
        entry.target = _of_instance(apply.target, known_inside(apply, known))
    else:
        entry.target = cast("Op", made(cast("Op", apply.target), known))
        entry.shape = _shape(apply.value.shape, known)
        entry.initial = {
            name: cast("Initializer", made(filled, known)) for name, filled in apply.initial.items()
        }
    return entry


def _shared(row: Row, known: Known) -> Entry:
    entry = _applied(row, row.applies[0], row.key, row.name, known)
    entry.is_shared = True
    entry.shape = []
    entry.inputs = [_inputs(apply) for apply in row.applies]
    return entry


def _turns(row: Row, path: str, known: Known) -> Block:
    """Return the module of a row's turns; a turn that is left out keeps its place."""
    block = Block(path, is_list=True, inputs={})
    turns = {int(apply.path.rpartition(".")[2].partition("@")[0]): apply for apply in row.applies}
    for index in range(max(turns) + 1):
        if index in turns:
            entry = _applied(row, turns[index], str(index), None, known)
        else:
            entry = _filler(row, str(index), cast("list[Any]", row.value)[index], {})
        block.entries.append(entry)
    taken = _flat(source for entry in block.entries for turn in entry.inputs for source in turn)
    outer = [source for source in dict.fromkeys(taken) if not source.startswith(f"{path}.")]
    names = ["x"] if len(outer) == 1 else [f"x{place}" for place in range(len(outer))]
    block.inputs = dict(zip(names, outer, strict=True))
    return block


def _shape(shape: Shape | None, known: Known) -> list[int]:
    """Return the sizes for each image, if all of them are numbers."""
    sides = [settled(side, known) for side in (shape or ())[1:] if isinstance(side, int)]
    return sides if len(sides) + 1 == len(shape or ()) else []


def _inputs(apply: Apply) -> list[Source]:
    if isinstance(apply.target, Instance):
        return [_source(value) for value in apply.target.inputs.values()]
    return [tensor.origin for value in apply.inputs for tensor in leaves(value)]


def _source(value: Tensor | list[Tensor]) -> Source:
    return [tensor.origin for tensor in value] if isinstance(value, list) else value.origin


def _flat(sources: Iterable[Source]) -> Iterator[str]:
    for source in sources:
        yield from source if isinstance(source, list) else [source]
