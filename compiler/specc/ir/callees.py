"""Find what a call calls: an op, a module of the same file, or a module of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.documents import did_you_mean
from specc.ir.context import Context, Reported
from specc.ir.tensors import Callee
from specc.ops import OPS, Op
from specc.schema.calls import shown
from specc.values.expression import Attribute, Call, Expression, ExpressionError, Name

if TYPE_CHECKING:
    from specc.ir.scope import Scope
    from specc.ir.spec import ModuleSpec, Spec
    from specc.values.expression import At

__all__ = ["callee_text", "resolve"]

_TORCH = ("nn", "torch")


def resolve(context: Context, scope: Scope, function: Expression) -> type[Op] | ModuleSpec:
    """Return the op or module that a call names."""
    spec = scope.spec
    if isinstance(function, Attribute) and isinstance(function.value, Name):
        alias = function.value
        if alias.id in _TORCH and alias.id not in spec.use:
            message = f"no file is used as `{alias.id}`"
            raise ExpressionError(message, alias.at, _alone(function), "E0205")
        other = _used(context, spec, alias.id, alias.at)
        if function.name in other.modules:
            return other.modules[function.name]
        message = f"`{alias.id}` has no module `{function.name}`"
        raise _unknown(message, function.name, list(other.modules), function.at)
    if not isinstance(function, Name):
        message, help = "this cannot be called", "write the name of an op or module"
        if isinstance(function, Attribute) and callee_text(function).startswith("torch."):
            help = _alone(function)
        raise ExpressionError(message, function.at, help, "E0205")
    name, spec = _held(scope, function.id)
    if name in spec.modules:
        return spec.modules[name]
    if name in spec.use:
        return _used(context, spec, name, function.at).root
    if name in OPS:
        return OPS[name]
    known = [*OPS, *spec.modules, *spec.use]
    if name in scope.instance.env:
        held = scope.lookup(name, function.at)
        message = f"`{name}` is {shown(held)}, which is no op or module"
        raise _unknown(message, str(held), known, function.at)
    raise _unknown(f"there is no op or module `{name}`", name, known, function.at)


def _held(scope: Scope, name: str) -> tuple[str, Spec]:
    """Follow a parameter that holds the name of an op or module, to the file it was named in."""
    held = scope.instance.env.get(name, scope.loops.get(name))
    if not isinstance(held, Callee):
        return name, scope.spec
    scope.instance.used.add(name)
    return held.name, held.spec


def _used(context: Context, spec: Spec, alias: str, at: At) -> Spec:
    if alias not in spec.use:
        message = f"no file is used as `{alias}`"
        raise _unknown(message, alias, list(spec.use), at)
    if spec is context.graph.spec:
        context.graph.used_files.add(alias)
    path, span = spec.use[alias]
    other = context.load(path, span, spec)
    if other is None:
        raise Reported(f"`{path}` cannot be used")
    return other


def _alone(function: Attribute) -> str:
    return f"write the op's name alone: `{function.name}(...)`"


def _unknown(message: str, name: str, known: list[str], at: At) -> ExpressionError:
    listed = ", ".join(f"`{one}`" for one in known)
    there = f"there is {listed}" if len(known) < 8 and known else "`specc ops` lists the ops"
    help = did_you_mean(name, known, there)
    return ExpressionError(message, at, help, "E0205")


def callee_text(expression: Expression) -> str:
    """Return the name of what an expression calls, as written."""
    match expression:
        case Call(function):
            return callee_text(function)
        case Attribute(value, name):
            return f"{callee_text(value)}.{name}"
        case Name(name):
            return name
        case _:
            return "?"
