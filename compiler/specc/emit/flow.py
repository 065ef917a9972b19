"""The order of work inside `forward`: names for values, one step a row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from specc.emit.layout import Comprehension, Unpacked
from specc.ir.graph import Apply, Instance, Row
from specc.ir.tensors import Result, Tensor, leaves, spread
from specc.ops import Op
from specc.values.dimensions import shape_text
from specc.values.expression import Attribute, Call, Expression, Index, Literal, Name, Series, Slice, Star

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Flow", "Stage", "Step"]

BODY = 8


@dataclass(slots=True)
class Step:
    """A statement: prefixes, expressions and indents of its parts, and a remark."""

    parts: list[tuple[str, Expression | None, int]]
    comment: str = ""
    suffix: str = ""


@dataclass(slots=True)
class Stage:
    """A part of the root's work that a caller may run alone."""

    name: str
    doc: str
    inputs: list[tuple[str, str]]
    steps: list[Step] = field(default_factory=list[Step])
    returns: str = "Tensor"


ApplyText = "Callable[[Apply, Expression, tuple[Expression, ...]], Expression]"


class Flow:
    """Names the values of one instance and writes its rows as steps."""

    def __init__(
        self,
        instance: Instance,
        apply_text: Callable[[Apply, Expression, tuple[Expression, ...]], Expression],
        is_root: bool,
    ) -> None:
        self.instance = instance
        self.apply_text = apply_text
        self.is_root = is_root
        self.names: dict[int, Expression] = {}
        self.taken = {row.key for row in instance.rows} | set(instance.inputs)
        self.returned = [value for _, value in instance.outputs] if is_root else instance.exports
        self.uses = self._count_uses()
        for name, value in instance.inputs.items():
            self._name_value(value, Name(name))
        self.flowing = self._flowing_name()

    # -- what is used where

    def _count_uses(self) -> dict[int, list[int]]:
        """Map each value to the rows that read it; what is returned is read behind the last."""
        uses: dict[int, list[int]] = {}
        for index, row in enumerate(self.instance.rows):
            values = [value for apply in row.applies for value in apply.inputs]
            values += row.value if row.form == "value" and isinstance(row.value, list) else []
            for value in values:
                for part in self._parts(value):
                    uses.setdefault(id(part), []).append(index)
        for value in self.returned:
            for part in self._parts(value):
                uses.setdefault(id(part), []).append(len(self.instance.rows))
        return uses

    def _parts(self, value: Any) -> Iterable[Any]:
        """Yield a value and the values it is made of."""
        yield value
        if isinstance(value, list):
            for item in cast("list[Any]", value):
                yield from self._parts(item)
        elif isinstance(value, Result):
            for item in value.values():
                yield from self._parts(item)

    def _flowing_name(self) -> str:
        """Return the name for values that only the next row reads."""
        is_free = all(not (set(self.uses.get(id(v), [])) - {0}) for v in self.instance.inputs.values())
        names = ("x", "y", "z", "out") if is_free or "x" not in self.instance.inputs else ("y", "z", "out")
        return next(n for n in names if n not in {row.key for row in self.instance.rows})

    def is_plain_sequence(self) -> bool:
        """Whether each row reads the row before it, and only the last one is seen outside."""
        rows = self.instance.rows
        inputs = list(self.instance.inputs.values())
        if len(inputs) != 1 or not rows or not self._returns_last():
            return False
        previous: Any = inputs[0]
        for row in rows:
            if row.form != "one" or len(row.applies) != 1:
                return False
            target = row.applies[0].target
            if isinstance(target, Op) and target.constructor() is None:
                return False
            if not self._same(row.applies[0].inputs, previous):
                return False
            if self.uses.get(id(row.value), []) and row is not rows[-1] and len(self._all_uses(row)) != 1:
                return False
            previous = row.value
        return True

    def _all_uses(self, row: Row) -> set[int]:
        found: set[int] = set()
        for part in self._parts(row.value):
            found |= set(self.uses.get(id(part), []))
        return found

    @staticmethod
    def _same(inputs: tuple[Any, ...], previous: Any) -> bool:
        return [id(t) for v in inputs for t in spread(v)] == [id(t) for t in spread(previous)]

    def _returns_last(self) -> bool:
        last = spread(self.instance.rows[-1].value)
        returned = [part for value in self.returned for part in spread(value)]
        return [id(part) for part in returned] == [id(part) for part in last]

    # -- names

    def _name_value(self, value: Any, name: Expression) -> None:
        self.names[id(value)] = name
        if isinstance(value, list):
            for index, item in enumerate(cast("list[Any]", value)):
                self.names.setdefault(id(item), Index(name, Literal(index)))

    def refer(self, value: Any) -> Expression:
        """Return the expression that means a value here."""
        known = self.names.get(id(value))
        if known is not None:
            return known
        if isinstance(value, list):
            return Series(tuple(self.refer(item) for item in cast("list[Any]", value)))
        parts = spread(value)
        if len(parts) == 1 and parts[0] is not value:
            return self.refer(parts[0])
        if len(parts) > 1:
            return Series(tuple(map(self.refer, parts)))
        message = f"a value of `{self.instance.path}` has no name"
        raise LookupError(message)

    def row_name(self, row: Row, index: int) -> str:
        """Return the variable for a row: the flowing name if only the next row reads it."""
        if all(use == index + 1 for use in self._all_uses(row)) and not self._is_named_last(row, index):
            return self.flowing
        return row.name or (f"row{row.key}" if self.instance.spec.is_list else row.key)

    def _is_named_last(self, row: Row, index: int) -> bool:
        return index == len(self.instance.rows) - 1 and len(self.returned) > 1

    # -- steps

    def whole(self) -> tuple[list[Step], str]:
        """Write all rows and the return."""
        if self.instance.spec.is_list and self._is_chain():
            return self._slices()
        steps = self._rows(range(len(self.instance.rows)))
        steps += self._return()
        return steps, self._return_kind()

    def stages(self, declared: list[tuple[str, str, Any]]) -> list[Stage]:
        """Write the root's rows as methods, one for each stage of the spec."""
        inputs = [(n, _kind(value)) for n, value in self.instance.inputs.items()]
        keys = [row.key for row in self.instance.rows]
        ends = [(name, keys.index(last)) for name, last, _ in declared if last in keys]
        if not ends or ends[-1][1] != len(keys) - 1:
            ends = [("forward", len(keys) - 1)]
        stages: list[Stage] = []
        start = 0
        for name, end in ends:
            stage = Stage(name, "", inputs)
            stage.steps = self._rows(range(start, end + 1))
            last = self.instance.rows[end]
            if end == len(keys) - 1:
                stage.steps += self._return()
                stage.returns = self._return_kind()
            else:
                self._end_stage(stage, last)
                inputs = [(last.key, _kind(last.value))]
                self._name_value(last.value, Name(last.key))
            stages.append(stage)
            start = end + 1
        return stages

    def _end_stage(self, stage: Stage, last: Row) -> None:
        returned = self.refer(last.value)
        if last.form == "value":
            returned = Series(tuple(map(self.refer, cast("list[Any]", last.value))))
            stage.steps.pop()
        stage.steps.append(Step([("return ", returned, BODY)]))
        stage.returns = _kind(last.value)

    def _rows(self, indices: Iterable[int]) -> list[Step]:
        steps: list[Step] = []
        for index in indices:
            row = self.instance.rows[index]
            if row.form == "absent":
                continue
            if row.form == "value":
                steps += self._value(row)
            elif row.form == "each":
                steps += self._each(row, index)
            else:
                steps += self._one(row, index)
        return steps

    def _value(self, row: Row) -> list[Step]:
        if not isinstance(row.value, list):
            return []
        items = Series(tuple(map(self.refer, cast("list[Any]", row.value))))
        name = row.name or row.key
        step = Step([(f"{name} = ", items, BODY)])
        self.names[id(row.value)] = Name(name)
        return [step]

    def _layer(self, row: Row) -> Expression:
        if self.instance.spec.is_list:
            return Index(Name("self"), Literal(int(row.key)))
        return Attribute(Name("self"), row.key)

    def _one(self, row: Row, index: int) -> list[Step]:
        first = row.applies[0]
        inputs = self.inputs_of(first)
        expression = self.apply_text(first, self._layer(row), inputs)
        targets = self._targets(row, index)
        step = Step([(f"{', '.join(targets)} = ", expression, BODY)], _shapes(row.value))
        return [step]

    def inputs_of(self, apply: Apply) -> tuple[Expression, ...]:
        """Return a row's inputs: a module takes a list as it is, an op its items."""
        parts = [part for value in apply.inputs for part in spread(value)]
        target = apply.target
        if not isinstance(target, Op):
            return tuple(map(self.refer, parts))
        written: list[Expression] = []
        for part in parts:
            if not isinstance(part, list):
                written.append(self.refer(part))
            elif target.takes_list:
                written.append(Star(self.refer(part)))
            else:
                written += map(self.refer, cast("list[Any]", part))
        return tuple(written)

    def _targets(self, row: Row, index: int) -> list[str]:
        """Name what a row gives: one variable, or one for each value that a module returns."""
        target = row.applies[-1].target
        if not isinstance(target, Instance) or len(target.exports) < 2:
            name = self.row_name(row, index)
            self._name_value(row.value, Name(name))
            if isinstance(target, Instance):
                for outer in row.value.outside.values():
                    self._name_value(outer, Name(name))
            return [name]
        named = [(inner, row.value.outside[id(inner)]) for inner in target.exports]
        targets: list[str] = []
        for inner, outer in named:
            name = _export_name(target, inner)
            if name in self.taken and name != row.key:
                name = f"{row.key}_{name}"
            self.taken.add(name)
            self._name_value(outer, Name(name))
            targets.append(name)
        return targets

    def _each(self, row: Row, index: int) -> list[Step]:
        """Write rows side by side as a comprehension over the lists they walk."""
        name = row.name or row.key
        if not row.applies or not isinstance(row.value, list):
            return []
        lists, variables = self._walked(row)
        first = row.applies[0]
        is_inline = isinstance(first.target, Op) and first.target.constructor() is None
        if lists is None or len(row.applies) != len(cast("list[Any]", row.value)):
            return self._unrolled(row, name, is_inline)
        layer: Expression = self._layer(row)
        iterables = list(lists)
        targets = list(variables)
        if not is_inline and not row.shared:
            targets.insert(0, "layer")
            iterables.insert(0, layer)
            layer = Name("layer")
        element = self.apply_text(first, layer, tuple(Name(v) for v in variables))
        if len(iterables) > 1:
            iterable: Expression = Call(
                Name("zip"), tuple(iterables), (("strict", Literal(value=True), (0, 0)),)
            )
        else:
            iterable = iterables[0]
        expression = Comprehension(element, ", ".join(targets), iterable)
        self._name_value(row.value, Name(name))
        del index
        return [Step([(f"{name} = ", expression, BODY)])]

    def _unrolled(self, row: Row, name: str, is_inline: bool) -> list[Step]:
        """Write each turn for itself, where turns build on one another."""
        steps: list[Step] = []
        count = 0
        for turn, value in enumerate(cast("list[Any]", row.value)):
            apply = next((a for a in row.applies if a.value is value), None)
            if apply is None:
                continue
            inputs = self.inputs_of(apply)
            layer = self._layer(row)
            if not row.shared and not is_inline:
                layer = Index(layer, Literal(count))
            count += 1
            variable = f"{name}{turn}"
            step = Step([(f"{variable} = ", self.apply_text(apply, layer, inputs), BODY)], _shapes(value))
            for part in [value, *spread(value)]:
                self.names[id(part)] = Name(variable)
            steps.append(step)
        return steps

    def _walked(self, row: Row) -> tuple[list[Expression] | None, list[str]]:
        """Find the lists whose items the turns take in order, and names for the items."""
        columns = list(zip(*(apply.inputs for apply in row.applies), strict=False))
        loop_names = [name for name, _ in row.spec.each]
        lists: list[Expression] = []
        variables: list[str] = []
        results = {id(item) for item in cast("list[Any]", row.value)}
        for place, column in enumerate(columns):
            if any(id(value) in results for value in column):
                return None, []
            lists.append(self._list_of(list(column)))
            variables.append(loop_names[place] if place < len(loop_names) else f"x{place}")
        return lists, variables

    def _list_of(self, values: list[Any]) -> Expression:
        """Return a list's name if its items are just these, or the items."""
        texts = [self.refer(value) for value in values]
        bases = {item.value for item in texts if isinstance(item, Index)}
        if len(bases) == 1 and len(texts) == len(values):
            base = next(iter(bases))
            if texts == [Index(base, Literal(i)) for i in range(len(values))]:
                return base
        return Series(tuple(texts))

    # -- lists with taps

    def _is_chain(self) -> bool:
        """Whether the rows of a list run one after another, so that slices of it can run."""
        previous: Any = next(iter(self.instance.inputs.values()))
        for row in self.instance.rows:
            if row.form != "one" or not self._same(row.applies[0].inputs, previous):
                return False
            target = row.applies[0].target
            if isinstance(target, Op) and target.constructor() is None:
                return False
            if isinstance(target, Instance) and len(target.exports) > 1:
                return False
            previous = row.value
        return True

    def _slices(self) -> tuple[list[Step], str]:
        """Run a list in slices that end where a value is tapped."""
        rows = self.instance.rows
        source = next(iter(self.instance.inputs))
        steps = [Step([("rows = list(self)", None, BODY)])]
        if source != self.flowing:
            steps.append(Step([(f"{self.flowing} = {source}", None, BODY)]))
        tapped = {id(part) for value in self.returned for part in spread(value)}
        start = 0
        for index, row in enumerate(rows):
            values = spread(row.value)
            if not any(id(value) in tapped for value in values):
                continue
            sliced: Expression = Name("rows")
            end = index + 1 if index + 1 < len(rows) else None
            if start or end:
                bounds = Slice(Literal(start) if start else None, Literal(end) if end else None)
                sliced = Index(Name("rows"), bounds)
            steps.append(_loop(sliced, self.flowing))
            start = index + 1
            name = row.name or f"row{row.key}"
            if end is None:
                name = self.flowing
            else:
                steps.append(Step([(f"{name} = {self.flowing}", None, BODY)], _shapes(row.value)))
            for value in [row.value, *values]:
                self.names[id(value)] = Name(name)
        return [*steps, *self._return()], self._return_kind()

    # -- return

    def _return(self) -> list[Step]:
        values = [self.refer(value) for value in self.returned]
        if self.is_root and len(values) > 1:
            return [Step([("return ", Call(Name("Outputs"), tuple(values)), BODY)])]
        if len(values) == 1:
            last = self.instance.rows[-1]
            is_last = self.returned[0] is last.value or spread(self.returned[0]) == spread(last.value)
            comment = "" if is_last else _shapes(self.returned[0])
            return [Step([("return ", values[0], BODY)], comment)]
        return [Step([("return ", Unpacked(tuple(values)), BODY)])]

    def _return_kind(self) -> str:
        kinds = [_kind(value) for value in self.returned]
        if self.is_root and len(kinds) > 1:
            return "Outputs"
        return kinds[0] if len(kinds) == 1 else f"tuple[{', '.join(kinds)}]"


def _loop(sliced: Expression, variable: str) -> Step:
    from specc.emit.layout import text

    head = f"for row in {text(sliced)}:"
    return Step([(head, None, BODY), (f"{variable} = row({variable})", None, BODY + 4)])


def _export_name(instance: Instance, inner: Any) -> str:
    """Return the name that an exported value has inside its module."""
    for row in instance.rows:
        if row.name is not None and any(part is inner for part in [row.value, *spread(row.value)]):
            named = row.name
            break
    else:
        named = None
    for name, value in instance.outputs:
        if value is inner and not name.startswith("out"):
            return name
    return named or "out"


def _kind(value: Any) -> str:
    if isinstance(value, list) or (isinstance(value, Result) and len(value.values()) > 1):
        return "list[Tensor]"
    return "Tensor"


def _shapes(value: Any) -> str:
    """Write the shapes of a value as a remark."""
    if isinstance(value, Result):
        exported = [value.outside[id(inner)] for inner in value.instance.exports]
        tensors = [tensor for item in exported for tensor in leaves(item)]
    else:
        tensors = list(leaves(value))
    shapes = [shape_text(tensor.shape) for tensor in tensors if tensor.shape is not None]
    return ", ".join(shapes)
