"""Blocks -> text: a row a line, with the line of the spec that it comes from."""

from __future__ import annotations

import json
import re
from dataclasses import MISSING
from typing import TYPE_CHECKING, Any, cast

from specc.emit.text import text
from specc.ir.names import class_name, has_meaning, refusal
from specc.ir.scope import Scope
from specc.ir.tensors import Tensor, leaves
from specc.ops import OPS
from specc.unroll.blocks import Block, Entry, Source, blocks, root_block
from specc.unroll.references import References
from specc.unroll.settled import OPEN, is_open, known_of_root, settled
from specc.values.expression import Call, Name
from specc.values.traced import formula, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from specc.driver import Model
    from specc.ir.spec import Phrase
    from specc.ops import Declaration, Op
    from specc.values.expression import Expression

__all__ = ["unrolled"]

_LONGEST = 50


def unrolled(model: Model) -> str:
    """Write out a model in which nothing is wrong."""
    root, references = root_block(model.hierarchy), References()
    list(_Writer(model, root, references).lines())  # tells which rows of lists need a name
    return "\n".join(_Writer(model, root, references).lines()) + "\n"


class _Writer:
    """Writes a model."""

    def __init__(self, model: Model, root: Block, references: References) -> None:
        self.model = model
        self.graph = model.hierarchy
        self.root = root
        self.references = references
        self.scope = Scope(self.graph.root)
        self.known = known_of_root(self.graph)
        self.classes = _classes(root, self.graph.spec.class_name or class_name(model.name))

    def lines(self) -> Iterator[str]:
        spec = self.graph.spec
        yield from ("specc: 1", f"name: {self.model.name}")
        title = None if spec.title == spec.name else spec.title
        words = {"class": spec.class_name, "title": title, "cite": spec.cite}
        for key, value in (words | {"doc": self.root.doc}).items():
            if value:
                yield f"{key}: {json.dumps(value, ensure_ascii=False)}"
        if OPEN in self.known and is_open(self.known[OPEN]):
            yield f"params: {{{OPEN}: {plain(self.known[OPEN])}}}"
        shapes = {name: self.graph[name].shape or () for name in self.root.inputs}
        yield f"inputs: {_flow({name: _listed(map(str, shape)) for name, shape in shapes.items()})}"
        if spec.preprocess is not None:
            yield f"preprocess: {self.component(spec.preprocess)}"
        yield from ("", "layers:", *self.rows(self.root, "  ", is_shared=False))
        stages = {name: row for name, row, _ in spec.stages}
        if stages and set(stages.values()) <= {entry.name for entry in self.root.entries}:
            yield f"stages: {_flow(stages)}"
        outputs = {name: self.value(value) for name, value in self.graph.outputs().items()}
        yield f"outputs: {_flow({name: _quoted(value) for name, value in outputs.items()})}"
        held = list(blocks(self.root))
        if held:
            yield from ("", "modules:")
        for block, is_shared in held:
            yield from self.module(block, is_shared=is_shared)
        yield from ("", f"expect: {_flow(self.figures())}", *self.detector())

    def module(self, block: Block, *, is_shared: bool) -> Iterator[str]:
        yield f"  {self.classes[block.path]}:"
        if block.doc:
            yield f"    doc: {json.dumps(block.doc, ensure_ascii=False)}"
        if any(entry.is_open for entry in block.entries):
            yield f"    params: {{{OPEN}: int}}"
        if list(block.inputs) != ["x"]:
            yield f"    inputs: {_listed(block.inputs)}"
        yield from ("    layers:", *self.rows(block, "      ", is_shared=is_shared))
        if block.hides_rows:
            names = (self.references.name(entry, block) for entry in block.entries)
            yield f"    outputs: {_listed(name for name in names if name)}"

    def figures(self) -> dict[str, str]:
        model = self.model
        found = {"params": model.parameters, "keys": len(model.facts.costs.state)}
        found |= {"macs": model.macs, "boxes": model.boxes}
        return {name: str(figure) for name, figure in found.items() if figure is not None}

    def detector(self) -> Iterator[str]:
        written = self.graph.spec.detector
        if written:
            yield from ("", "detector:")
        for path, phrase in written.items():
            within, _, key = path.rpartition(".")
            if path == "regions.proposals":
                yield "  regions:"
            indent = "    " if within else "  "
            if key in ("maps", "proposals"):
                value = self.value(self.scope.evaluate(phrase.expression))
                yield f"{indent}{key}: {_quoted(value)}"
            else:
                is_call = isinstance(phrase.expression, Call)
                value = self.component(phrase) if is_call else text(phrase.expression)
                yield f"{indent}{key}: {value}"

    def component(self, phrase: Phrase) -> str:
        """Write a component with the values of its arguments."""

        def number(value: Any) -> Any:
            return formula(settled(self.scope.evaluate(value), {}))

        call = cast("Call", phrase.expression)
        named = tuple((name, number(value), at) for name, value, at in call.keywords)
        return text(Call(call.function, tuple(map(number, call.arguments)), named))

    def value(self, value: Any) -> str:
        """Write what a name of the root stands for."""
        found = [tensor.origin for tensor in leaves(value)]
        is_one = isinstance(value, Tensor) or (len(found) == 1 and not isinstance(value, list))
        source: Source = found[0] if is_one else found
        return self.references.text(source, self.root, self.root.entries)

    # -- rows

    def rows(self, block: Block, indent: str, *, is_shared: bool) -> Iterator[str]:
        first = list(block.inputs.values())
        passed = first if len(first) == 1 else []
        for place, entry in enumerate(block.entries):
            inputs = self.inputs(entry, block, block.entries[:place], passed)
            yield from self.row(entry, block, indent, inputs, is_shared=is_shared)
            passed = [] if entry.target is None else list[Source](entry.result)

    def inputs(
        self, entry: Entry, block: Block, above: list[Entry], passed: list[Source]
    ) -> list[list[str]]:
        """Return what a row takes at each of its turns; nothing where the row above passes it on."""
        if not entry.is_shared and len(passed) == 1 and entry.inputs == [passed]:
            return [[]]
        return [
            [self.references.text(source, block, above) for source in turn] for turn in entry.inputs
        ]

    def row(
        self, entry: Entry, block: Block, indent: str, inputs: list[list[str]], *, is_shared: bool
    ) -> Iterator[str]:
        """Write a row: on one line, unless it is shared or fills its tensors."""
        name = self.references.name(entry, block)
        dash = "- " if block.is_list else ""
        head = f"{indent}{dash}{name}: " if name else f"{indent}{dash}"
        place = f"  # {entry.span.source.path}:{entry.span.line}"
        if entry.target is None:
            yield f"{head}{_quoted(_listed(inputs[0]))}{place}"
            return
        if not entry.is_shared and not entry.initial:
            arrow = "" if is_shared else _arrow(entry)
            yield f"{head}{self.call(entry, inputs[0])}{arrow}{place}"
            return
        settings = [*self.turns(entry, inputs), *_initial(entry)]
        if name:
            yield f"{head.rstrip()}{place}"
            yield from (f"{indent}{' ' * len(dash)}  {setting}" for setting in settings)
        else:
            yield f"{head}{settings[0]}{place}"
            yield from (f"{indent}  {setting}" for setting in settings[1:])

    def turns(self, entry: Entry, inputs: list[list[str]]) -> list[str]:
        """Write the call of a row in block form, and the lists that a shared one walks over."""
        if not entry.is_shared:
            return [f"op: {self.call(entry, inputs[0])}"]
        columns = list(zip(*inputs, strict=True))
        if entry.reads_itself:
            taken = [_chosen(column) for column in columns]
            return [
                "for:",
                f"  t: range({len(inputs)})",
                f"op: {self.call(entry, taken)}",
                "shared: true",
            ]
        lists = {f"t{place}": _listed(column) for place, column in enumerate(columns)}
        walked = [f"  {name}: {_quoted(column)}" for name, column in lists.items()]
        return ["for:", *walked, f"op: {self.call(entry, list(lists))}", "shared: true"]

    def call(self, entry: Entry, inputs: list[str]) -> str:
        """Write the call of a row."""
        if isinstance(entry.target, Block):
            called = f"{self.classes[entry.target.path]}({OPEN if entry.is_open else ''})"
        else:
            called = _constructed(cast("Op", entry.target))
        return f"{called}({', '.join(inputs)})" if inputs else called


def _chosen(turns: Sequence[str]) -> str:
    """Write what is taken at each turn as a choice, of which only the turn's own is looked at."""
    *early, last = turns
    return "".join(f"{turn} if t == {place} else " for place, turn in enumerate(early)) + last


def _initial(entry: Entry) -> list[str]:
    """Write how the tensors of a row are filled."""
    calls = [f"  {name}: {_constructed(made)}" for name, made in entry.initial.items()]
    return ["init:", *calls] if calls else []


def _arrow(entry: Entry) -> str:
    """Write the shape that an op gives, where it is known."""
    return f" -> {text(formula(entry.shape))}" if entry.shape else ""


def _classes(root: Block, taken_by_root: str) -> dict[str, str]:
    """Return a class for each module, named by its path."""
    taken = {taken_by_root}
    classes: dict[str, str] = {}
    for block, _ in blocks(root):
        whole = "_".join(map(class_name, block.path.split(".")))
        base = whole if len(whole) <= _LONGEST else whole[-_LONGEST:].partition("_")[2] or "Part"
        base = f"Row{base}" if base[0].isdigit() else base
        name, count = base, 1
        while class_name(name) in taken or name in OPS or refusal(name) or has_meaning(name):
            count += 1
            name = f"{base}_{count}"
        taken.add(class_name(name))
        classes[block.path] = name
    return classes


def _constructed(made: Declaration) -> str:
    """Write the call of an op or initializer, without the arguments that are at their defaults."""
    positional: list[Expression] = []
    keywords: list[tuple[str, Expression, tuple[int, int]]] = []
    for place, (name, value) in enumerate(made.settings().items()):
        declared = made.arguments[name]
        written = declared.written(value)
        if declared.default is not MISSING and formula(value) == formula(declared.default):
            continue
        if place == len(positional) and not declared.keyword:
            positional.append(written)
        else:
            keywords.append((name, written, (0, 0)))
    return text(Call(Name(type(made).__name__), tuple(positional), tuple(keywords)))


def _listed(items: Any) -> str:
    return f"[{', '.join(items)}]"


def _flow(entries: dict[str, str]) -> str:
    return f"{{{', '.join(f'{key}: {value}' for key, value in entries.items())}}}"


def _quoted(value: str) -> str:
    """Put an expression in quotes where YAML would read its brackets."""
    return json.dumps(value) if re.search(r"[\[\]{},]", value) else value
