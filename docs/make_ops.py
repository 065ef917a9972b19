"""Write docs/ops.md from the declarations of ops and components; `--check` compares only."""

import dataclasses
import inspect
import re
import sys
from pathlib import Path

from made_page import write_or_check

from specc.detector import COMPONENTS
from specc.ops import INITIALIZERS, OPS, Argument, Declaration, Op
from specc.ops.arguments import LARGEST
from specc.schema.calls import describe

PAGE = Path(__file__).with_name("ops.md")

INTRO = """\
# Ops and components

Written by `docs/make_ops.py` from the declarations in `compiler/specc/ops` and
`compiler/specc/detector`: change those, then run `make goldens`.

Names, order and defaults of arguments are PyTorch's. An argument marked *inferred* is left out or
written `_`; written as a number, it is compared with what arrives. No whole number may exceed
2**20. `specc ops Conv2d` shows the entry of one op."""

SLOTS = {
    "preprocess": "`preprocess:`, how an image becomes the input",
    "anchors": "`detector: anchors`, the boxes that predictions start from",
    "coder": "`detector: coder`, what an offset means",
    "match": "`detector: match`, which object an anchor is to find",
    "loss": "`detector: loss`",
    "regions.sample": "`detector: regions: sample`, which regions a second stage learns from",
    "regions.loss": "`detector: regions: loss`",
    "select": "`detector: select`, which boxes are kept",
    "convert": "`weights: convert`, what is done to a checkpoint's tensors",
}


def page() -> str:
    """The whole page."""
    parts = [INTRO]
    chapters: dict[str, list[type[Op]]] = {}
    for op in OPS.values():
        title = (sys.modules[op.__module__].__doc__ or "").partition("\n")[0].rstrip(".")
        chapters.setdefault(title, []).append(op)
    for title in sorted(chapters):
        parts.append(f"## {title}")
        parts += [entry(op) for op in chapters[title]]
    parts.append("## Initial values")
    parts += [entry(way) for way in INITIALIZERS.values()]
    for slot, title in SLOTS.items():
        parts.append(f"## {title}")
        parts += [entry(part) for part in COMPONENTS.values() if part.slot == slot]
    return "\n\n".join(parts) + "\n"


def entry(declared: type[Declaration]) -> str:
    """One op or component: how it is called, what it does, what it takes."""
    name = declared.__name__
    called = f"{name}({', '.join(map(shown, declared.arguments.values()))})"
    if issubclass(declared, Op) and declared.inputs != ("x",):
        called += f"({', '.join(inputs(declared))})"
    doc = re.sub(r"``(.+?)``", r"`\1`", inspect.getdoc(declared) or "", flags=re.DOTALL)
    lines = [f"### {name}", "", "```text", *wrapped(called), "```", "", doc]
    if declared.arguments:
        lines += ["", "| argument | is | |", "|---|---|---|"]
        lines += [row(argument) for argument in declared.arguments.values()]
    return "\n".join(lines)


def inputs(op: type[Op]) -> list[str]:
    """The inputs as a call names them; those that may be left out in brackets."""
    if op.inputs is None:
        return ["x", "..."]
    needed = len(op.inputs) - op.optional
    named = [name if place < needed else f"[{name}]" for place, name in enumerate(op.inputs)]
    return [*named, "..."] if op.is_open else named


def shown(argument: Argument) -> str:
    """An argument as a signature shows it."""
    if argument.inferred is not None:
        return f"{argument.name}=_"
    if argument.default is dataclasses.MISSING:
        return argument.name
    default = argument.default
    if isinstance(default, tuple) and argument.convert and argument.convert(default[0]) == default:
        default = default[0]
    return f"{argument.name}={default!r}"


def row(argument: Argument) -> str:
    """An argument's line in the table."""
    kind = "inferred" if argument.inferred is not None else describe(argument.schema)
    kind = kind.replace(f" to {LARGEST:,}", " up")
    return f"| `{argument.name}` | {kind} | {argument.doc} |".replace("``", "`")


def wrapped(call: str, width: int = 92) -> list[str]:
    """A call, broken at its commas."""
    if len(call) <= width:
        return [call]
    head, _, rest = call.partition("(")
    lines = [f"{head}("]
    for part in rest.split(", "):
        if len(lines[-1]) + len(part) + 2 > width or lines[-1] == f"{head}(":
            lines.append("   ")
        lines[-1] += f" {part},"
    lines[-1] = lines[-1].removesuffix(",").removesuffix(")")
    return [*lines, ")"]


if __name__ == "__main__":
    raise SystemExit(write_or_check(PAGE, page, __doc__))
