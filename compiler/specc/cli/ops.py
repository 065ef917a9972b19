"""`specc ops`: what a spec can call, by family, or all that one of it takes and gives."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from typing import TYPE_CHECKING, Any

from specc.cli.table import Column, table
from specc.detector import COMPONENTS
from specc.documents import did_you_mean
from specc.emit.text import text
from specc.ops import INITIALIZERS, OPS, known_here
from specc.schema.calls import describe
from specc.values.expression import Attribute, Call, Name

if TYPE_CHECKING:
    import argparse

    from specc.detector import Component
    from specc.ops import Argument, Declaration, Initializer, Op

__all__ = ["add_arguments", "run"]

COLUMNS = (Column("argument"), Column("is"), Column("default", is_right=True), Column("meaning"))
SAMPLES = {
    "dim": 1,
    "dims": (0, 2, 3, 1),
    "kernel_size": 3,
    "num_groups": 32,
    "output_size": 7,
    "Proposals.sizes": [[32], [64]],
    "ratios": [0.5, 1, 2],
    "sizes": (4, -1),
    "spatial_scale": 1 / 16,
    "stride": 4,
    "val": 0.5,
}
"""Values for arguments that have none; any other is 64."""
SECTIONS = {"preprocess": "preprocess", "convert": "weights.NAME.convert"}
"""Where components go that are no part of `detector`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    parser.add_argument(
        "op",
        nargs="?",
        metavar="OP",
        help="the name of an op, an initializer or a detector's component; all if left out",
    )


def run(options: argparse.Namespace) -> int:
    """Print the list, or an op's entry."""
    if options.op is None:
        print(_listed())
        return 0
    known = OPS | INITIALIZERS | COMPONENTS
    if options.op not in known:
        here = known_here(options.op)
        near = did_you_mean(options.op, known, "`specc ops` lists them")
        help = f"here it is `{here}`" if here else near
        print(f"specc ops: there is no op {options.op}: {help}", file=sys.stderr)
        return 2
    print("\n\n".join(_shown(options.op)))
    return 0


def _shown(name: str) -> list[str]:
    if name in OPS:
        return _entry(OPS[name])
    if name in INITIALIZERS:
        return _filled(INITIALIZERS[name])
    return [*_declared(COMPONENTS[name]), f"under    {_places(COMPONENTS[name])}"]


def _places(component: type[Component]) -> str:
    """The keys that a component goes under."""
    if component.slot in SECTIONS:
        return SECTIONS[component.slot]
    also = f" and detector.regions.{component.slot}" if component.for_regions else ""
    return f"detector.{component.slot}{also}"


def _listed() -> str:
    listed = {**OPS, **INITIALIZERS, **COMPONENTS}
    families: dict[str, list[type[Declaration]]] = {}
    for op in listed.values():
        families.setdefault(_first_line(sys.modules[op.__module__].__doc__), []).append(op)
    width = max(map(len, listed))
    lines: list[str] = []
    for family, ops in sorted(families.items()):
        lines += ["", family]
        lines += [f"  {op.__name__:<{width}}  {_first_line(op.__doc__)}" for op in ops]
    return "\n".join(lines[1:])


def _entry(op: type[Op]) -> list[str]:
    """An op's paragraphs: how it is called, what it does, its arguments, what is emitted."""
    inputs = ", ".join(op.inputs or ("x",)) + ", ..." * (op.inputs is None or op.is_open)
    shown = f"shape    {_shape_rule(op)}\nemitted  {_emitted(op)}"
    return [*_declared(op, f"({inputs})"), shown]


def _filled(declared: type[Initializer]) -> list[str]:
    """An initializer's paragraphs, the last with what fills a layer's weight."""
    weight = Attribute(Name("layer"), "weight")
    return [
        *_declared(declared),
        f"emitted  {text(declared(**_given(declared)).expression(weight))}",
    ]


def _declared(declared: type[Declaration], inputs: str = "") -> list[str]:
    """The paragraphs on how it is called, what it does, and its arguments."""
    arguments = declared.arguments.values()
    called = f"{declared.__name__}({', '.join(map(_in_signature, arguments))}){inputs}"
    parts = [called, _plain(inspect.getdoc(declared))]
    if arguments:
        parts.append(table(COLUMNS, [_row(argument) for argument in arguments]))
    return parts


def _in_signature(argument: Argument) -> str:
    if argument.inferred is not None:
        return f"{argument.name}=_"
    return argument.name if argument.required else f"{argument.name}={_default(argument)}"


def _row(argument: Argument) -> list[str]:
    default = "_" if argument.inferred is not None else _default(argument)
    return [argument.name, describe(argument.schema), default, _plain(argument.doc)]


def _default(argument: Argument) -> str:
    if argument.default is dataclasses.MISSING:
        return ""
    return text(argument.written(argument.default))


def _shape_rule(op: type[Op]) -> str:
    rule = _first_line(inspect.getdoc(op.shape)).removeprefix("Return ")
    return rule if "shape" in op.__dict__ or rule.startswith("(") else "as it arrives"


def _emitted(op: type[Op]) -> str:
    """What stands in the emitted file for an op with its defaults, after 64 channels."""
    made = op(**_given(op))
    built = made.constructor()
    inputs = tuple(Name(name) for name in (op.inputs or ("x", "y")))
    return text(made.expression(inputs) if built is None else Call(built, inputs))


def _given(declared: type[Declaration]) -> dict[str, Any]:
    """A value for each argument that has none."""
    return {
        name: SAMPLES.get(f"{declared.__name__}.{name}", SAMPLES.get(name, 64))
        for name, argument in declared.arguments.items()
        if argument.default is dataclasses.MISSING
    }


def _first_line(doc: str | None) -> str:
    return _plain((doc or "").partition("\n")[0]).removesuffix(".")


def _plain(doc: str | None) -> str:
    return (doc or "").replace("``", "`").replace("`", "")
