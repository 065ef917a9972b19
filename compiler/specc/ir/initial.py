"""Read the initial values that a row gives to its op's tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.documents import suggest
from specc.ir.binding import bind
from specc.ops import INITIALIZERS, ShapeError
from specc.schema.calls import check_call
from specc.values.expression import Call, Conditional, ExpressionError, Name
from specc.values.traced import outside_turns

if TYPE_CHECKING:
    from specc.ir.context import Context
    from specc.ir.scope import Scope
    from specc.ir.spec import ModuleSpec, Phrase, RowSpec, Setting
    from specc.ops import Entry, Initializer, Op
    from specc.values.expression import Expression

__all__ = ["initial_values", "refuse_initial_values"]


def initial_values(context: Context, scope: Scope, row: RowSpec, op: Op) -> dict[str, Initializer]:
    """Return the initializers of a row by the name of the tensor; what is wrong is reported."""
    found: dict[str, Initializer] = {}
    for setting in row.init:
        entry = _entry(context, op, setting)
        try:
            made = None if entry is None else _initializer(context, scope, setting.phrase)
            if entry is None or made is None:
                continue
            made.check(entry)
        except ExpressionError as error:
            context.fault(error, setting.phrase)
        except ShapeError as error:
            span = setting.phrase.span
            context.add(error.code, error.message, span, "cannot be filled so", help=error.help)
        else:
            found[setting.name] = made
    return found


def refuse_initial_values(context: Context, row: RowSpec, module: ModuleSpec) -> None:
    """Report initial values of a row that calls a module: its tensors belong to rows inside it."""
    for setting in row.init:
        message = f"`init` fills the tensors of an op, and `{module.name}` is a module"
        help = f"write `init` beside the rows of `{module.name}`"
        context.add("E0314", message, setting.span, "not a tensor of this row", help=help)


def _entry(context: Context, op: Op, setting: Setting) -> Entry | None:
    """Return the tensor that a setting names; one that only counts cannot be filled."""
    held = {entry.name: entry for entry in op.state() if entry.is_parameter or entry.shape}
    if setting.name in held:
        return held[setting.name]
    name = type(op).__name__
    near = suggest(setting.name, list(held))
    help = f"did you mean `{near}`?" if near else f"it has {', '.join(held)}"
    if not held:
        help = "take `init` out"
    message = f"this `{name}` has no tensor `{setting.name}`"
    context.add("E0314", message, setting.span, "not a tensor of this row", help=help)
    return None


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
        near = suggest(name, list(INITIALIZERS))
        help = f"did you mean `{near}`?" if near else f"there are {', '.join(INITIALIZERS)}"
        message = f"there is no initializer `{name}`"
        span = phrase.at(call.function.at)
        context.add("E0205", message, span, "unknown initializer", help=help)
        return None
    declared = INITIALIZERS[name]
    bound = bind(call, list(declared.arguments), scope.evaluate, name)
    problems = check_call(declared, bound.values)
    for problem in problems:
        span = phrase.at(bound.places.get(problem.argument or "", call.function.at))
        context.add(problem.code, problem.message, span, problem.label, help=problem.help)
    values = {name: outside_turns(value) for name, value in bound.values.items()}
    return None if problems else declared(**values)
