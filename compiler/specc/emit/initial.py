"""The statements of `__init__` that fill a row's tensors with other values than torch's own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from specc.emit.layout import Line
from specc.emit.locals import Locals
from specc.emit.plan import BODY
from specc.emit.structure import turns
from specc.ops import Op
from specc.values.expression import Attribute, Call, Expression, Index, Literal, Name
from specc.values.traced import at_turn

if TYPE_CHECKING:
    from specc.ir.graph import Apply, Instance, Row

__all__ = ["fill", "tensor_of"]


def fill(row: Row, instance: Instance, done: set[str]) -> list[Line]:
    """Fill the tensors of a row: those of one layer, of all alike in a loop, or turn by turn.

    Of the kinds of ops that are `done`, only what the row itself says is left to do.
    """
    row = replace(row, applies=[_left_to_do(apply, row, done) for apply in row.applies])
    if not any(apply.initial for apply in row.applies):
        return []
    if row.form == "one" or row.shared:
        return _of_one(row.applies[0], row.key, instance)
    layers = turns(row) if row.form == "each" else list(row.applies)
    built = [apply for apply in layers if apply is not None]
    ways = [_filled(apply, Name("layer"), "", turn) for turn, apply in enumerate(built)]
    if len(built) < len(layers) or any(way != ways[0] for way in ways):
        return [
            line
            for turn, apply in enumerate(layers)
            if apply is not None
            for line in _of_one(apply, f"{row.key}.{turn}", instance, turn)
        ]
    layer = Locals(instance.env).fresh("layer")
    filled = _filled(built[0], Name(layer), "")
    loop = Line(BODY, f"for {layer} in ", _layers(row, instance), ":")
    return [loop, *(Line(BODY + 4, "", statement) for statement in filled)]


def _left_to_do(apply: Apply, row: Row, done: set[str]) -> Apply:
    if type(apply.target).__name__ not in done:
        return apply
    own = {setting.name for setting in row.spec.init}
    return replace(
        apply, initial={name: apply.initial[name] for name in apply.initial if name in own}
    )


def _of_one(apply: Apply, path: str, instance: Instance, turn: int = 0) -> list[Line]:
    """Fill the tensors of the layer at a path of the class."""
    if instance.spec.is_list or "." in path:
        filled = _filled(apply, Name("self"), f"{path}.", turn)
    else:
        filled = _filled(apply, Attribute(Name("self"), path), "")
    return [Line(BODY, "", statement) for statement in filled]


def _filled(apply: Apply, layer: Expression, prefix: str, turn: int = 0) -> list[Expression]:
    """Return the statements that fill what one layer holds."""
    state = apply.target.state() if isinstance(apply.target, Op) else ()
    is_parameter = {entry.name: entry.is_parameter for entry in state}
    statements = [
        made.expression(tensor_of(layer, f"{prefix}{name}", is_parameter=is_parameter[name]))
        for name, made in apply.initial.items()
    ]
    return [at_turn(statement, turn) for statement in statements]


def tensor_of(
    layer: Expression, name: str, *, is_parameter: bool, is_typed: bool = False
) -> Expression:
    """Read a tensor of a layer; a type checker is sure of the `weight` of one whose type it knows."""
    if name == "weight" and (is_typed or isinstance(layer, Attribute)):
        return Attribute(layer, name)
    getter = "get_parameter" if is_parameter else "get_buffer"
    return Call(Attribute(layer, getter), (Literal(name),))


def _layers(row: Row, instance: Instance) -> Expression:
    """Return what a loop over a row's layers walks over."""
    if not instance.spec.is_list:
        return Attribute(Name("self"), row.key)
    return Call(Attribute(Index(Name("self"), Literal(int(row.key))), "children"))
