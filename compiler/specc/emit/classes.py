"""Graph -> classes: decide what each emitted class is called, takes, builds and does.

One class for each module of the spec, or one for each structure that its parameters lead to: the
instances of a module are written one by one, and those whose source is equal share a class. The
numbers that differ between them are arguments, because they were written as formulas.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from specc.emit.flow import Flow, Step
from specc.emit.layout import Comprehension, statement
from specc.ir.graph import Apply, Graph, Instance, Row
from specc.ir.tensors import Callee, Tensor, leaves
from specc.ops import Op
from specc.values.dimensions import shape_text
from specc.values.expression import Attribute, Call, Expression, Index, Literal, Name, Series, Star
from specc.values.traced import formula, names_in

if TYPE_CHECKING:
    from specc.ir.spec import ModuleSpec

__all__ = ["Argument", "ClassPlan", "Statement", "plan_classes"]

IN_FUNCTION = 8
IN_CALL = 12
IN_LIST = 16


@dataclass(slots=True)
class Statement:
    """Lines of source, and a remark that may be left out."""

    lines: list[str]
    comment: str = ""

    def rendered(self, width: int = 100) -> list[str]:
        """Return the lines with the remark behind the last one, or above where it is too long."""
        if not self.comment:
            return self.lines
        if len(self.lines[-1]) + len(self.comment) + 4 <= width:
            return [*self.lines[:-1], f"{self.lines[-1]}  # {self.comment}"]
        first = self.lines[0]
        indent = first[: len(first) - len(first.lstrip())]
        if len(indent) + len(self.comment) + 2 > width:
            return self.lines
        return [f"{indent}# {self.comment}", *self.lines]


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of `__init__`."""

    name: str
    kind: str
    default: object = None
    required: bool = True


@dataclass(slots=True)
class Method:
    """A method: its signature and its statements."""

    name: str
    inputs: list[tuple[str, str]]
    returns: str
    body: list[Statement]
    doc: str = ""


@dataclass(slots=True)
class ClassPlan:
    """A class of the emitted file."""

    name: str
    base: str
    doc: list[str]
    arguments: list[Argument]
    init: list[Statement]
    methods: list[Method]
    module: ModuleSpec
    helpers: list[Any] = field(default_factory=list[Any])

    def source_key(self) -> tuple[object, ...]:
        """Return what makes two instances the same class: everything but remarks."""
        methods = tuple(
            (m.name, tuple(m.inputs), m.returns, tuple(tuple(s.lines) for s in m.body))
            for m in self.methods
        )
        init = tuple(tuple(s.lines) for s in self.init)
        return (id(self.module), self.base, tuple(self.arguments), init, methods)


def plan_classes(graph: Graph, root_name: str) -> list[ClassPlan]:
    """Return the classes of a model, each behind those it uses; the root is the last."""
    return _Planner(graph, root_name).plan()


class _Planner:
    def __init__(self, graph: Graph, root_name: str) -> None:
        self.graph = graph
        self.root_name = root_name
        self.classes: dict[tuple[object, ...], ClassPlan] = {}
        self.taken: set[str] = {root_name, "Outputs"}
        self.of: dict[int, ClassPlan] = {}

    def plan(self) -> list[ClassPlan]:
        for instance in self.graph.instances():
            self.place(instance)
        return list(self.classes.values())

    def place(self, instance: Instance) -> None:
        """Write an instance's class, or find the one that is already there."""
        is_root = instance is self.graph.root
        plan = self.write(instance, is_root)
        key = plan.source_key()
        known = self.classes.get(key)
        if known is None:
            plan.name = self.root_name if is_root else self.free_name(instance.spec.name)
            self.classes[key] = known = plan
        else:
            _keep_common_remarks(known, plan)
        self.of[id(instance)] = known

    def free_name(self, name: str) -> str:
        name = name if name[:1].isupper() else name[:1].upper() + name[1:]
        count, free = 1, name
        while free in self.taken:
            count += 1
            free = f"{name}{count}"
        self.taken.add(free)
        return free

    def write(self, instance: Instance, is_root: bool) -> ClassPlan:
        self.names: set[str] = set()
        self.kept: set[str] = set()
        self.open = _open_names(instance)
        self.helpers: list[Any] = []
        flow = Flow(instance, self.apply_text, is_root)
        methods = self.methods(instance, flow, is_root)
        if instance.spec.is_list:
            is_plain = flow.is_plain_sequence()
            base = "nn.Sequential" if is_plain else "nn.ModuleList"
            init = self.list_init(instance, is_plain)
            methods = [] if is_plain else methods
        else:
            base = "nn.Module"
            init = self.attribute_init(instance, is_root)
        arguments = self.arguments(instance, is_root)
        kept = [Statement([f"{' ' * IN_FUNCTION}self.{name} = {name}"]) for name in sorted(self.kept)]
        if instance.spec.is_list:
            init = init + kept
        else:
            init = [Statement([f"{' ' * IN_FUNCTION}super().__init__()"]), *kept, *init]
        doc = self.doc(instance, is_root)
        plan = ClassPlan("", base, doc, arguments, init, methods, instance.spec, self.helpers)
        return plan

    # -- __init__

    def arguments(self, instance: Instance, is_root: bool) -> list[Argument]:
        """Return the names that the class's source reads, in the order a caller gives them."""
        formal = [name for name in self.names if name not in instance.spec.params]
        arguments = [Argument(name, "int") for name in sorted(formal)]
        for name, param in instance.spec.params.items():
            if name in self.names:
                kind = "float" if isinstance(instance.params[name], float) else "int"
                default = instance.params[name] if is_root else param.default
                is_required = param.required and not is_root
                arguments.append(Argument(name, kind, default, is_required))
        return sorted(arguments, key=lambda argument: not argument.required)

    def note(self, expression: Expression) -> Expression:
        """Remember which names an expression of `__init__` reads."""
        self.names |= _parameters(expression) & self.open
        return expression

    def attribute_init(self, instance: Instance, is_root: bool) -> list[Statement]:
        statements: list[Statement] = []
        for row in instance.rows:
            built = self.built(row)
            if built is not None:
                lines = statement(f"self.{row.key} = ", self.note(built), IN_FUNCTION)
                statements.append(Statement(lines))
        del is_root
        return statements

    def list_init(self, instance: Instance, is_plain: bool) -> list[Statement]:
        """Write the rows of a list as the arguments of `super().__init__`."""
        indent = IN_CALL if is_plain else IN_LIST
        rows: list[Statement] = []
        previous: object = None
        for index, row in enumerate(instance.rows):
            built = self.built(row) or Call(Attribute(Name("nn"), "Identity"))
            shape = next((t.shape for t in leaves(row.value)), None)
            shown = "" if shape is None else shape_text(shape)
            comment = ""
            if row.name is not None:
                comment = f"{index}: {row.name}, {shown}"
            elif shown != previous:
                comment = f"{index}: {shown}"
            previous = shown
            rows.append(Statement(statement("", self.note(built), indent, ","), comment))
        opening = f"{' ' * IN_FUNCTION}super().__init__("
        if is_plain:
            return [Statement([opening]), *rows, Statement([f"{' ' * IN_FUNCTION})"])]
        inner = " " * IN_CALL
        opened = [Statement([opening, f"{inner}["])]
        return [*opened, *rows, Statement([f"{inner}]", f"{' ' * IN_FUNCTION})"])]

    def built(self, row: Row) -> Expression | None:
        """Return what a row's attribute is set to; `None` for a row that builds nothing."""
        applies = row.applies[:1] if row.shared else row.applies
        if not applies:
            return None
        parts = [self.constructor(apply) for apply in applies]
        if any(part is None for part in parts):
            return None
        made = cast("list[Expression]", parts)
        if row.form == "one" or row.shared:
            return made[0]
        grouped = _runs(made)
        if row.form == "repeat":
            return Call(Attribute(Name("nn"), "Sequential"), grouped)
        if len(grouped) == 1 and isinstance(grouped[0], Star):
            return Call(Attribute(Name("nn"), "ModuleList"), (grouped[0].value,))
        return Call(Attribute(Name("nn"), "ModuleList"), (Series(grouped),))

    def constructor(self, apply: Apply) -> Expression | None:
        target = apply.target
        if isinstance(target, Op):
            if target.helper is not None and target.helper not in self.helpers:
                self.helpers.append(target.helper)
            return target.constructor()
        if isinstance(target, Instance):
            return self.class_call(apply, target)
        return None

    def class_call(self, apply: Apply, target: Instance) -> Expression:
        plan = self.of[id(target)]
        replacements: dict[str, object] = dict(apply.value.replacements)
        positional: list[Expression] = []
        keywords: list[tuple[str, Expression, tuple[int, int]]] = []
        for argument in plan.arguments:
            value = replacements[argument.name]
            if argument.required:
                positional.append(formula(value))
            elif value != argument.default or not isinstance(formula(value), Literal):
                keywords.append((argument.name, formula(value), (0, 0)))
        return Call(Name(plan.name), tuple(positional), tuple(keywords))

    # -- forward

    def apply_text(self, apply: Apply, layer: Expression, inputs: tuple[Expression, ...]) -> Expression:
        """Return the expression that applies a row to its inputs."""
        target = apply.target
        if isinstance(target, Op) and target.constructor() is None:
            if target.helper is not None and target.helper not in self.helpers:
                self.helpers.append(target.helper)
            written = target.expression(inputs)
            return self.keep(written, inputs)
        return Call(layer, inputs)

    def keep(self, expression: Expression, inputs: tuple[Expression, ...]) -> Expression:
        """Read parameters from `self` in an expression of `forward`."""
        if not isinstance(expression, Call):
            return expression
        changed: list[Expression] = []
        for argument in expression.arguments:
            read = _parameters(argument) & self.open
            if argument not in inputs and read:
                self.names |= read
                self.kept |= read
                argument = _through_self(argument)  # noqa: PLW2901
            changed.append(argument)
        return replace(expression, arguments=tuple(changed))

    def methods(self, instance: Instance, flow: Flow, is_root: bool) -> list[Method]:
        if not is_root:
            return [self.forward(instance, flow)]
        stages = flow.stages(self.graph.spec.stages)
        methods = [self.stage(stage, flow) for stage in stages]
        if len(stages) == 1:
            methods[0].name = "forward"
            return methods
        value: Expression = Name(stages[0].inputs[0][0])
        calls = [value]
        for stage in stages:
            arguments = tuple(calls) if stage is stages[0] else (calls[-1],)
            calls.append(Call(Attribute(Name("self"), stage.name), arguments))
        body = [Statement(statement("return ", calls[-1], IN_FUNCTION))]
        first, last = methods[0], methods[-1]
        methods.append(Method("forward", first.inputs, last.returns, body))
        return methods

    def stage(self, stage: Any, flow: Flow) -> Method:
        body = [self.step(step) for step in stage.steps]
        return Method(stage.name, stage.inputs, stage.returns, body, stage.doc)

    def forward(self, instance: Instance, flow: Flow) -> Method:
        steps, returns = flow.whole()
        inputs = [(name, _kind(value)) for name, value in instance.inputs.items()]
        return Method("forward", inputs, returns, [self.step(step) for step in steps])

    def step(self, step: Step) -> Statement:
        lines: list[str] = []
        for prefix, expression, indent in step.parts:
            if expression is None:
                lines.append(f"{' ' * indent}{prefix}")
            else:
                lines += statement(prefix, expression, indent, step.suffix)
        return Statement(lines, step.comment)

    # -- docs

    def doc(self, instance: Instance, is_root: bool) -> list[str]:
        spec = instance.spec
        if is_root:
            return [self.graph.spec.title + "."]
        title = (spec.doc or f"Module `{spec.name}` of the spec.").rstrip()
        return [title if title.endswith(".") else f"{title}."]


def _keep_common_remarks(known: ClassPlan, other: ClassPlan) -> None:
    """Drop the remarks on which two instances of a class differ."""
    pairs = list(zip(known.init, other.init, strict=True))
    for a, b in zip(known.methods, other.methods, strict=True):
        pairs += zip(a.body, b.body, strict=True)
    for mine, theirs in pairs:
        if mine.comment != theirs.comment:
            mine.comment = ""


def _open_names(instance: Instance) -> set[str]:
    """Return the names that may stay open in a class: its parameters, and sizes that arrive."""
    names = set(instance.params)
    for value in instance.inputs.values():
        for tensor in leaves(value):
            for side in tensor.shape or ():
                names |= names_in(formula(side)) if isinstance(side, int) else set()
    return names


def _parameters(expression: Expression) -> set[str]:
    """Return the parameters that an expression reads: names that are not modules or functions."""
    match expression:
        case Call(_, arguments, keywords):
            parts = [*arguments, *(value for _, value, _ in keywords)]
            return set[str]().union(*map(_parameters, parts))
        case Comprehension(element, _, _):
            return _parameters(element)
        case Star(value):
            return _parameters(value)
        case Attribute() | Index():
            return set()
        case _:
            return names_in(expression)


def _through_self(expression: Expression) -> Expression:
    match expression:
        case Name(name):
            return Attribute(Name("self"), name)
        case _:
            from specc.values.traced import _rewrite  # pyright: ignore[reportPrivateUsage]

            return _rewrite(expression, lambda name: Attribute(Name("self"), name.id))


def _runs(items: list[Expression]) -> tuple[Expression, ...]:
    """Write equal neighbours as ``*(item for _ in range(n))``."""
    runs: list[tuple[Expression, int]] = []
    for item in items:
        if runs and runs[-1][0] == item:
            runs[-1] = (item, runs[-1][1] + 1)
        else:
            runs.append((item, 1))
    grouped: list[Expression] = []
    for item, count in runs:
        if count < 3:
            grouped += [item] * count
        else:
            counted = Call(Name("range"), (Literal(count),))
            grouped.append(Star(Comprehension(item, "_", counted, bare=True)))
    return tuple(grouped)


def _kind(value: Any) -> str:
    return "Tensor" if isinstance(value, (Tensor, Callee)) else "list[Tensor]"
