"""Spec -> Graph: resolve names, expand modules, repeats and loops, infer shapes on the way.

Names, structure and shapes are worked out together, row by row, because they depend on each
other: whether a block projects its shortcut depends on the channels that arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from specc.ir.context import BudgetSpent, Context
from specc.ir.expand import expand
from specc.ir.graph import Graph, Instance, Node
from specc.ir.parameters import KINDS, fits, misfit, open_parameter
from specc.ir.scope import Scope
from specc.ir.tensors import UNKNOWN, Tensor
from specc.values.dimensions import Dim, Shape, Size
from specc.values.expression import Expression, ExpressionError, Name
from specc.values.numbers import is_whole
from specc.values.traced import plain

if TYPE_CHECKING:
    from specc.documents import Report, Span
    from specc.ir.spec import InputSpec, Phrase, Spec

__all__ = ["Load", "build"]

Load = Callable[[str, "Span", "Spec"], "Spec | None"]


def build(
    spec: Spec,
    report: Report,
    load: Load,
    *,
    params: dict[str, Any],
    sizes: dict[str, int] | None = None,
    resize: tuple[int, int] | None = None,
) -> Graph:
    """Expand a spec.

    Args:
        spec: what was read.
        report: takes what is found.
        load: finds the specs under `use`.
        params: values of the root's parameters, over their defaults.
        sizes: values of the inputs' symbolic sizes.
        resize: height and width of the first map among the inputs, in place of those written.
    """
    graph = Graph(spec, Instance("", spec.root, {}), is_resized=bool(sizes) or resize is not None)
    context = Context(graph, report, load)
    scope = Scope(graph.root)
    _bind_params(context, scope, params)
    for declared in spec.root.inputs:
        shape = _input_shape(context, scope, declared, sizes or {})
        if shape is not None and resize is not None and len(shape) == 4:
            shape, resize = (*shape[:2], *resize), None
        _add_input(scope, graph, declared, shape)
    context.modules.append(spec.root)
    try:
        expand(context, scope)
    except BudgetSpent:
        graph.failed.setdefault("", "too many rows")
    return graph


def _bind_params(context: Context, scope: Scope, given: dict[str, Any]) -> None:
    for name, param in scope.instance.spec.params.items():
        value = given.get(name, param.default)
        if param.required and name not in given:
            value = UNKNOWN
            message = f"parameter `{name}` has no value"
            help = f"give it a default, or set it: `--set {name}=...`"
            context.add("E0207", message, param.span, "no default", help=help)
        elif name in given and not fits(open_parameter(scope.spec, name, value), param):
            message = misfit(value, param, scope.spec.name)
            value = UNKNOWN
            help = f"give {KINDS[param.kind]}"
            context.add("E0210", message, param.span, f"{KINDS[param.kind]}", help=help)
        scope.instance.params[name] = open_parameter(scope.spec, name, value)
    scope.instance.env.update(scope.instance.params)


def _add_input(scope: Scope, graph: Graph, declared: InputSpec, shape: Shape | None) -> None:
    name = declared.name
    graph.add(Node(name, None, "input", name, (), shape, "", declared.span))
    scope.instance.inputs[name] = scope.instance.env[name] = Tensor(shape, name)


def _input_shape(
    context: Context, scope: Scope, declared: InputSpec, sizes: dict[str, int]
) -> Shape | None:
    """Evaluate a declared shape; a name without a value is a symbolic size."""
    phrase: Phrase | None = declared.shape
    if phrase is None:
        message = f"the input `{declared.name}` has no shape"
        help = f"write `inputs: {{{declared.name}: [N, 3, 300, 300]}}`"
        context.add("E0202", message, declared.span, "no shape", help=help)
        return None
    try:
        items = cast("Any", phrase.expression).items
        return tuple(_input_size(scope, item, sizes) for item in items)
    except ExpressionError as error:
        context.fault(error, phrase)
        return None


def _input_size(scope: Scope, expression: Expression, sizes: dict[str, int]) -> Dim:
    if isinstance(expression, Name) and expression.id not in scope.instance.env:
        return sizes.get(expression.id) or Size(expression.id)
    value = scope.evaluate.pin(scope.evaluate(expression))
    if not is_whole(value) or value < 1:
        message = f"a size is a whole number from 1 up; this is {value}"
        help = "write a number, or a name for any size"
        raise ExpressionError(message, expression.at, help, "E0211")
    return cast("int", plain(value))
