"""Expand the rows of a module: calls, repeats, loops, conditions."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from specc.documents import Label
from specc.ir.apply_op import apply_op
from specc.ir.binding import in_order
from specc.ir.callees import argument_names, callee_text, input_names, resolve
from specc.ir.context import Context, Reported
from specc.ir.graph import Apply, Expectation, Instance, Node, Row
from specc.ir.initial import inherit_init, module_values, note_own_init, refuse_initial_values
from specc.ir.open_module import open_module
from specc.ir.sharing import check_shared
from specc.ir.tensors import UNKNOWN, Inner, Result, Tensor, inner_leaves, leaves, spread
from specc.schema.calls import shown
from specc.values.expression import Call, ExpressionError, Turn
from specc.values.expression import Mapping as Shapes
from specc.values.numbers import is_whole
from specc.values.traced import traced

if TYPE_CHECKING:
    from collections.abc import Callable

    from specc.ir.scope import Scope
    from specc.ir.spec import ModuleSpec, Phrase, RowSpec
    from specc.values.expression import Expression

__all__ = ["expand"]

MOST_REPEATS = 10_000
MOST_TENSORS = 10_000
DEEPEST_MODULES = 30


def expand(context: Context, scope: Scope) -> None:
    """Expand a module whose parameters and inputs are bound: `let`, rows, outputs."""
    _Expansion(context, scope).module()


class _Expansion:
    """The expansion of one module."""

    def __init__(self, context: Context, scope: Scope) -> None:
        self.context = context
        self.scope = scope
        self.instance = scope.instance

    def module(self) -> None:
        for name, phrase in self.instance.spec.let.items():
            self.name(name, self.value_of(phrase, UNKNOWN), Label(phrase.span))
        module_values(self.context, self.scope)
        inputs = list(self.instance.inputs.values())
        previous: Any = inputs[0] if len(inputs) == 1 else inputs
        for spec in self.instance.spec.rows:
            with self.context.expanding(self.instance.path_of(spec.key)):
                row = self.row(spec, previous)
                self.instance.rows.append(row)
                previous = row.value
                if spec.name is not None:
                    self.name(spec.name, row.value, Label(spec.name_span))
        self.outputs(previous)
        self.instance.pinned |= self.scope.evaluate.pinned

    def name(self, name: str, value: Any, place: Label) -> None:
        """Give a value its name; a second use of a name is a finding."""
        if name in self.instance.env:
            earlier = (row.spec.name_span for row in self.instance.rows if row.name == name)
            also = [Label(span, "first use") for span in earlier][:1]
            message, span = f"`{name}` is named twice", place.span
            help = "choose another name"
            self.context.add("E0302", message, span, "second use", help=help, also=also)
        self.instance.env[name] = value

    def value_of(self, phrase: Phrase, otherwise: Any) -> Any:
        try:
            return self.scope.evaluate(phrase.expression)
        except ExpressionError as error:
            self.context.fault(error, phrase)
            return otherwise

    def outputs(self, last: Any) -> None:
        declared = self.instance.spec.outputs
        if declared is not None:
            self.instance.outputs = [(name, self.output(phrase)) for name, phrase in declared]
            return
        values = spread(last) if self.instance.rows else []
        self.instance.outputs = [(f"out{i}" if i else "out", v) for i, v in enumerate(values)]

    def output(self, phrase: Phrase) -> Any:
        """Return a declared output; one that holds no tensors is a finding."""
        value = _listed(self.value_of(phrase, Tensor(None, "")))
        if _is_passed_on(value):
            return value
        message, help = f"an output is of tensors; this is {shown(value)}", "name a row"
        self.context.add("E0210", message, phrase.span, "no tensor", help=help)
        return Tensor(None, "")

    # -- rows

    def row(self, spec: RowSpec, previous: Any) -> Row:
        """Expand one row; after a finding, its value is a tensor of unknown shape."""
        row = Row(spec.key, spec.name, "one", spec, shared=spec.shared)
        try:
            row.value = self.expanded(row, previous)
            self.limit(row)
        except ExpressionError as error:
            self.context.fault(error, spec.call)
            row.value = self.failed(row, error.message)
        finally:
            self.scope.loops.clear()
        return row

    def expanded(self, row: Row, previous: Any) -> Any:
        spec = row.spec
        if spec.is_value:
            row.form = "value"
            value = _listed(self.scope.evaluate(spec.call.expression))
            if not _is_passed_on(value):
                message = f"a row lists tensors; this is {shown(value)}"
                at = spec.call.expression.at
                raise ExpressionError(message, at, "write it under `let`", "E0210")
            self.expect(row, value, self.instance.path_of(row.key))
            return value
        if spec.each:
            row.form = "each"
            return self.each(row, previous)
        if not self.is_wanted(spec):
            row.form = "absent"
            return self.first_input(spec, previous)
        if spec.repeat is not None:
            row.form = "repeat"
            return self.repeat(row, previous)
        call = cast("Call", spec.call.expression)
        return self.apply(row, self.instance.path_of(row.key), call, self.arriving(row, previous))

    def limit(self, row: Row) -> None:
        """Refuse a row whose lists of lists hold more tensors than any model has."""
        if sum(1 for _ in islice(inner_leaves(row.value), MOST_TENSORS + 1)) > MOST_TENSORS:
            message = f"this row gives more than {MOST_TENSORS:,} tensors"
            raise ExpressionError(message, (0, 0), "name fewer in it", "E0218")

    def failed(self, row: Row, message: str) -> Tensor:
        """Put a row that failed into the graph, so that a drawing can show it."""
        path = self.instance.path_of(row.key)
        graph = self.context.graph
        graph.failed.setdefault(path, message)
        if path not in graph:
            kind = callee_text(row.spec.call.expression)
            graph.add(Node(path, None, kind, row.name, (), None, path, row.spec.span))
        return Tensor(None, path)

    def is_wanted(self, spec: RowSpec) -> bool:
        """Whether a row's condition, if it has one, is true."""
        if spec.condition is None:
            return True
        return self.decided(spec.condition, self.scope.evaluate.truth)

    def decided(self, phrase: Phrase, evaluate: Callable[[Expression], Any]) -> Any:
        """Evaluate what decides the structure, at its own place in the file."""
        try:
            return evaluate(phrase.expression)
        except ExpressionError as error:
            self.context.fault(error, phrase)
            raise Reported from None

    def first_input(self, spec: RowSpec, previous: Any) -> Any:
        return self.scope.evaluate(spec.inputs[0]) if spec.inputs else previous

    def arriving(self, row: Row, previous: Any) -> list[Any]:
        """Return the values that a row takes: those it names, or those of the row before."""
        spec = row.spec
        if spec.inputs is None:
            is_first = not self.instance.rows and isinstance(previous, list)
            values: list[Any] = cast("list[Any]", previous) if is_first else [previous]
        else:
            values = [self.taken(value) for value in spec.inputs]
        given = [part for value in values for part in spread(value)]
        return [*given, *self.named_inputs(spec, len(given))] if spec.keywords else given

    def taken(self, expression: Expression) -> Any:
        """Return a value that a row names as its input."""
        value = self.scope.evaluate(expression)
        if _is_passed_on(value):
            return value
        help = "write the name of a row or input"
        if isinstance(value, int):
            help = f"give row {value} a name, `- name: ...`, and write that name here"
        message = f"a row takes what has a name; this is {shown(value)}"
        raise ExpressionError(message, expression.at, help, "E0305")

    def named_inputs(self, spec: RowSpec, given: int) -> list[Any]:
        """Return the inputs that are given by name (`like=y`), in the order of what is called."""
        call = cast("Call", spec.call.expression)
        names = input_names(resolve(self.context, self.scope, call.function))
        named = {name: (self.taken(value), at) for name, value, at in spec.keywords}
        if len(named) < len(spec.keywords):
            at = spec.keywords[-1][2]
            raise ExpressionError("an input is given twice", at, "leave one out", "E0209")
        return [part for value in in_order(names, given, named) for part in spread(value)]

    # -- repeats and loops

    def repeat(self, row: Row, previous: Any) -> Any:
        """Apply a row several times in series."""
        spec = row.spec
        phrase = cast("Phrase", spec.repeat)
        count = self.decided(phrase, self.scope.evaluate.decide)
        if not is_whole(count) or not 1 <= count <= MOST_REPEATS:
            shown = f"{count:,}" if isinstance(count, int) else count
            message = f"`repeat` is a whole number from 1 to {MOST_REPEATS:,}; this is {shown}"
            is_large = isinstance(count, int) and count > MOST_REPEATS
            help = "repeat less" if is_large else "`repeat: 1` is the least; `if` leaves a row out"
            self.context.add("E0218", message, phrase.span, "not possible", help=help)
            raise Reported
        call = cast("Call", spec.call.expression)
        values = self.arriving(row, previous)
        if spec.turn in self.instance.env:
            message, help = f"`{spec.turn}` is named twice", "choose another name for the turn"
            place = spec.turn_span or phrase.span
            self.context.add("E0302", message, place, "second use", help=help)
            raise Reported
        value: Any = None
        for index in range(int(count)):
            if spec.turn is not None:
                self.scope.loops[spec.turn] = traced(index, Turn(spec.turn))
            path = self.instance.path_of(f"{row.key}.{index}")
            value = self.apply(row, path, call if index else self.first_round(spec, call), values)
            values = spread(value)
        return value

    def first_round(self, spec: RowSpec, call: Call) -> Call:
        """Return the call of the first round: what `first` gives takes the place of its argument."""
        names = argument_names(resolve(self.context, self.scope, call.function))
        behind = {setting.name: setting.placed_in(spec.call) for setting in spec.first}
        positional = tuple(
            behind.pop(name)[1] if name in behind else value
            for name, value in zip_longest(names[: len(call.arguments)], call.arguments)
        )
        kept = tuple(keyword for keyword in call.keywords if keyword[0] not in behind)
        return replace(call, arguments=positional, keywords=kept + tuple(behind.values()))

    def each(self, row: Row, previous: Any) -> list[Any]:
        """Apply a row to the items of lists that walk together."""
        spec = row.spec
        lists = self.walked(spec)
        if not any(lists.values()):
            message, span = f"`{spec.name or row.key}` walks over an empty list", spec.each[0].span
            self.context.add(
                "W0605", message, span, "no turns", help="give it an item, or take the row out"
            )
        results: list[Any] = []
        loops = self.scope.loops
        loops[spec.name or row.key] = results
        for index in range(min(map(len, lists.values()), default=0)):
            loops.update({name: items[index] for name, items in lists.items()})
            results.append(self.turn(row, index, previous))
        return results

    def turn(self, row: Row, index: int, previous: Any) -> Any:
        spec = row.spec
        if not self.is_wanted(spec):
            return self.first_input(spec, previous)
        path = self.instance.path_of(row.key if spec.shared else f"{row.key}.{index}")
        call = cast("Call", spec.call.expression)
        value = self.apply(row, path, call, self.arriving(row, previous))
        if spec.shared:
            check_shared(self.context, row)
        return value

    def walked(self, spec: RowSpec) -> dict[str, list[Any]]:
        """Return the lists of a loop, which are equally long."""
        lists = {setting.name: self.items(setting.phrase) for setting in spec.each}
        if len({len(items) for items in lists.values()}) > 1:
            counts = ", ".join(f"`{name}` has {len(items)}" for name, items in lists.items())
            message = f"lists that walk together differ in length: {counts}"
            span = spec.each[-1].phrase.span
            help = "give each list one item for each turn"
            self.context.add("E0307", message, span, "another length", help=help)
            raise Reported
        return lists

    def items(self, phrase: Phrase) -> list[Any]:
        try:
            value = self.scope.evaluate(phrase.expression)
        except ExpressionError as error:
            self.context.fault(error, phrase)
            raise Reported from None
        if isinstance(value, (list, tuple)):
            return list(cast("list[Any]", value))
        if isinstance(value, (Result, Inner)):
            return spread(value)
        if not isinstance(value, Tensor) or value.shape is not None:
            message, help = "`for` walks over a list", "write a list: `[a, b]`"
            self.context.add("E0210", message, phrase.span, "not a list", help=help)
        raise Reported

    # -- calls

    def apply(self, row: Row, path: str, call: Call, values: list[Any]) -> Any:
        """Apply a row's call once and return its value."""
        self.context.spend(row.spec.span)
        target = resolve(self.context, self.scope, call.function)
        use = self.context.next_use(path)
        if isinstance(target, type):
            value: Any = apply_op(self.context, self.scope, row, target, call, use, values)
        else:
            value = self.apply_module(row, target, call, use, values)
        self.expect(row, value, use)
        return value

    def apply_module(
        self, row: Row, module: ModuleSpec, call: Call, path: str, values: list[Any]
    ) -> Result:
        open_modules = self.context.modules
        if module in open_modules:
            inside = open_modules[open_modules.index(module) :]
            chain = " -> ".join(map(_title, [*inside, module]))
            message, help = f"`{_title(module)}` is inside itself: {chain}", "take this call out"
            raise ExpressionError(message, call.function.at, help, "E0308")
        if len(open_modules) >= DEEPEST_MODULES:
            message = f"modules are nested more than {DEEPEST_MODULES} deep"
            raise ExpressionError(message, call.function.at, "nest fewer", "E0218")
        refuse_initial_values(self.context, row.spec, module)
        opened = open_module(self.scope, module, call, path, values)
        inherit_init(self.scope, opened.scope)
        with self.context.calling(module, row.spec.call.at(call.at)):
            expand(self.context, opened.scope)
        note_own_init(self.scope, opened.scope)
        inner: Instance = opened.scope.instance
        result = Result(inner, opened.replacements, {})
        row.applies.append(Apply(path, inner, opened.arguments, tuple(values), result))
        return result

    def expect(self, row: Row, value: Any, path: str) -> None:
        """Note what a row should give; it is judged once the graph is whole.

        Expectations hold for the sizes that their own file declares: not where the file is used
        by another, and not at another input size.
        """
        phrase, graph = row.spec.expect, self.context.graph
        if phrase is None or self.scope.spec is not graph.spec or graph.is_resized:
            return
        try:
            for expression, part in _expected_parts(phrase, value):
                for tensor in leaves(part):
                    if tensor.shape is not None:
                        expected = self.scope.expected(expression, tensor.shape)
                        found = Expectation(path, tensor.origin, expected, tensor.shape, phrase)
                        graph.expectations.append(found)
        except ExpressionError as error:
            self.context.fault(error, phrase)


def _title(module: ModuleSpec) -> str:
    """Return a module's name; of one that is the whole of a file, the file's."""
    return Path(module.spec.path).name if module.is_root else module.name


def _listed(value: Any) -> Any:
    """Return a tuple as a list, which is what tensors are passed on in."""
    return list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value


def _is_passed_on(value: Any) -> bool:
    """Whether a value is of tensors, or of what modules give."""
    if isinstance(value, list):
        return all(map(_is_passed_on, cast("list[Any]", value)))
    return isinstance(value, (Tensor, Result, Inner))


def _expected_parts(phrase: Phrase, value: Any) -> list[tuple[Expression, Any]]:
    """Pair what is expected with what it is expected of: the value, or its named outputs."""
    expression = phrase.expression
    if not isinstance(expression, Shapes):
        return [(expression, value)]
    return [(part, value.tap(name, expression.at)) for name, part in expression.items]
