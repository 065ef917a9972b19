"""Bind a call's arguments and inputs to names, as Python binds them, and check the values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from specc.ir.callees import callee_text
from specc.ir.tensors import Inner, Result, Tensor
from specc.schema.calls import check_call
from specc.values.expression import Attribute, ExpressionError, Name, Series, Star

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from specc.documents import Report
    from specc.ir.context import Context
    from specc.ir.spec import Phrase
    from specc.ops import Declaration
    from specc.schema.calls import Problem
    from specc.values.expression import At, Call, Expression

__all__ = ["Bound", "bind", "check_bound", "in_order", "refuse_inputs"]


@dataclass(slots=True)
class Bound:
    """Arguments by name: their values, and where each stands in the call's text."""

    values: dict[str, Any]
    places: dict[str, At]


def bind(
    call: Call, names: Sequence[str], evaluate: Callable[[Expression], Any], title: str
) -> Bound:
    """Give each argument its name and evaluate it.

    Raises:
        ExpressionError: too many arguments, one given twice, or one that cannot be evaluated.
    """
    bound = Bound({}, {})
    if len(call.arguments) > len(names):
        takes = (
            f"`{title}` takes {len(names)}: {', '.join(names)}"
            if names
            else f"`{title}` takes none"
        )
        extra = call.arguments[len(names)]
        message = f"`{title}` is given {len(call.arguments)} arguments"
        raise ExpressionError(message, extra.at, takes, "E0208")
    for name, value in zip(names, call.arguments, strict=False):
        if isinstance(value, Star):
            message, help = "`*` is for lists, not for arguments", "write the arguments one by one"
            raise ExpressionError(message, value.at, help, "E0213")
        bound.values[name] = evaluate(value)
        bound.places[name] = value.at
    for name, value, at in call.keywords:
        if name in bound.values:
            message = f"`{name}` is given twice"
            raise ExpressionError(message, at, "leave one of them out", "E0209")
        bound.values[name] = evaluate(value)
        known = name in names
        bound.places[name] = value.at if known else at
    return bound


def refuse_inputs(call: Call, evaluate: Callable[[Expression], Any]) -> None:
    """Refuse what a row takes where its arguments belong, as in `Add(a, b)`.

    Raises:
        ExpressionError: one of the arguments is a tensor, or a list of tensors.
    """

    def is_input(value: Expression) -> bool:
        match value:
            case Series(items):
                return any(map(is_input, items))
            case Name() | Attribute():
                return isinstance(evaluate(value), (Tensor, Result, Inner))
            case _:
                return False

    given = [*call.arguments, *(value for _, value, _ in call.keywords)]
    inputs = [value for value in given if is_input(value)]
    if inputs:
        name, names = callee_text(call), ", ".join(map(_input_text, inputs))
        message = f"`{names}` stands among the arguments of `{name}`; inputs go behind them"
        others = "..." if len(inputs) < len(given) else ""
        help = f"write `{name}({others})({names})`"
        raise ExpressionError(message, inputs[0].at, help, "E0210")


def _input_text(value: Expression) -> str:
    if isinstance(value, Series):
        return f"[{', '.join(map(_input_text, value.items))}]"
    return callee_text(value)


def in_order(names: list[str], given: int, named: dict[str, tuple[Any, At]]) -> list[Any]:
    """Return the inputs that a row gives by name in their order, behind `given` without a name.

    Raises:
        ExpressionError: a name that there is not, one that is taken, or a gap.
    """
    for name, (_, at) in named.items():
        if name not in names:
            known = f"the inputs are {', '.join(names)}" if names else "name none of them"
            raise ExpressionError(f"there is no input `{name}`", at, known, "E0206")
        if name in names[:given]:
            raise ExpressionError(f"`{name}` is given twice", at, "leave one of them out", "E0209")
    wanted = names[given : given + len(named)]
    for name in wanted:
        if name not in named:
            at = next(iter(named.values()))[1]
            raise ExpressionError(f"`{name}` is missing", at, f"add `{name}=...`", "E0305")
    return [named[name][0] for name in wanted]


def check_bound(
    declared: type[Declaration], bound: Bound, call: Call, phrase: Phrase, report: Report | Context
) -> list[Problem]:
    """Report the arguments that are not as they are declared, each where it stands; return them."""
    problems = check_call(declared, bound.values)
    for problem in problems:
        span = phrase.at(bound.places.get(problem.argument or "", call.function.at))
        report.add(problem.code, problem.message, span, problem.label, help=problem.help)
    return problems
