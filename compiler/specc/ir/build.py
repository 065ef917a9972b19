"""Spec -> Graph: resolve names, expand modules, repeats and loops, infer shapes on the way.

Names, structure and shapes are worked out together, row by row, because they depend on each
other: whether a block projects its shortcut depends on the channels that arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from specc.documents import Label, suggest
from specc.ir.binding import Bound, bind
from specc.ir.graph import Apply, Expectation, Graph, Instance, Node, Row
from specc.ir.scope import Scope
from specc.ir.tensors import INFER, Callee, Result, Tensor, leaves, spread
from specc.ops import OPS, Op, ShapeError
from specc.schema.calls import check_call
from specc.values.dimensions import Shape, Size, shape_text
from specc.values.expression import Attribute, Call, ExpressionError, Name
from specc.values.expression import Mapping as Shapes
from specc.values.traced import plain, traced

if TYPE_CHECKING:
    from specc.documents import Report, Span
    from specc.ir.spec import ModuleSpec, ParamSpec, Phrase, RowSpec, Spec
    from specc.values.expression import At, Expression

__all__ = ["MOST_ROWS", "build"]

MOST_ROWS = 100_000
MOST_REPEATS = 10_000
DEEPEST_MODULES = 30

Load = Callable[[str, "Span", "Spec"], "Spec | None"]


class _Stop(Exception):
    """The row budget is used up."""


def build(
    spec: Spec,
    report: Report,
    load: Load,
    *,
    params: dict[str, object],
    sizes: dict[str, int] | None = None,
    resize: tuple[int, int] | None = None,
) -> Graph:
    """Expand a spec.

    Args:
        spec: what was read.
        report: takes what is found.
        load: finds the specs under `use`.
        params: values of the root's parameters, over their defaults.
        sizes: values of symbolic sizes of the inputs.
        resize: height and width of the first input, in place of those written.
    """
    builder = _Builder(spec, report, load)
    return builder.model(params, sizes or {}, resize)


class _Builder:
    def __init__(self, spec: Spec, report: Report, load: Load) -> None:
        self.report = report
        self.load = load
        self.graph = Graph(spec, Instance("", spec.root, {}))
        self.calls: list[Span] = []
        self.stack: list[ModuleSpec] = []
        self.reported: set[tuple[str, int, int, str]] = set()
        self.applied: dict[str, int] = {}

    # -- findings

    def add(self, code: str, message: str, span: Span, label: str = "", **more: Any) -> None:
        """Report once, with the calls that led here."""
        key = (code, span.start, span.end, message)
        if key in self.reported:
            return
        self.reported.add(key)
        also = [*more.pop("also", ()), *(Label(call, "in this call") for call in reversed(self.calls))]
        self.report.add(code, message, span, label, also=also[:4], **more)

    def fault(self, error: ExpressionError, phrase: Phrase) -> None:
        """Report an expression that cannot be evaluated."""
        if isinstance(error, _Reported):
            return
        labels = {"E0301": "unknown name", "E0303": "not there", "E0206": "unknown argument"}
        label = labels.get(error.code, "here")
        self.add(error.code, error.message, phrase.at(error.at), label, help=error.help)

    # -- the model

    def model(
        self, params: dict[str, object], sizes: dict[str, int], resize: tuple[int, int] | None
    ) -> Graph:
        spec = self.graph.spec.root
        self.graph.is_resized = bool(sizes) or resize is not None
        instance = self.graph.root
        scope = Scope(instance)
        for name, param in spec.params.items():
            value = params.get(name, param.default)
            if param.required and name not in params:
                self.add("E0207", f"parameter `{name}` has no value", param.span, "required", help=f"give it a default, or build with `--set {name}=...`")
            instance.params[name] = self.open(scope.spec, name, value)
        instance.env.update(instance.params)
        self.lets(scope)
        self.inputs(scope, sizes, resize)
        try:
            self.fill(scope)
        except _Stop:
            pass
        return self.graph

    def open(self, spec: Spec, name: str, value: object) -> object:
        """Make a parameter's number an argument of the emitted class; keep all else as it is."""
        if isinstance(value, str) and (value in OPS or value in spec.modules):
            return Callee(value)
        if isinstance(value, list):
            return _closed(cast("list[object]", value))
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return traced(value, Name(name))
        return value

    def inputs(self, scope: Scope, sizes: dict[str, int], resize: tuple[int, int] | None) -> None:
        """Bring the model's inputs into the graph."""
        for declared in scope.instance.spec.inputs:
            shape: Shape | None = None
            if declared.shape is not None:
                shape = self.shape_of(scope, declared.shape, sizes)
            if shape is not None and resize is not None and len(shape) == 4:
                shape, resize = (*shape[:2], *resize), None
            tensor = Tensor(shape, declared.name)
            self.graph.add(
                Node(declared.name, None, "input", declared.name, (), shape, "", declared.span)
            )
            scope.instance.inputs[declared.name] = scope.instance.env[declared.name] = tensor

    def shape_of(self, scope: Scope, phrase: Phrase, sizes: dict[str, int]) -> Shape | None:
        """Evaluate a declared shape; a name without a value is a symbolic size."""

        def side(expression: Expression) -> int | Size:
            if isinstance(expression, Name) and expression.id not in scope.instance.env:
                known = sizes.get(expression.id)
                return Size(expression.id) if known is None else known
            value = scope.evaluate.pin(scope.evaluate(expression))
            if not isinstance(value, int) or value < 1:
                message = f"a size is a positive whole number; this is {value}"
                raise ExpressionError(message, expression.at, code="E0211")
            return cast("int", plain(value))

        try:
            return tuple(side(item) for item in cast("Any", phrase.expression).items)
        except ExpressionError as error:
            self.fault(error, phrase)
            return None

    # -- modules

    def lets(self, scope: Scope) -> None:
        """Evaluate the constants of a module."""
        instance = scope.instance
        for name, phrase in instance.spec.let.items():
            if name in instance.env:
                self.add("E0302", f"`{name}` is named twice", phrase.span, "second use")
                continue
            try:
                instance.env[name] = scope.evaluate(phrase.expression)
            except ExpressionError as error:
                self.fault(error, phrase)
                instance.env[name] = None

    def fill(self, scope: Scope) -> None:
        """Expand the rows of a module, then its outputs."""
        instance = scope.instance
        previous: Any = list(instance.inputs.values())
        previous = previous[0] if len(previous) == 1 else previous
        for spec in instance.spec.rows:
            row = self.row(scope, spec, previous)
            instance.rows.append(row)
            previous = row.value
            if spec.name is None:
                continue
            if spec.name in instance.env:
                first = next((r.spec.name_span for r in instance.rows[:-1] if r.name == spec.name), None)
                also = [Label(first, "first use")] if first else []
                self.add("E0302", f"`{spec.name}` is named twice", spec.name_span, "second use", also=also, help="choose another name")
            instance.env[spec.name] = row.value
        self.outputs(scope, previous)
        instance.pinned |= scope.evaluate.pinned

    def outputs(self, scope: Scope, last: Any) -> None:
        instance = scope.instance
        declared = instance.spec.outputs
        if declared is None:
            values = spread(last) if instance.rows else []
            instance.outputs = [(f"out{i}" if i else "out", v) for i, v in enumerate(values)]
            return
        for name, phrase in declared:
            try:
                instance.outputs.append((name, scope.evaluate(phrase.expression)))
            except ExpressionError as error:
                self.fault(error, phrase)
                instance.outputs.append((name, Tensor(None, "")))

    # -- rows

    def row(self, scope: Scope, spec: RowSpec, previous: Any) -> Row:
        """Expand one row; on a finding, its value is a tensor of unknown shape."""
        row = Row(spec.key, spec.name, "one", spec, shared=spec.shared)
        try:
            self.expand(scope, row, previous)
        except ExpressionError as error:
            self.fault(error, spec.call)
            self.fail(scope, row, error.message)
        return row

    def fail(self, scope: Scope, row: Row, message: str) -> None:
        path = scope.path(row.key)
        self.graph.failed.setdefault(path, message)
        row.value = self.unknown(path, row)

    def unknown(self, path: str, row: Row, inputs: tuple[str, ...] = ()) -> Tensor:
        """Put a row that failed into the graph, so that the drawing can show it."""
        if path not in self.graph:
            kind = _callee_text(row.spec.call.expression)
            node = Node(path, None, kind, row.name, inputs, None, path, row.spec.span)
            self.graph.add(node)
        return Tensor(None, path)

    def expand(self, scope: Scope, row: Row, previous: Any) -> None:
        spec = row.spec
        if spec.is_value:
            row.form = "value"
            row.value = scope.evaluate(spec.call.expression)
            return
        if spec.each:
            self.each(scope, row, previous)
        elif spec.condition and not self.decide(scope, spec.condition):
            row.form = "absent"
            row.value = self.first_input(scope, spec, previous)
        elif spec.repeat:
            self.repeat(scope, row, previous)
        else:
            row.value = self.apply(scope, row, scope.path(row.key), previous)

    def decide(self, scope: Scope, phrase: Phrase) -> Any:
        """Evaluate what decides the structure."""
        try:
            return scope.evaluate.pin(scope.evaluate(phrase.expression))
        except ExpressionError as error:
            self.fault(error, phrase)
            raise _Reported from None

    def first_input(self, scope: Scope, spec: RowSpec, previous: Any) -> Any:
        if not spec.inputs:
            return previous
        return scope.evaluate(spec.inputs[0])

    def repeat(self, scope: Scope, row: Row, previous: Any) -> None:
        """Apply a row several times in series."""
        spec = row.spec
        count = self.decide(scope, cast("Phrase", spec.repeat))
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_REPEATS:
            phrase = cast("Phrase", spec.repeat)
            shown = f"{count:,}" if isinstance(count, int) else count
            message = f"`repeat` is a whole number from 1 to {MOST_REPEATS:,}; this is {shown}"
            self.add("E0218", message, phrase.span, "not possible")
            raise _Reported
        row.form = "repeat"
        value = previous
        for index in range(int(count)):
            call = self.round(spec) if index == 0 else cast("Call", spec.call.expression)
            inputs = spec.inputs if index == 0 else None
            path = scope.path(f"{row.key}.{index}")
            value = self.apply(scope, row, path, value, call=call, inputs=inputs)
        row.value = value

    def round(self, spec: RowSpec) -> Call:
        """Return the call of the first round, with the arguments under `first` in place."""
        call = cast("Call", spec.call.expression)
        changed = {name for name, _ in spec.first}
        kept = tuple(keyword for keyword in call.keywords if keyword[0] not in changed)
        extra = tuple((name, phrase.expression, call.at) for name, phrase in spec.first)
        return replace(call, keywords=kept + extra)

    def each(self, scope: Scope, row: Row, previous: Any) -> None:
        """Apply a row to the items of lists that walk together."""
        spec = row.spec
        row.form = "each"
        lists = {name: self.items(scope, phrase) for name, phrase in spec.each}
        lengths = {name: len(items) for name, items in lists.items()}
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"`{name}` has {count}" for name, count in lengths.items())
            message = f"lists that walk together differ in length: {counts}"
            phrase = spec.each[-1][1]
            self.add("E0307", message, phrase.span, "another length", help="give one item for each")
            raise _Reported
        results: list[Any] = []
        if spec.name is not None:
            scope.loops[spec.name] = results
        for index in range(next(iter(lengths.values()), 0)):
            scope.loops.update({name: items[index] for name, items in lists.items()})
            self.turn(scope, row, index, results, previous)
        for name in (*lists, spec.name):
            scope.loops.pop(name or "", None)
        row.value = results

    def turn(self, scope: Scope, row: Row, index: int, results: list[Any], previous: Any) -> None:
        spec = row.spec
        if spec.condition and not self.decide(scope, spec.condition):
            results.append(self.first_input(scope, spec, previous))
            return
        path = scope.path(row.key if spec.shared else f"{row.key}.{index}")
        results.append(self.apply(scope, row, path, previous))

    def items(self, scope: Scope, phrase: Phrase) -> list[Any]:
        try:
            value = scope.evaluate(phrase.expression)
        except ExpressionError as error:
            self.fault(error, phrase)
            raise _Reported from None
        if isinstance(value, Tensor) and value.shape is None:
            raise _Reported
        values = value if isinstance(value, (list, tuple)) else spread(value)
        if values and values[0] is value:
            self.add("E0210", "`for` walks over a list; this is one tensor", phrase.span, "not a list")
            raise _Reported
        return list(cast("list[Any]", values))

    # -- calls

    def apply(
        self,
        scope: Scope,
        row: Row,
        path: str,
        previous: Any,
        *,
        call: Call | None = None,
        inputs: tuple[Expression, ...] | None = None,
    ) -> Any:
        """Apply a row's call once and return its value."""
        call = call or cast("Call", row.spec.call.expression)
        written = row.spec.inputs if call is row.spec.call.expression and inputs is None else inputs
        if row.form == "repeat" and row.applies:
            written = None
        self.budget(row)
        values = self.arriving(scope, row, written, previous)
        target = self.resolve(scope, call.function)
        use = self.applied.get(path, 0)
        self.applied[path] = use + 1
        shown = f"{path}@{use}" if use else path
        if isinstance(target, type):
            return self.apply_op(scope, row, target, call, shown, path, values)
        return self.apply_module(scope, row, target, call, shown, values)

    def budget(self, row: Row) -> None:
        if self.graph.network.number_of_nodes() >= MOST_ROWS:
            message = f"the model has more than {MOST_ROWS:,} rows"
            self.add("E0218", message, row.spec.span, "stopped here", help="repeat less")
            raise _Stop

    def arriving(
        self, scope: Scope, row: Row, written: tuple[Expression, ...] | None, previous: Any
    ) -> list[Any]:
        if written is None:
            if isinstance(previous, list) and not previous:
                raise ExpressionError("this row has no input", (0, 0), "name one: `Op(...)(name)`", "E0304")
            values = previous if isinstance(previous, list) and not scope.instance.rows else [previous]
            return [item for value in cast("list[Any]", values) for item in spread(value)]
        values = [item for value in written for item in spread(scope.evaluate(value))]
        return values + [scope.evaluate(value) for _, value, _ in row.spec.keywords]

    def resolve(self, scope: Scope, function: Expression) -> type[Op] | tuple[ModuleSpec, Spec]:
        """Find what a call calls: an op, a module of this file, or one of another."""
        spec = cast("Spec", scope.instance.spec.spec)
        if isinstance(function, Attribute) and isinstance(function.value, Name):
            other = self.used(spec, function.value.id, function.at)
            module = other.modules.get(function.name)
            if module is None:
                near = suggest(function.name, list(other.modules))
                message = f"`{function.value.id}` has no module `{function.name}`"
                raise ExpressionError(message, function.at, f"did you mean `{near}`?" if near else None, "E0205")
            return module, other
        if not isinstance(function, Name):
            raise ExpressionError("this cannot be called", function.at, code="E0205")
        name = function.id
        held = scope.instance.env.get(name, scope.loops.get(name))
        if isinstance(held, Callee):
            scope.instance.used.add(name)
            name = held.name
        if name in spec.modules:
            return spec.modules[name], spec
        if name in spec.use:
            other = self.used(spec, name, function.at)
            return other.root, other
        if name in OPS:
            return OPS[name]
        raise self.unknown_callee(name, spec, function.at)

    def unknown_callee(self, name: str, spec: Spec, at: At) -> ExpressionError:
        near = suggest(name, [*OPS, *spec.modules, *spec.use])
        help = f"did you mean `{near}`?" if near else "`specc ops` lists the ops"  # noqa: A001
        return ExpressionError(f"there is no op or module `{name}`", at, help, "E0205")

    def used(self, spec: Spec, alias: str, at: At) -> Spec:
        if alias not in spec.use:
            near = suggest(alias, list(spec.use))
            message = f"no file is used as `{alias}`"
            raise ExpressionError(message, at, f"did you mean `{near}`?" if near else None, "E0205")
        path, span = spec.use[alias]
        other = self.load(path, span, spec)
        if other is None:
            raise _Reported
        return other

    # -- ops

    def apply_op(
        self,
        scope: Scope,
        row: Row,
        op: type[Op],
        call: Call,
        path: str,
        owner: str,
        values: list[Any],
    ) -> Tensor:
        tensors = [tensor for value in values for tensor in leaves(value)]
        sources = tuple(tensor.origin for tensor in tensors)
        made = self.make(scope, row, op, call, tensors)
        shape: Shape | None = None
        if made is None:
            self.graph.failed.setdefault(path, "")
        elif all(tensor.shape is not None for tensor in tensors):
            shape = self.infer(row, made, call, path, tensors)
        node = Node(path, made, op.__name__, row.name, sources, shape, owner, row.spec.span)
        self.graph.add(node)
        tensor = Tensor(shape, path)
        arguments = made.settings() if made else {}
        row.applies.append(Apply(path, made, arguments, tuple(values), tensor))
        self.expect(scope, row, tensor, path)
        return tensor

    def make(self, scope: Scope, row: Row, op: type[Op], call: Call, tensors: list[Tensor]) -> Op | None:
        """Bind, infer and check a call's arguments; return the op, or nothing after a finding."""
        bound = bind(call, list(op.arguments), scope.evaluate, op.__name__)
        self.count_inputs(row, op, len(tensors), call)
        arriving = tensors[0].shape if tensors else None
        is_known = True
        for name, argument in op.arguments.items():
            if argument.inferred is None:
                continue
            if bound.values.get(name, INFER) is INFER:
                bound.values.pop(name, None)
                side = None if arriving is None else _side(arriving, argument.inferred)
                is_known = is_known and isinstance(side, int)
                bound.values[name] = side if isinstance(side, int) else 1
            elif arriving is not None:
                self.check_written(row, bound, name, arriving, argument.inferred, tensors[0])
        if not self.check(row, op, call, bound) or not is_known:
            return None
        return op(**bound.values)

    def count_inputs(self, row: Row, op: type[Op], given: int, call: Call) -> None:
        if op.takes(given):
            return
        names = op.inputs or ("x", "...")
        message = f"`{op.__name__}` takes {_counted(len(names), 'input')}; it is given {given}"
        help = f"name it: `{op.__name__}(...)({', '.join(names)})`"  # noqa: A001
        raise ExpressionError(message, call.at, help, "E0305")

    def check_written(
        self, row: Row, bound: Bound, name: str, shape: Shape, dimension: int, source: Tensor
    ) -> None:
        """Compare a written `in_channels` with what arrives."""
        written, arriving = bound.values[name], _side(shape, dimension)
        if written == arriving or not isinstance(arriving, int) or not isinstance(written, int):
            return
        producer = self.graph[source.origin]
        self.add(
            "E0401",
            f"`{name}` is {written}, but {arriving} arrive",
            row.spec.call.at(bound.places[name]),
            f"{arriving} arrive",
            help=f"write {int(arriving)}, or `_` to infer it",
            also=[Label(producer.span, f"`{producer.path}` gives {shape_text(shape)}")],
        )
        bound.values[name] = arriving

    def check(self, row: Row, op: type[Op], call: Call, bound: Bound) -> bool:
        """Check the bound arguments against the op's schema."""
        problems = check_call(op, bound.values)
        for problem in problems:
            at = bound.places.get(problem.argument or "", call.function.at)
            span = row.spec.call.at(at)
            self.add(problem.code, problem.message, span, problem.label, help=problem.help)
        return not problems

    def infer(self, row: Row, op: Op, call: Call, path: str, tensors: list[Tensor]) -> Shape | None:
        """Apply the op's shape rule; a refusal points at the row and at what feeds it."""
        try:
            return op.shape(*(cast("Shape", tensor.shape) for tensor in tensors))
        except ShapeError as error:
            self.graph.failed[path] = error.message
            places = {name: value.at for name, value in zip(op.arguments, call.arguments, strict=False)}
            places |= {name: value.at for name, value, _ in call.keywords}
            at = places.get(error.argument or "", call.at)
            self.add(
                error.code,
                f"`{path}` {op.__class__.__name__}: {error.message}",
                row.spec.call.at(at),
                f"`{path}`",
                help=error.help,
                also=[self.producer(tensors[i]) for i in error.inputs or (0,) if i < len(tensors)],
            )
            return None

    def producer(self, tensor: Tensor) -> Label:
        node = self.graph[tensor.origin]
        return Label(node.span, f"`{node.path}` gives {shape_text(cast('Shape', tensor.shape))}")

    # -- modules

    def apply_module(
        self,
        scope: Scope,
        row: Row,
        target: tuple[ModuleSpec, Spec],
        call: Call,
        path: str,
        values: list[Any],
    ) -> Any:
        module, spec = target
        if module in self.stack or len(self.stack) > DEEPEST_MODULES:
            chain = " -> ".join([*(entry.name for entry in self.stack), module.name])
            raise ExpressionError(f"`{module.name}` is inside itself: {chain}", call.function.at, code="E0308")
        bound = bind(call, [*module.params, *(["variant"] if module is spec.root else [])], scope.evaluate, module.name)
        given = self.with_variant(spec, module, bound, call)
        arguments = self.arguments(row, module, given, bound, call)
        opened = {name: self.open(spec, name, value) for name, value in arguments.items()}
        inner = Instance(path, module, opened, env=dict(opened))
        inside = Scope(inner)
        replacements = dict(arguments)
        self.enter(inside, row, values, replacements, call)
        self.calls.append(row.spec.call.at(call.at))
        self.stack.append(module)
        try:
            self.lets(inside)
            self.fill(inside)
        finally:
            self.stack.pop()
            self.calls.pop()
        result = Result(inner, replacements, {})
        row.applies.append(Apply(path, inner, arguments, tuple(values), result))
        self.expect(scope, row, result, path)
        return result

    def with_variant(self, spec: Spec, module: ModuleSpec, bound: Bound, call: Call) -> dict[str, Any]:
        given = dict(bound.values)
        variant = given.pop("variant", None) if module is spec.root else None
        if variant is None:
            return given
        if variant not in spec.variants:
            near = suggest(str(variant), list(spec.variants))
            message = f"`{spec.name}` has no variant {variant!r}"
            help = f"did you mean {near!r}?" if near else f"it has {', '.join(spec.variants)}"  # noqa: A001
            raise ExpressionError(message, bound.places["variant"], help, "E0310")
        return variant_params(spec, str(variant)) | given

    def arguments(
        self, row: Row, module: ModuleSpec, given: dict[str, Any], bound: Bound, call: Call
    ) -> dict[str, Any]:
        """Check a module call's arguments against the declared types and fill in the defaults."""
        arguments: dict[str, Any] = {}
        for name in given:
            if name not in module.params:
                near = suggest(name, list(module.params))
                message = f"`{module.name}` has no parameter `{name}`"
                help = f"did you mean `{near}`?" if near else f"it takes {', '.join(module.params) or 'nothing'}"  # noqa: A001
                raise ExpressionError(message, bound.places[name], help, "E0206")
        for name, param in module.params.items():
            if name in given:
                value = given[name]
                if not _fits(value, param):
                    message = f"`{name}` of `{module.name}` is a {param.kind}; this is {_shown(value)}"
                    raise ExpressionError(message, bound.places.get(name, call.at), code="E0210")
                arguments[name] = value
            elif param.required:
                message = f"`{module.name}` needs `{name}`"
                form = ", ".join(module.params)
                raise ExpressionError(message, call.function.at, f"`{module.name}({form})`", "E0207")
            else:
                arguments[name] = param.default
        return arguments

    def enter(
        self, inside: Scope, row: Row, values: list[Any], replacements: dict[str, object], call: Call
    ) -> None:
        """Give a module its inputs, under the names it has for them."""
        module = inside.instance.spec
        names = [declared.name for declared in module.inputs] or ["x"]
        if len(names) == 1 and len(values) > 1:
            values = [values]
        if len(names) != len(values):
            message = f"`{module.name}` takes {len(names)} inputs ({', '.join(names)}); it is given {len(values)}"
            raise ExpressionError(message, call.at, code="E0305")
        shapes = {declared.name: declared.shape for declared in module.inputs}
        for name, value in zip(names, values, strict=True):
            if isinstance(value, list):
                inner: Any = [Tensor(t.shape, t.origin) for t in leaves(cast("Any", value))]
            else:
                formal = "in_channels" if len(names) == 1 else f"{name}_channels"
                inner = self.arrive(inside, shapes.get(name), value, formal, replacements, row, call)
            inside.instance.inputs[name] = inside.instance.env[name] = inner

    def arrive(
        self,
        inside: Scope,
        declared: Phrase | None,
        value: Any,
        formal: str,
        replacements: dict[str, object],
        row: Row,
        call: Call,
    ) -> Tensor:
        """Return a tensor as a module sees it: its channels are an argument of the class."""
        tensor = next(leaves(value), Tensor(None, ""))
        shape = tensor.shape
        if shape is None:
            return Tensor(None, tensor.origin)
        sides = [plain(side) if isinstance(side, int) else side for side in shape]
        if declared is not None:
            formal = self.declared(inside, declared, shape, formal, call)
        if len(shape) > 1 and isinstance(shape[1], int):
            replacements[formal] = shape[1]
            sides[1] = traced(int(shape[1]), Name(formal))
        return Tensor(cast("Shape", tuple(sides)), tensor.origin)

    def declared(self, inside: Scope, declared: Phrase, shape: Shape, formal: str, call: Call) -> str:
        """Bind the names of an input's declared shape to the sizes that arrive."""
        items = cast("Any", declared.expression).items
        if len(items) != len(shape):
            message = f"`{inside.instance.spec.name}` takes {len(items)} dimensions; {shape_text(shape, batch=True)} arrives"
            raise ExpressionError(message, call.at, code="E0406")
        env = inside.instance.env
        for place, (item, side) in enumerate(zip(items, shape, strict=True)):
            if isinstance(item, Name) and item.id not in inside.instance.params:
                if place == 1 and isinstance(side, int):
                    formal = item.id
                    env[item.id] = traced(int(side), Name(item.id))
                continue
            wanted = inside.instance.params.get(item.id) if isinstance(item, Name) else cast("Any", item).value
            if isinstance(side, int) and wanted != side:
                message = f"`{inside.instance.spec.name}` wants {wanted} in dimension {place}; {shape_text(shape)} arrives"
                raise ExpressionError(message, call.at, code="E0401")
        return formal

    # -- expectations

    def expect(self, scope: Scope, row: Row, value: Any, path: str) -> None:
        """Note what a row should give; judged once the graph is whole."""
        phrase = row.spec.expect
        spec = scope.instance.spec.spec
        if phrase is None or spec is not self.graph.spec or self.graph.is_resized:
            return
        try:
            for expression, part in _expected_parts(phrase, value):
                for tensor in leaves(part):
                    if tensor.shape is not None:
                        expected = scope.expected(expression, tensor.shape)
                        found = Expectation(path, tensor.origin, expected, tensor.shape, phrase)
                        self.graph.expectations.append(found)
        except ExpressionError as error:
            self.fault(error, phrase)


class _Reported(ExpressionError):
    """A finding that has been reported already."""

    def __init__(self) -> None:
        super().__init__("", (0, 0), code="")


def variant_params(spec: Spec, name: str) -> dict[str, Any]:
    """Return a variant's parameter values."""
    from specc.documents import plain as data

    return {
        key.name: data(node)
        for key, node in spec.variants[name].entries
        if key.value != "expect"
    }


def _expected_parts(phrase: Phrase, value: Any) -> list[tuple[Expression, Any]]:
    """Pair what is expected with what it is expected of: the value, or its named outputs."""
    expression = phrase.expression
    if not isinstance(expression, Shapes):
        return [(expression, value)]
    return [(part, value.tap(name, expression.at)) for name, part in expression.items]


def _closed(values: list[object]) -> list[object]:
    """Copy a list without the caller's formulas."""
    return [
        _closed(cast("list[object]", item)) if isinstance(item, list)
        else plain(item) if isinstance(item, (int, float)) and not isinstance(item, bool)
        else item
        for item in values
    ]


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _side(shape: Shape, dimension: int) -> object:
    return shape[dimension] if -len(shape) <= dimension < len(shape) else None


def _callee_text(expression: Expression) -> str:
    match expression:
        case Call(function):
            return _callee_text(function)
        case Attribute(value, name):
            return f"{_callee_text(value)}.{name}"
        case Name(name):
            return name
        case _:
            return "?"


def _fits(value: object, param: ParamSpec) -> bool:
    """Whether a value has a parameter's type."""
    if param.default is None and not param.required:
        return True
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match param.kind:
        case "int":
            return is_number and isinstance(value, int)
        case "float":
            return is_number
        case "bool":
            return isinstance(value, bool)
        case "list":
            return isinstance(value, (list, tuple))
        case "str":
            return isinstance(value, (str, Callee))
        case _:
            return isinstance(value, Callee)


def _shown(value: object) -> str:
    return value.name if isinstance(value, Callee) else repr(value)
