"""Find what a call calls, an op or a module of this file or another, and what that takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.documents import did_you_mean
from specc.ir.context import Context, Reported
from specc.ir.tensors import Callee
from specc.ops import OPS, Op, known_here
from specc.schema.calls import shown
from specc.values.expression import Attribute, Call, Expression, ExpressionError, Name

if TYPE_CHECKING:
    from specc.ir.scope import Scope
    from specc.ir.spec import ModuleSpec, Spec
    from specc.values.expression import At

__all__ = ["argument_names", "callee_text", "input_names", "named", "resolve"]

_TORCH = ("nn", "torch")


def resolve(context: Context, scope: Scope, function: Expression) -> type[Op] | ModuleSpec:
    """Return the op or module that a call names."""
    spec = scope.spec
    if isinstance(function, Attribute) and isinstance(function.value, Name):
        alias = function.value
        if alias.id in _TORCH and alias.id not in spec.use:
            message = f"no file is used as `{alias.id}`"
            raise ExpressionError(message, alias.at, _alone(function), "E0205")
        return _of_file(context, spec, alias, function.name, function.at)
    if not isinstance(function, Name):
        message, help = "this cannot be called", "write the name of an op or module"
        if isinstance(function, Attribute) and callee_text(function).startswith("torch."):
            help = _alone(function)
        raise ExpressionError(message, function.at, help, "E0205")
    held = _held(scope, function.id)
    name, spec = held.name, held.spec
    if held.alias:
        return _of_file(context, spec, Name(held.alias, at=function.at), name, function.at)
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


def named(spec: Spec, text: str) -> Callee | None:
    """Return the op or module that a text is the name of, as `ResNet.BasicBlock` of another file."""
    alias, _, name = text.rpartition(".")
    if alias in spec.use:
        return Callee(name, spec, alias)
    is_known = text in OPS or text in spec.modules or text in spec.use
    return Callee(text, spec) if is_known else None


def _held(scope: Scope, name: str) -> Callee:
    """Follow a parameter that holds the name of an op or module, to the file it was named in."""
    held = scope.instance.env.get(name, scope.loops.get(name))
    if not isinstance(held, Callee):
        return Callee(name, scope.spec)
    scope.instance.used.add(name)
    return held


def _of_file(context: Context, spec: Spec, alias: Name, name: str, at: At) -> ModuleSpec:
    other = _used(context, spec, alias.id, alias.at)
    if name in other.modules:
        return other.modules[name]
    raise _unknown(f"`{alias.id}` has no module `{name}`", name, list(other.modules), at)


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
    here = known_here(name)
    help = f"here it is `{here}`" if here in known else did_you_mean(name, known, there)
    return ExpressionError(message, at, help, "E0205")


def argument_names(target: type[Op] | ModuleSpec) -> list[str]:
    """Return the names of the arguments of an op or module, in order."""
    return list(target.arguments if isinstance(target, type) else target.params)


def input_names(target: type[Op] | ModuleSpec) -> list[str]:
    """Return the names of what an op or module takes; none for an op that takes any number."""
    if isinstance(target, type):
        return list(target.inputs or ())
    return [declared.name for declared in target.inputs] or ["x"]


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
