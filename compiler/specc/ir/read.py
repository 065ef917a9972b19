"""Document -> Spec: read the sections and rows of a file whose structure has been checked."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from specc.documents import Mapping, Scalar, Sequence, did_you_mean, plain
from specc.ir.collisions import check_collisions, check_stages, sizes
from specc.ir.names import refusal, variant_refusal
from specc.ir.parameters import KINDS
from specc.ir.phrases import PhraseReader
from specc.ir.read_weights import read_weights
from specc.ir.row_keys import keys_agree
from specc.ir.spec import InitSpec, InputSpec, ModuleSpec, ParamSpec, RowSpec, Spec
from specc.values.expression import Binary, Call, Name, Series

if TYPE_CHECKING:
    from specc.documents import Node, Report, Span
    from specc.ir.spec import Phrase, Setting
    from specc.values.expression import Expression

__all__ = ["read_spec"]

_PRINTED = re.compile(r"\((\w+)\)$")


def read_spec(root: Mapping, path: str, report: Report) -> Spec:
    """Read a whole file.

    Raises:
        Findings: a part of it cannot be read; all such parts are in it.
    """
    spec = _Reader(report).spec(root, path)
    check_collisions(spec, report)
    check_stages(spec, report)
    report.stop()
    return spec


class _Reader(PhraseReader):
    def spec(self, root: Mapping, path: str) -> Spec:
        name_node = cast("Scalar", root.get("name"))
        name = str(name_node.value)
        self.check_name(name, name_node.span)
        modules = {
            key.name: self.module(key.name, cast("Mapping", node), key.span)
            for key, node in self.entries(root, "modules")
            if self.check_name(key.name, key.span)
        }
        title, cite = self.text(root, "title"), self.text(root, "cite")
        expect = root.get("expect")
        expectations = expect.items if isinstance(expect, Sequence) else [expect] if expect else []
        detector = root.get("detector")
        preprocess = root.get("preprocess")
        spec = Spec(
            path=path,
            name=name,
            root=self.module(name, root, name_node.span),
            modules=modules,
            use={
                key.name: (str(cast("Scalar", node).value), node.span)
                for key, node in self.entries(root, "use")
                if self.check_name(key.name, key.span)
            },
            variants={
                key.name: cast("Mapping", node) for key, node in self.entries(root, "variants")
            },
            stages=[
                (key.name, str(cast("Scalar", node).value), node.span)
                for key, node in self.entries(root, "stages")
                if self.check_name(key.name, key.span)
            ],
            expect=cast("list[Mapping]", expectations),
            preprocess=self.phrase(preprocess) if preprocess else None,
            detector=self.detector(detector),
            detector_span=cast("Scalar", root.key("detector")).span if detector else None,
            weights=read_weights(root.get("weights"), self),
            title=title or name,
            cite=cite,
            class_name=self.text(root, "class"),
        )
        for module in (spec.root, *modules.values()):
            module.spec = spec
        if spec.class_name is not None:
            self.check_name(spec.class_name, cast("Scalar", root.get("class")).span)
        self.check_variants(root, spec)
        return spec

    def detector(self, node: Node | None) -> dict[str, Phrase]:
        """Read what is said of the detector; of its second stage under keys such as `regions.match`."""
        entries = node.entries if isinstance(node, Mapping) else []
        read: dict[str, Phrase | None] = {}
        for key, value in entries:
            if isinstance(value, Mapping):
                inner = self.phrases(value).items()
                read |= {f"{key.name}.{name}": phrase for name, phrase in inner}
            else:
                read[key.name] = self.phrase(value)
        return {name: phrase for name, phrase in read.items() if phrase is not None}

    def check_variants(self, root: Mapping, spec: Spec) -> None:
        """Check the names of variants and of the parameters that they set."""
        known = list(spec.root.params)
        for variant, values in self.entries(root, "variants"):
            reason = variant_refusal(variant.name)
            if reason is not None:
                label = "not a usable name"
                self.report.add("E0215", reason, variant.span, label, help="choose another name")
            for key, _ in cast("Mapping", values).entries:
                if key.name not in (*known, "expect"):
                    takes = f"parameters: {', '.join(known) or 'none'}"
                    help = did_you_mean(key.name, known, takes)
                    message = f"`{spec.name}` has no parameter `{key.name}`"
                    self.report.add("E0311", message, key.span, "unknown parameter", help=help)

    @staticmethod
    def entries(node: Mapping, key: str) -> list[tuple[Scalar, Node]]:
        section = node.get(key)
        return section.entries if isinstance(section, Mapping) else []

    @staticmethod
    def text(node: Mapping, key: str) -> str | None:
        value = node.get(key)
        return str(value.value) if isinstance(value, Scalar) else None

    def check_name(self, name: str, span: Span) -> bool:
        reason = refusal(name)
        if reason is not None:
            form = "a name is letters, digits and `_`: write `conv1: Conv2d(...)`"
            help = form if "(" in name else "choose another name"
            self.report.add("E0215", reason, span, "not a usable name", help=help)
        return reason is None

    def module(self, name: str, node: Mapping, span: Span) -> ModuleSpec:
        layers = node.get("layers")
        module = ModuleSpec(
            name, span, doc=self.text(node, "doc"), is_list=isinstance(layers, Sequence)
        )
        for key, value in self.entries(node, "params"):
            if self.check_name(key.name, key.span):
                module.params[key.name] = self.param(key, value)
        module.inputs = self.inputs(node.get("inputs"))
        for size, place in sizes(module):
            self.check_name(size, place)
        for key, value in self.entries(node, "let"):
            phrase = self.phrase(value)
            if self.check_name(key.name, key.span) and phrase is not None:
                module.let[key.name] = phrase
        module.init = [
            InitSpec(key.name, key.span, self.settings(values))
            for key, values in self.entries(node, "init")
        ]
        module.rows = self.rows(layers)
        module.outputs = self.outputs(node.get("outputs"))
        return module

    def param(self, key: Scalar, node: Node) -> ParamSpec:
        name = key.name
        value = plain(node)
        if isinstance(node, Scalar) and node.plain and not node.text:
            message = f"parameter `{name}` has neither a type nor a default"
            help = f"write `{name}: int` if it must be given, or a default, such as `{name}: 16`"
            self.report.add("E0202", message, key.span, "nothing behind it", help=help)
        if isinstance(node, Scalar) and node.plain and value in KINDS:
            return ParamSpec(name, str(value), None, required=True, span=key.span)
        kinds: dict[type, str] = {
            bool: "bool",
            int: "int",
            float: "float",
            str: "str",
            list: "list",
        }
        return ParamSpec(name, kinds.get(type(value), "str"), value, required=False, span=key.span)

    def inputs(self, node: Node | None) -> list[InputSpec]:
        if isinstance(node, Mapping):
            return [
                InputSpec(key.name, self.phrase(value), key.span)
                for key, value in node.entries
                if self.check_input(key.name, key.span)
            ]
        if isinstance(node, Sequence):
            names = cast("list[Scalar]", node.items)
            return [
                InputSpec(str(item.value), None, item.span)
                for item in names
                if self.check_input(str(item.value), item.span)
            ]
        return []

    def check_input(self, name: str, span: Span) -> bool:
        """Check the name of what arrives, which may be `x`."""
        return name == "x" or self.check_name(name, span)

    def outputs(self, node: Node | None) -> list[tuple[str, Phrase]] | None:
        if node is None:
            return None
        pairs: list[tuple[str, Phrase | None]] = []
        if isinstance(node, Mapping):
            pairs = [
                (key.name, self.phrase(value))
                for key, value in node.entries
                if self.check_name(key.name, key.span)
            ]
        elif isinstance(node, Sequence):
            for item in node.items:
                name = str(cast("Scalar", item).value).rpartition(".")[2]
                if name in dict(pairs):
                    message, help = f"two outputs are named `{name}`", "write `{one: a, two: b}`"
                    self.report.add("E0302", message, item.span, "second use", help=help)
                elif self.check_name(name, item.span):
                    pairs.append((name, self.phrase(item)))
        return [(name, phrase) for name, phrase in pairs if phrase is not None]

    def rows(self, layers: Node | None) -> list[RowSpec]:
        rows: list[RowSpec | None] = []
        if isinstance(layers, Sequence):
            for index, item in enumerate(layers.items):
                rows.append(self.list_row(index, item))
        elif isinstance(layers, Mapping):
            for key, node in layers.entries:
                name = key.name
                printed = _PRINTED.match(name)
                name = printed[1] if printed else name
                if self.check_name(name, key.span):
                    rows.append(self.row(name, name, key.span, node))
        return [row for row in rows if row is not None]

    def list_row(self, index: int, item: Node) -> RowSpec | None:
        """Read a list's row: a call, `name: call`, `(3): call` as printed, or the block form."""
        if not isinstance(item, Mapping) or item.get("op") is not None or len(item.entries) != 1:
            return self.row(str(index), None, item.span, item)
        key, node = item.entries[0]
        printed = _PRINTED.match(key.name)
        if printed and printed[1].isdecimal():
            if printed[1] != str(index):
                message = f"this row is numbered {printed[1]}, but it stands at {index}"
                help = f"write `({index}): ...`, or leave the number out"
                self.report.add("E0217", message, key.span, f"row {index}", help=help)
                return None
            return self.row(str(index), None, key.span, node)
        if not self.check_name(key.name, key.span):
            return None
        return self.row(str(index), key.name, key.span, node)

    def row(self, key: str, name: str | None, name_span: Span, node: Node) -> RowSpec | None:
        if isinstance(node, Mapping):
            return self.block_row(key, name, name_span, node)
        if isinstance(node, Sequence):
            phrase = self.phrase(node)
            if phrase is None:
                return None
            return RowSpec(key, name, node.span, name_span, phrase, is_value=True)
        return self.call_row(key, name, name_span, node)

    def block_row(
        self, key: str, name: str | None, name_span: Span, node: Mapping
    ) -> RowSpec | None:
        op = node.get("op")
        if not isinstance(op, Scalar):
            message, help = "a row in block form needs `op`", "add `op: Conv2d(...)`"
            self.report.add("E0202", message, node.span, "no `op` here", help=help)
            return None
        row = self.call_row(key, name, name_span, op)
        if row is None or not keys_agree(node, row, self.report):
            return None
        shared = node.get("shared")
        repeat, turn = self.counted(node.get("repeat"))
        if turn is not None:
            self.check_name(turn.name, turn.span)
        return replace(
            row,
            condition=self.optional(node.get("if")),
            repeat=repeat,
            turn=turn.name if turn else None,
            turn_span=turn.span if turn else None,
            first=self.settings(node.get("first")),
            each=self.walked(node.get("for")),
            init=self.settings(node.get("init")),
            shared=isinstance(shared, Scalar) and shared.value is True,
        )

    def walked(self, node: Node | None) -> tuple[Setting, ...]:
        """Read the lists of a loop, each under the name of its item."""
        lists = self.settings(node)
        return tuple(one for one in lists if self.check_input(one.name, one.span))

    def counted(self, node: Node | None) -> tuple[Phrase | None, Scalar | None]:
        """Read how often a row is repeated, and the name of the turn if it has one: `{i: 3}`."""
        if not isinstance(node, Mapping):
            return self.optional(node), None
        ((turn, count),) = node.entries
        return self.phrase(count), turn

    def call_row(self, key: str, name: str | None, name_span: Span, node: Scalar) -> RowSpec | None:
        """Read a row on one line: `Conv2d(_, 8, 3)(x) -> 38`."""
        text = self.checked_text(node)
        if text is None:
            return None
        arrow = _arrow(text)
        if text.startswith("=>", arrow):
            help = f"write `{text[:arrow]}->{text[arrow + 2 :]}`"
            message, span = "what comes out stands behind `->`", node.part(arrow, arrow + 2)
            self.report.add("E0204", message, span, "another arrow", help=help)
            return None
        is_expected = arrow < len(text)
        expect = self.parse(text[arrow + 2 :], node, arrow + 2) if is_expected else None
        phrase = self.parse(text[:arrow].rstrip().removesuffix(","), node, 0)
        if phrase is None or (is_expected and expect is None):
            return None
        row = RowSpec(key, name, node.content, name_span, phrase, expect=expect)
        match phrase.expression:
            case Series():
                return replace(row, is_value=True)
            case Call(Call() as inner, inputs, keywords):
                call = replace(phrase, expression=inner)
                return replace(row, call=call, inputs=inputs, keywords=keywords)
            case Call():
                return row
            case _:
                self.refuse_row(phrase.expression, text[:arrow].strip(), node.content)
                return None

    def refuse_row(self, expression: Expression, text: str, span: Span) -> None:
        """Report a row that calls nothing."""
        match expression:
            case Name(name):
                help = f"write `{name}()`"
            case Binary("+" | "*" as sign):
                inputs = ", ".join(part.strip() for part in text.split(sign))
                help = f"write `{'Add' if sign == '+' else 'Mul'}()({inputs})`"
            case _:
                help = "write a call, such as `ReLU(inplace=True)`"
        self.report.add("E0204", "a row is a call", span, "no parentheses here", help=help)


def _arrow(text: str) -> int:
    """Return where `->`, or `=>` in its place, stands outside brackets and quotes, or the end."""
    depth = 0
    quote = ""
    for position, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif depth == 0 and text.startswith(("->", "=>"), position):
            return position
    return len(text)
