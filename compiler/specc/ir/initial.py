"""Read the initial values that rows and modules give to the tensors of ops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.documents import did_you_mean
from specc.ir.binding import bind, check_bound
from specc.ir.graph import Filling
from specc.ops import INITIALIZERS, OPS, ShapeError
from specc.values.expression import Call, Conditional, ExpressionError, Name
from specc.values.traced import Traced, outside_turns, plain

if TYPE_CHECKING:
    from specc.ir.context import Context
    from specc.ir.scope import Scope
    from specc.ir.spec import ModuleSpec, Phrase, RowSpec, Setting
    from specc.ops import Entry, Initializer, Op
    from specc.values.expression import Expression

__all__ = [
    "inherit_init",
    "initial_values",
    "module_values",
    "note_own_init",
    "refuse_initial_values",
]


# -- of a row


def initial_values(context: Context, scope: Scope, row: RowSpec, op: Op) -> dict[str, Initializer]:
    """Return the initializers of a row by the name of the tensor; what is wrong is reported.

    They are those of the modules around it, and those that the row gives in their place.
    """
    kind = type(op).__name__
    fillings = scope.instance.init.get(kind, {})
    found = {
        entry.name: fillings[entry.name].made
        for entry in _held(op)
        if entry.name in fillings and _fits(context, fillings[entry.name], entry)
    }
    for setting in row.init:
        scope.instance.own_init.add(kind)
        entry = _entry(context, op, setting)
        filling = None if entry is None else _filling(context, scope, setting.phrase)
        if entry and filling and _fits(context, filling, entry):
            found[setting.name] = filling.made
    return found


def refuse_initial_values(context: Context, row: RowSpec, module: ModuleSpec) -> None:
    """Report initial values of a row that calls a module: its tensors belong to rows inside it."""
    for setting in row.init:
        message = f"`init` fills the tensors of an op, and `{module.name}` is a module"
        help = f"write `init` beside the rows of `{module.name}`, or beside its `layers` for all"
        context.add("E0314", message, setting.span, "not a tensor of this row", help=help)


def _held(op: Op) -> list[Entry]:
    """Return the tensors that can be filled: one that only counts cannot."""
    return [entry for entry in op.state() if entry.is_parameter or entry.shape]


def _entry(context: Context, op: Op, setting: Setting) -> Entry | None:
    """Return the tensor that a setting names."""
    held = {entry.name: entry for entry in _held(op)}
    if setting.name in held:
        return held[setting.name]
    name = type(op).__name__
    help = did_you_mean(setting.name, held, f"it has {', '.join(held)}")
    if not held:
        help = "take `init` out"
    message = f"this `{name}` has no tensor `{setting.name}`"
    context.add("E0314", message, setting.span, "not a tensor of this row", help=help)
    return None


def _fits(context: Context, filling: Filling, entry: Entry) -> bool:
    """Whether a tensor can be filled so; if not, it is reported."""
    try:
        filling.made.check(entry)
    except ShapeError as error:
        span = filling.phrase.span
        context.add(error.code, error.message, span, "cannot be filled so", help=error.help)
        return False
    return True


# -- of a module


def module_values(context: Context, scope: Scope) -> None:
    """Read what a module says of the ops in it, in place of what the modules around it say."""
    instance = scope.instance
    for declared in instance.spec.init:
        if declared.op not in OPS:
            help = did_you_mean(declared.op, OPS, "`specc ops` lists the ops")
            message = f"there is no op `{declared.op}`"
            context.add("E0205", message, declared.span, "unknown op", help=help)
            continue
        instance.own_init.add(declared.op)
        read = {value.name: _filling(context, scope, value.phrase) for value in declared.values}
        own = {name: filling for name, filling in read.items() if filling is not None}
        instance.init[declared.op] = instance.init.get(declared.op, {}) | own


def inherit_init(around: Scope, inside: Scope) -> None:
    """Let a module begin with what is said around it, as numbers: it does not know those names."""
    inside.instance.init = {
        kind: {name: _closed(filling) for name, filling in fillings.items()}
        for kind, fillings in around.instance.init.items()
    }


def note_own_init(around: Scope, inside: Scope) -> None:
    """Note for which kinds of ops a module inside has an `init` of its own.

    Its classes then fill these ops one by one, with numbers, so the parameters they come from are
    settled.
    """
    kinds = inside.instance.own_init
    around.instance.own_init |= kinds
    for kind in kinds & around.instance.init.keys():
        for filling in around.instance.init[kind].values():
            around.evaluate.pin(list(filling.made.settings().values()))


def _closed(filling: Filling) -> Filling:
    settings = filling.made.settings().items()
    numbers = {name: plain(v) if isinstance(v, Traced) else v for name, v in settings}
    return Filling(type(filling.made)(**numbers), filling.phrase)


# -- calls


def _filling(context: Context, scope: Scope, phrase: Phrase) -> Filling | None:
    """Read an initial value; what is wrong is reported."""
    try:
        made = _initializer(context, scope, phrase)
    except ExpressionError as error:
        context.fault(error, phrase)
        return None
    return None if made is None else Filling(made, phrase)


def _chosen(scope: Scope, expression: Expression) -> Expression:
    """Follow ``a() if c else b()`` to the call that counts here."""
    while isinstance(expression, Conditional):
        holds = scope.evaluate.truth(expression.test)
        expression = expression.then if holds else expression.otherwise
    return expression


def _initializer(context: Context, scope: Scope, phrase: Phrase) -> Initializer | None:
    """Read the call of an initializer and check its arguments, as an op's are."""
    call = _chosen(scope, phrase.expression)
    if not isinstance(call, Call) or not isinstance(call.function, Name):
        help = "write `normal_(std=0.01)` or `zeros_()`"
        context.add("E0204", "an initial value is a call", phrase.span, "not a call", help=help)
        return None
    name = call.function.id
    if name not in INITIALIZERS:
        help = did_you_mean(name, INITIALIZERS, f"there are {', '.join(INITIALIZERS)}")
        message = f"there is no initializer `{name}`"
        span = phrase.at(call.function.at)
        context.add("E0205", message, span, "unknown initializer", help=help)
        return None
    declared = INITIALIZERS[name]
    bound = bind(call, list(declared.arguments), scope.evaluate, name)
    problems = check_bound(declared, bound, call, phrase, context)
    values = {name: outside_turns(value) for name, value in bound.values.items()}
    return None if problems else declared(**values)
