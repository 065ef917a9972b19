"""Ask specc and torch about the same call, and compare."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import jsonschema
from op_draws import Draw, draws
from op_refusals import reason
from op_torch import Answer, as_given, ask, emitted

from specc.ops import Op, ShapeError
from specc.values.dimensions import Dim, Shape, Size

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from torch import nn

LARGE = 2**14
BY_VALUE = {"MultiScaleRoIAlign", "Proposals"}
"""Ops whose inner sizes depend on numbers, which the meta device does not have."""
TRIES_PER_DRAW = 4000


def _is_integer(checker: Any, value: object) -> bool:
    del checker
    return isinstance(value, int) and not isinstance(value, bool)


STRICT = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer)
Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=STRICT)


class Refusal(NamedTuple):
    """Why specc takes no such call, and the op if it came to be one."""

    cause: str
    op: Op | None = None


@dataclass
class Row:
    """An op's row of the table."""

    legal: int = 0
    illegal: int = 0
    documented: Counter[str] = field(default_factory=Counter[str])
    disagreements: list[str] = field(default_factory=list[str])


def table(rows: dict[str, Row]) -> str:
    """Write the rows as text, with their totals."""
    lines = [f"{'op':20}{'legal':>8}{'illegal':>9}{'documented':>12}{'disagree':>10}"]
    total = Row()
    for name, row in rows.items():
        lines.append(_line(name, row))
        total.legal += row.legal
        total.illegal += row.illegal
        total.documented += row.documented
        total.disagreements += row.disagreements
    return "\n".join([*lines, _line("total", total)])


def _line(name: str, row: Row) -> str:
    documented, disagreements = row.documented.total(), len(row.disagreements)
    return f"{name:20}{row.legal:8,}{row.illegal:9,}{documented:12,}{disagreements:10,}"


def judge(op: type[Op], random: Random, *, legal: int, illegal: int) -> Row:
    """Draw so many legal and illegal calls of an op and compare each with torch."""
    row = Row()
    for tries, draw in enumerate(draws(op, random)):
        if (row.legal >= legal and row.illegal >= illegal) or tries > TRIES_PER_DRAW * legal:
            return row
        verdict = bind(op, draw)
        if isinstance(verdict, Refusal):
            if row.illegal < illegal:
                row.illegal += 1
                _compare_refusal(op, draw, verdict, row)
        elif row.legal < legal and _devices(verdict, draw):
            row.legal += 1
            row.disagreements += [f"{draw}: {fault}" for fault in _compare(verdict, draw)]
    raise AssertionError


def bind(op: type[Op], draw: Draw) -> Op | Refusal:
    """Do what the compiler does with a call: check its arguments, then ask for its shape."""
    for name in draw.arguments.keys() - op.arguments.keys():
        return Refusal(f"{name}: unknown argument")
    for name, declared in op.arguments.items():
        if name not in draw.arguments:
            if declared.required or declared.inferred is not None:
                return Refusal(f"{name}: missing")
        elif not Validator(declared.schema).is_valid(draw.arguments[name]):
            return Refusal(draw.focus)
    made = op(**draw.arguments)
    if not op.takes(len(draw.inputs)):
        return Refusal("count of inputs", made)
    try:
        made.shape(*map(_batched, draw.inputs))
    except ShapeError as error:
        return Refusal(f"{error.code} {error.argument}", made)
    for name, declared in op.arguments.items():
        if declared.inferred is not None and not _fits(draw, name, declared.inferred):
            return Refusal(f"{name}: not what arrives", made)
    return made


def _fits(draw: Draw, name: str, dimension: int) -> bool:
    shape = draw.inputs[0]
    place = dimension % len(shape)
    return dimension >= len(shape) or shape[place] == draw.arguments[name]


def _compare_refusal(op: type[Op], draw: Draw, refusal: Refusal, row: Row) -> None:
    made = refusal.op

    def build() -> nn.Module:
        return as_given(op, draw.arguments) if made is None else emitted(made)

    device = "meta" if _is_large(draw.arguments) else "cpu"
    answer = attempt(build, draw.inputs, device)
    if isinstance(answer, Exception):
        return
    why = reason(op.__name__, refusal.cause)
    if why is None:
        row.disagreements.append(f"{draw}: refused ({refusal.cause}), torch makes {answer.shape}")
    else:
        row.documented[why] += 1


def _devices(op: Op, draw: Draw) -> list[str]:
    """Return where a call can be run."""
    shapes = [] if type(op).__name__ in BY_VALUE else ["meta"]
    return shapes if _is_large(draw.arguments) else [*shapes, "cpu"]


def _compare(op: Op, draw: Draw) -> list[str]:
    """Return how torch's answers differ from the op's."""
    faults: list[str] = []
    for device in _devices(op, draw):
        answer = attempt(lambda: emitted(op), draw.inputs, device)
        if isinstance(answer, Exception):
            faults.append(f"{device} refuses: {answer!r}")
        else:
            faults += [f"{device}: {fault}" for fault in _differences(op, draw, answer)]
    return faults


def _differences(op: Op, draw: Draw, answer: Answer) -> list[str]:
    batch = draw.inputs[0][0]
    inputs = tuple(map(_batched, draw.inputs))
    output = op.shape(*inputs)
    shape = tuple(at(size, N=batch) for size in output)
    state = tuple((entry.name, entry.shape, entry.is_parameter) for entry in op.state())
    macs = op.macs(output, *inputs) * batch
    pairs = {
        "shape": (shape, answer.shape),
        "state": (state, answer.state),
        "multiply-adds": (2 * macs, answer.flops),
    }
    faults = [
        f"{what} {ours}, torch's {theirs}"
        for what, (ours, theirs) in pairs.items()
        if ours != theirs
    ]
    if 0 in shape:
        faults.append(f"an empty map: {shape}")
    by_name = symbolic(op, draw)
    if by_name not in (None, shape):
        faults.append(f"by name {by_name}, by number {shape}")
    return faults


def symbolic(op: Op, draw: Draw) -> tuple[int, ...] | None:
    """Infer the shape of maps whose sides are only names, then put the numbers in."""
    if any(len(shape) != 4 for shape in draw.inputs) or len(set(draw.inputs)) > 1:
        return None
    n, channels, height, width = draw.inputs[0]
    x = (Size("N"), channels, Size("H"), Size("W"))
    try:
        output = op.shape(*(x for _ in draw.inputs))
    except ShapeError:
        return None
    return tuple(at(size, N=n, H=height, W=width) for size in output)


def at(size: Dim, **values: int) -> int:
    """Compute a symbolic size from the formula that it is shown by."""
    text = re.sub(r"(\d)([A-Z])", r"\1*\2", str(size))
    return int(eval(text, {"floor": math.floor, "ceil": math.ceil} | values))


def attempt(
    build: Callable[[], nn.Module], inputs: tuple[tuple[int, ...], ...], device: str
) -> Answer | Exception:
    """Return torch's answer, or its refusal."""
    try:
        return ask(build, inputs, device)
    except Exception as error:  # noqa: BLE001
        return error


def _batched(shape: tuple[int, ...]) -> Shape:
    return (Size("N"), *shape[1:])


def _is_large(value: Any) -> bool:
    """Whether a number in it is too large for real memory."""
    if isinstance(value, dict):
        return any(map(_is_large, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_is_large, value))
    return isinstance(value, (int, float)) and abs(value) > LARGE
