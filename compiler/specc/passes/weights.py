"""Expand the maps of `weights` to flat tables: each key of a checkpoint beside ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from specc.documents import Label, Report, did_you_mean
from specc.ir.context import Reported, report_fault
from specc.ir.scope import Scope
from specc.passes.component import read_component, settings
from specc.values.expression import ExpressionError
from specc.values.numbers import is_whole

if TYPE_CHECKING:
    from specc.documents import Span
    from specc.ir.graph import Graph, Instance
    from specc.ir.key_patterns import Hole, KeyPattern, KeyTemplate
    from specc.ir.spec import MapSpec
    from specc.passes.cost import Costs

__all__ = ["WeightMap", "check_maps", "weight_maps"]


@dataclass(eq=False)
class WeightMap(Mapping[str, str]):
    """What a kind of checkpoint calls this model's tensors: its keys, each with ours.

    Attributes:
        name: what the map is called in the spec, behind the part of the model it speaks of.
        table: ours by theirs, in the order of ours.
        new: our keys that the checkpoint has nothing for; they keep their initial values.
        drop: regular expressions of their keys that this model has no use for.
        convert: by their key, the conversion of the tensor, as data.
        preprocess: the input that the weights were trained on, as data; `None` if unknown.
    """

    name: str
    table: dict[str, str] = field(default_factory=dict[str, str])
    new: list[str] = field(default_factory=list[str])
    drop: list[str] = field(default_factory=list[str])
    convert: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    preprocess: dict[str, Any] | None = None

    def __getitem__(self, theirs: str) -> str:
        return self.table[theirs]

    def __iter__(self) -> Iterator[str]:
        return iter(self.table)

    def __len__(self) -> int:
        return len(self.table)


def check_maps(graph: Graph, costs: Costs, report: Report) -> None:
    """Report what is wrong in the maps of the spec itself."""
    _maps(graph.root, costs, report)


def weight_maps(graph: Graph, costs: Costs, report: Report) -> dict[str, WeightMap]:
    """Expand the maps of the spec, by name, and those of the specs it uses, as `row.name`.

    A map of another spec is left out where it does not fit the row.
    """
    maps = {found.name: found for found in _maps(graph.root, costs, report)}
    for instance in graph.instances():
        if instance.spec.is_root and instance is not graph.root:
            apart = Report()
            found = _maps(instance, costs, apart)
            maps |= {} if apart.errors else {each.name: each for each in found}
    return maps


def _maps(root: Instance, costs: Costs, report: Report) -> list[WeightMap]:
    specs = root.spec.spec.weights.values()
    expanded = [_Expansion(root, spec, list(costs.state), report).expand() for spec in specs]
    return [found for found in expanded if found is not None]


class _Expansion:
    """One map, expanded over the keys of one module."""

    def __init__(self, root: Instance, spec: MapSpec, keys: list[str], report: Report) -> None:
        self.spec = spec
        self.report = report
        self.scope = Scope(root)
        self.root = root
        into = [spec.into.name] if spec.into is not None else []
        self.inside = "".join(f"{part}." for part in (root.path, *into) if part)
        self.all_keys = keys
        self.keys = [k.removeprefix(self.inside) for k in keys if k.startswith(self.inside)]
        self.map = WeightMap(root.path_of(spec.name))
        self.failed: set[KeyTemplate] = set()
        self.sources: dict[str, KeyTemplate] = {}

    def expand(self) -> WeightMap | None:
        """Return the map, or nothing where it does not speak of these parameters."""
        if not self._applies():
            return None
        if not self.keys and self.spec.into is not None:
            self._unknown(self.inside, self.spec.into.span, self.all_keys)
            return self.map
        left_out = [key for key in self.keys if not self._place(key)]
        unfit = [pattern for pattern, _ in self.spec.lines if not self._known(pattern)]
        for pattern in unfit:
            self._unknown(pattern.start, pattern.node.span, self.keys)
        if left_out and not unfit and not self.failed:
            self._left_out(left_out)
        self.map.drop = [pattern.regex.pattern for pattern in self.spec.drop]
        self._convert()
        self.map.preprocess = self._preprocess()
        return self.map

    def _applies(self) -> bool:
        condition = self.spec.condition
        if condition is None:
            return True
        try:
            return bool(self.scope.evaluate(condition.expression))
        except ExpressionError as error:
            report_fault(error, condition, self.report)
            return False

    def _place(self, key: str) -> bool:
        """Find the line for one of our keys; whether there is one."""
        if any(self._fits(pattern, key) for pattern in self.spec.new):
            self.map.new.append(self.inside + key)
            return True
        for ours, theirs in self.spec.lines:
            if self._fits(ours, key):
                self._enter(key, theirs)
                return True
        return False

    def _fits(self, pattern: KeyPattern, key: str) -> bool:
        """Whether a key has a pattern's form and the conditions hold; its letters are then bound."""
        bound = pattern.match(key)
        if bound is None:
            return False
        self.scope.loops = dict(bound)
        return all(self._value(pattern, hole, key) for hole in pattern.conditions)

    def _enter(self, key: str, template: KeyTemplate) -> None:
        """Compute their key and put the pair into the table."""
        parts = [
            piece if isinstance(piece, str) else self._text(template, piece, key)
            for piece in template.pieces
        ]
        if template in self.failed:
            return
        theirs = "".join(parts)
        if theirs in self.map.table:
            self._twice(theirs, key, template)
            return
        self.map.table[theirs] = self.inside + key
        self.sources[theirs] = template

    def _text(self, template: KeyTemplate, hole: Hole, key: str) -> str:
        value = self._value(template, hole, key)
        is_place = is_whole(value) and value >= 0
        if template in self.failed or is_place or isinstance(value, str):
            return str(value)
        self.failed.add(template)
        shown = value if isinstance(value, (int, float)) else "a list or tensor"
        message = f"this is {shown}, which is no part of a key"
        help = "a part of a key is a text or a whole number from 0 up"
        span = template.node.part(hole.start, hole.end)
        note = f"for `{self.inside}{key}`"
        self.report.add("E0704", message, span, "no part of a key", help=help, note=note)
        return ""

    def _value(self, template: KeyTemplate, hole: Hole, key: str) -> Any:
        """Evaluate what stands in a hole; nothing where it has no value, which is reported once."""
        if template in self.failed:
            return None
        try:
            return self.scope.evaluate(hole.expression)
        except ExpressionError as error:
            self.failed.add(template)
            if not isinstance(error, Reported):
                template.fault(hole, error, self.report, f"for `{self.inside}{key}`")
            return None

    # -- what is wrong

    def _known(self, pattern: KeyPattern) -> bool:
        """Whether a pattern begins as a key does, or as a row that a condition leaves out."""
        start = pattern.start
        if any(key.startswith(start) for key in self.keys):
            return True
        rows = [row.key for row in self.root.rows]
        return self.spec.into is None and start.partition(".")[0] in rows

    def _unknown(self, start: str, span: Span, keys: list[str]) -> None:
        paths = dict.fromkeys(part for key in keys for part in _paths(key))
        help = did_you_mean(start.rstrip("."), paths, "`specc check-shapes` lists the rows")
        message = f"no key of this model begins with `{start}`"
        self.report.add("E0303", message, span, "unknown row", help=help)

    def _left_out(self, keys: list[str]) -> None:
        first = keys[0]
        more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
        message = f"`{self.spec.name}` says nothing of `{first}`{more}"
        help = f"add `{first.rpartition('.')[0]}.{{p}}: ...` to its `map`, or to `new`"
        note = "each of our tensors has one of theirs, or is `new`"
        self.report.add("E0702", message, self.spec.span, "left out", help=help, note=note)

    def _twice(self, theirs: str, key: str, template: KeyTemplate) -> None:
        """Report the second of two tensors that would be filled from one."""
        self.failed.add(template)
        first, source = self.map.table[theirs], self.sources[theirs]
        also = [Label(source.node.span, f"`{first}`")] if source is not template else []
        message = f"`{first}` and `{self.inside}{key}` would both be `{theirs}`"
        help = "give each tensor a key of its own"
        self.report.add("E0703", message, template.node.span, "the same key", help=help, also=also)

    def _convert(self) -> None:
        for pattern, phrase in self.spec.convert:
            fitting = [key for key in self.map.table if self._fits(pattern, key)]
            if not fitting and not self.report.errors:
                message = f"no key of `{self.spec.name}` fits `{pattern.node.text}`"
                help = f"`specc weights map` shows them, such as `{next(iter(self.map), '')}`"
                self.report.add("E0705", message, pattern.node.span, "fits nothing", help=help)
            made = read_component(phrase, "convert", self.scope, self.report)
            if made is not None:
                literal = {"kind": type(made).__name__} | settings(made)
                self.map.convert |= {key: literal for key in fitting if key not in self.map.convert}

    def _preprocess(self) -> dict[str, Any] | None:
        """Return the map's own, or else that of the spec, which has been checked."""
        phrase = self.spec.preprocess or self.scope.spec.preprocess
        if phrase is None:
            return None
        made = read_component(phrase, "preprocess", self.scope, self.report)
        return None if made is None else settings(made)


def _paths(key: str) -> list[str]:
    """Return a key and the paths of the parts that it is in."""
    parts = key.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
