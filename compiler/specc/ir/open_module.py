"""Open a module for a call: its parameters, and its inputs under the names it has for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from specc.documents import did_you_mean, suggest
from specc.ir.binding import Bound, bind, refuse_inputs
from specc.ir.callees import input_names
from specc.ir.graph import Instance
from specc.ir.parameters import KINDS, fits, misfit, open_parameter, variant_params
from specc.ir.scope import Scope
from specc.ir.tensors import Tensor, leaves
from specc.values.dimensions import Shape, shape_text
from specc.values.expression import Call, ExpressionError, Name
from specc.values.traced import traced

if TYPE_CHECKING:
    from specc.ir.spec import ModuleSpec, ParamSpec, Phrase

__all__ = ["Opened", "open_module"]


@dataclass(slots=True)
class Opened:
    """A module ready to be expanded.

    Attributes:
        arguments: the parameters' values, as the caller writes them.
        replacements: what each name that is open inside stands for outside.
    """

    scope: Scope
    arguments: dict[str, Any]
    replacements: dict[str, object] = field(default_factory=dict[str, object])


def open_module(
    caller: Scope, module: ModuleSpec, call: Call, path: str, values: list[Any]
) -> Opened:
    """Bind a call's arguments and inputs.

    Raises:
        ExpressionError: the arguments or inputs do not fit.
    """
    arguments = _arguments(module, call, caller)
    params = {name: open_parameter(module.spec, name, value) for name, value in arguments.items()}
    scope = Scope(Instance(path, module, params, env=dict(params)))
    opened = Opened(scope, arguments, dict(arguments))
    _enter(opened, caller, values, call)
    return opened


# -- arguments


def _arguments(module: ModuleSpec, call: Call, caller: Scope) -> dict[str, Any]:
    """Check a call's arguments against the declared types and fill in the defaults."""
    names = [*module.params, *(["variant"] if module.is_root else [])]
    refuse_inputs(call, caller.evaluate)
    bound = bind(call, names, caller.evaluate, module.name)
    given = _with_variant(module, bound)
    for name in given:
        if name not in module.params:
            message = f"`{module.name}` has no parameter `{name}`"
            takes = f"it takes {', '.join(module.params) or 'nothing'}"
            help = did_you_mean(name, module.params, takes)
            raise ExpressionError(message, bound.places[name], help, "E0206")
    return {
        name: _argument(module, param, given, bound, call) for name, param in module.params.items()
    }


def _argument(
    module: ModuleSpec, param: ParamSpec, given: dict[str, Any], bound: Bound, call: Call
) -> Any:
    if param.name in given:
        value = given[param.name]
        if not fits(value, param):
            message = misfit(value, param, module.name)
            at, help = bound.places.get(param.name, call.at), f"give {KINDS[param.kind]}"
            raise ExpressionError(message, at, help, "E0210")
        return value
    if param.required:
        message = f"`{module.name}` needs `{param.name}`"
        help = f"write `{module.name}({', '.join(module.params)})`"
        raise ExpressionError(message, call.function.at, help, "E0207")
    return param.default


def _with_variant(module: ModuleSpec, bound: Bound) -> dict[str, Any]:
    """Return the arguments given, over those of the variant they name."""
    given = dict(bound.values)
    spec = module.spec
    variant = given.pop("variant", None) if module.is_root else None
    if variant is None:
        return given
    if str(variant) not in spec.variants:
        near = suggest(str(variant), spec.variants)
        message = f"`{spec.name}` has no variant {variant!r}"
        known = f"it has {', '.join(spec.variants) or 'none'}"
        help = f"did you mean {near!r}?" if near else known
        raise ExpressionError(message, bound.places["variant"], help, "E0310")
    return variant_params(spec, str(variant)) | given


# -- inputs


def _enter(opened: Opened, caller: Scope, values: list[Any], call: Call) -> None:
    """Give a module its inputs."""
    instance = opened.scope.instance
    module = instance.spec
    names = input_names(module)
    shapes = {declared.name: declared.shape for declared in module.inputs}
    if len(names) == 1 and len(values) > 1:
        values = [values]
    if len(names) != len(values):
        message = f"`{module.name}` takes {_counted(len(names))}; it is given {len(values)}"
        help = f"name them: `{module.name}(...)({', '.join(names)})`"
        raise ExpressionError(message, call.at, help, "E0305")
    for name, value in zip(names, values, strict=True):
        if isinstance(value, list):
            inner: Any = [_closed_tensor(caller, t) for t in leaves(cast("Any", value))]
        else:
            formal = "in_channels" if len(names) == 1 else f"{name}_channels"
            inner = _arrive(opened, shapes.get(name), value, formal, call)
        instance.inputs[name] = instance.env[name] = inner


def _closed_tensor(caller: Scope, tensor: Tensor) -> Tensor:
    """Return a tensor of a list: its sizes decide what is built inside, and are numbers there."""
    if tensor.shape is None:
        return Tensor(None, tensor.origin)
    caller.evaluate.pin(tensor.shape)
    closed = (int(side) if isinstance(side, int) else side for side in tensor.shape)
    return Tensor(tuple(closed), tensor.origin)


def _counted(inputs: int) -> str:
    return "1 input" if inputs == 1 else f"{inputs} inputs"


def _arrive(opened: Opened, declared: Phrase | None, value: Any, formal: str, call: Call) -> Tensor:
    """Return a tensor as a module sees it: its channels are an argument of the class."""
    tensor = next(leaves(value), Tensor(None, ""))
    shape = tensor.shape
    if shape is None:
        return Tensor(None, tensor.origin)
    sides = [int(side) if isinstance(side, int) else side for side in shape]
    said = None if declared is None else _bind_sizes(opened, declared, shape, call)
    if len(shape) > 1 and isinstance(shape[1], int):
        sides[1] = _named(opened, formal, shape[1]) if said is None else said
    return Tensor(tuple(sides), tensor.origin)


def _named(opened: Opened, name: str, channels: int) -> int:
    """Make channels that arrive an argument of the class; return them with that name."""
    opened.replacements[name] = channels
    return cast("int", traced(int(channels), Name(name)))


def _bind_sizes(opened: Opened, declared: Phrase, shape: Shape, call: Call) -> int | None:
    """Compare a declared shape with what arrives; return the channels as it says them."""
    instance = opened.scope.instance
    items = cast("Any", declared.expression).items
    if len(items) != len(shape):
        arriving = shape_text(shape, batch=True)
        message = f"`{instance.spec.name}` takes {len(items)} dimensions; {arriving} arrives"
        help = f"pass {len(items)} dimensions, or declare others"
        raise ExpressionError(message, call.at, help, "E0406")
    channels: int | None = None
    for place, (item, side) in enumerate(zip(items, shape, strict=True)):
        is_new = isinstance(item, Name) and item.id not in instance.params
        if is_new and place == 1 and isinstance(side, int):
            known = instance.env.get(item.id, side)
            if known != side:
                message = f"`{item.id}` of `{instance.spec.name}` is {known}, and {side} here"
                help = "bring both to the same channels, or give them two names"
                raise ExpressionError(message, call.at, help, "E0401")
            channels = instance.env[item.id] = _named(opened, item.id, side)
        if is_new or not isinstance(side, int):
            continue
        wanted = opened.scope.evaluate(item)
        if wanted != side:
            message = f"`{instance.spec.name}` wants {wanted} in dimension {place}"
            help = f"bring it to {wanted}, or declare a name instead of {wanted}"
            message = f"{message}; {shape_text(shape)} arrives"
            raise ExpressionError(message, call.at, help, "E0401")
        channels = wanted if place == 1 else channels
    return channels
