"""Layers -> rows: residual blocks and pairs become modules, and what repeats a repeat."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from specc.importing.layers import ACTIVATIONS, HEADS, Conv

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specc.importing.layers import Layer, Shape

__all__ = ["Block", "Row", "Table", "tabulate"]

Form = tuple[Conv, ...]
Readers = dict[int, set[int]]
FEWEST_PAIRS = 3


@dataclass(frozen=True)
class Block:
    """Convolutions one after another; if `adds`, then the sum of what came and what came of it.

    Two blocks are one module if their forms are equal: their convolutions apart from the width.
    """

    start: int
    end: int
    convs: Form
    adds: bool = False
    activation: str = ""

    @property
    def form(self) -> tuple[Form, bool, str]:
        """What makes it a module of its own."""
        return tuple(replace(conv, filters=1) for conv in self.convs), self.adds, self.activation


@dataclass(frozen=True)
class Row:
    """A row of the spec: an op's call, a convolution or a block, and where it takes its input.

    `inputs` is empty where it takes what the row before gives.
    """

    name: str
    what: str | Conv | Block
    inputs: tuple[str, ...]
    shape: Shape
    repeat: int = 1


@dataclass
class Table:
    """The rows, and the outputs with the rows that give them."""

    rows: list[Row] = field(default_factory=list[Row])
    outputs: dict[str, str] = field(default_factory=dict[str, str])


def tabulate(layers: list[Layer]) -> Table:
    """Return the rows of a network."""
    table = Table()
    names: dict[int, str] = {-1: ""}
    readers = _readers(layers)
    runs = {run[0].start: run for run in (*_pairs(layers, readers), *_residuals(layers, readers))}
    place = 0
    while place < len(layers):
        run = runs.get(place)
        if run:
            layer = layers[run[-1].end]
            name = f"{'res' if run[0].adds else 'pair'}{layer.index}"
            inputs = _inputs([place - 1], names, table)
            table.rows.append(Row(name, run[0], inputs, layer.shape, len(run)))
        else:
            layer = layers[place]
            name = _add(layer, names, table)
        names[layer.index] = name
        if layer.section.kind in HEADS:
            table.outputs[f"{layer.section.kind}{layer.index}"] = name
        place = layer.index + 1
    return table


def _add(layer: Layer, names: dict[int, str], table: Table) -> str:
    """Add the rows of a layer; return the name of its value."""
    inputs = _inputs(layer.sources, names, table)
    if layer.conv:
        name = f"{layer.word}{layer.index}"
        table.rows.append(Row(name, layer.conv, inputs, layer.shape))
        return name
    if not layer.calls:
        return names[layer.sources[0]]
    *before, last = [(f"{_word(call, layer)}{layer.index}", call) for call in layer.calls]
    for part, call in before:
        table.rows.append(Row(part, call, inputs, ()))
        inputs = ()
    table.rows.append(Row(*last, inputs, layer.shape))
    return last[0]


def _word(call: str, layer: Layer) -> str:
    """Return what one of a layer's rows is called."""
    if call == "Flatten()":
        return "flat"
    return "act" if call in ACTIVATIONS.values() else layer.word


def _inputs(sources: list[int], names: dict[int, str], table: Table) -> tuple[str, ...]:
    """Return the rows that a layer takes, or nothing if that is the row before."""
    wanted = tuple(names[source] for source in sources)
    before = table.rows[-1].name if table.rows else ""
    return () if wanted == (before,) else wanted


def _residuals(layers: list[Layer], readers: Readers) -> Iterator[list[Block]]:
    """Yield blocks that can be one row: alike, one behind the other, and nothing taps between."""
    blocks = [block for layer in layers if (block := _block(layer, layers, readers))]
    run: list[Block] = []
    for block in blocks:
        last = run[-1] if run else None
        follows = last and block.start == last.end + 1 and block.convs == last.convs
        if last and not (
            follows
            and block.activation == last.activation
            and readers[last.end] == {block.start, block.end}
        ):
            yield run
            run = []
        run.append(block)
    if run:
        yield run


def _pairs(layers: list[Layer], readers: Readers) -> Iterator[list[Block]]:
    """Yield two convolutions in turn, where they come often enough to say so and nothing taps."""
    place = 0
    while place < len(layers):
        run = list(_turns(place, layers, readers))
        if len(run) >= FEWEST_PAIRS:
            yield run
            place = run[-1].end
        place += 1


def _turns(start: int, layers: list[Layer], readers: Readers) -> Iterator[Block]:
    """Yield the two convolutions at a place for as long as they follow one another."""
    first = tuple(layer.conv for layer in layers[start : start + 2])
    for place in range(start, len(layers) - 1, 2):
        convs = tuple(layer.conv for layer in layers[place : place + 2] if layer.conv)
        follows = place == start or readers[place - 1] == {place}
        if convs != first or not follows or readers[place] != {place + 1}:
            return
        yield Block(place, place + 1, convs)


def _readers(layers: list[Layer]) -> Readers:
    """Return the layers that take each layer."""
    readers: Readers = {layer.index: set() for layer in layers}
    for layer in layers:
        for source in layer.sources:
            readers.setdefault(source, set()).add(layer.index)
    return readers


def _block(layer: Layer, layers: list[Layer], readers: Readers) -> Block | None:
    """Return the residual block that ends with a layer, if there is one."""
    if layer.section.kind != "shortcut" or len(layer.sources) != 2:
        return None
    before, last = layer.sources
    inside = layers[before + 1 : last + 1]
    convs = tuple(part.conv for part in inside if part.conv)
    is_chain = len(convs) == len(inside) > 0 and all(
        readers[part.index] == {part.index + 1} for part in inside
    )
    if not is_chain or len(layers[before].shape) != 3 or last != layer.index - 1:
        return None
    return Block(before + 1, layer.index, convs, adds=True, activation="".join(layer.calls[1:]))
