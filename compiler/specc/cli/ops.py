"""`specc ops`: the ops by family, or all that one of them takes and gives."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from typing import TYPE_CHECKING

from specc.cli.table import Column, table
from specc.documents import suggest
from specc.emit.text import text
from specc.ops import OPS
from specc.schema.calls import describe
from specc.values.expression import Call, Name

if TYPE_CHECKING:
    import argparse

    from specc.ops import Argument, Op

__all__ = ["add_arguments", "run"]

COLUMNS = (Column("argument"), Column("is"), Column("default", is_right=True), Column("meaning"))
SAMPLES = {"dims": (0, 2, 3, 1), "sizes": (4, -1), "num_groups": 32, "dim": 1, "kernel_size": 3}
"""Values for arguments that have none; any other is 64."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    parser.add_argument("op", nargs="?", metavar="OP", help="an op's name; all if left out")


def run(options: argparse.Namespace) -> int:
    """Print the list, or an op's entry."""
    if options.op is None:
        print(_listed())
        return 0
    if options.op not in OPS:
        near = suggest(options.op, OPS)
        help = f"did you mean {near}?" if near else "`specc ops` lists them"
        print(f"specc ops: there is no op {options.op}: {help}", file=sys.stderr)
        return 2
    print("\n\n".join(_entry(OPS[options.op])))
    return 0


def _listed() -> str:
    families: dict[str, list[type[Op]]] = {}
    for op in OPS.values():
        families.setdefault(_first_line(sys.modules[op.__module__].__doc__), []).append(op)
    width = max(map(len, OPS))
    lines: list[str] = []
    for family, ops in sorted(families.items()):
        lines += ["", family]
        lines += [f"  {op.__name__:<{width}}  {_first_line(op.__doc__)}" for op in ops]
    return "\n".join(lines[1:])


def _entry(op: type[Op]) -> list[str]:
    """An op's paragraphs: how it is called, what it does, its arguments, what is emitted."""
    arguments = op.arguments.values()
    inputs = ", ".join(op.inputs or ("x", "..."))
    called = f"{op.__name__}({', '.join(map(_in_signature, arguments))})({inputs})"
    parts = [called, _plain(inspect.getdoc(op))]
    if arguments:
        parts.append(table(COLUMNS, [_row(argument) for argument in arguments]))
    return [*parts, f"shape    {_shape_rule(op)}\nemitted  {_emitted(op)}"]


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
    given = {
        name: SAMPLES.get(name, 64)
        for name, argument in op.arguments.items()
        if argument.default is dataclasses.MISSING
    }
    made = op(**given)
    built = made.constructor()
    inputs = tuple(Name(name) for name in (op.inputs or ("x", "y")))
    return text(made.expression(inputs) if built is None else Call(built, inputs))


def _first_line(doc: str | None) -> str:
    return _plain((doc or "").partition("\n")[0]).removesuffix(".")


def _plain(doc: str | None) -> str:
    return (doc or "").replace("``", "`").replace("`", "")
