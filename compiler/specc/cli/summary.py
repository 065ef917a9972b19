"""`specc summary`: what each module of a model gives, what it costs and what it sees."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from specc.cli.figures import count_text, field_text, findings_data, head, shape_data, totals
from specc.cli.output import show
from specc.cli.selection import add_input, add_values, compile_selected, depth
from specc.cli.table import Column, table
from specc.passes.summary import summarize
from specc.values.dimensions import shape_text

if TYPE_CHECKING:
    import argparse

    from specc.driver import Model
    from specc.passes.summary import Part

__all__ = ["add_arguments", "run"]

COLUMNS = (
    Column("part"),
    Column("module"),
    Column("gives", is_right=True),
    Column("parameters", is_right=True),
    Column("%", is_right=True),
    Column("multiply-adds", is_right=True),
    Column("%", is_right=True),
    Column("sees", is_right=True),
)
DEPTH = 1
MOST_SHAPES = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    parser.add_argument("spec", metavar="SPEC[:VARIANT]", help="a spec file")
    parser.add_argument(
        "--depth",
        type=depth,
        default=DEPTH,
        metavar="N",
        help=f"how many levels of modules to list (default: {DEPTH})",
    )
    add_input(parser)
    parser.add_argument("--format", choices=("table", "json"), default="table")
    add_values(parser)


def run(options: argparse.Namespace) -> int:
    """Sum up a spec; of one with errors, the part that resolved."""
    model = compile_selected(options.spec, options, options.input)
    whole = summarize(model.hierarchy, model.facts.costs)
    if options.format == "json":
        print(json.dumps(_report(model, whole, options.depth), indent=2))
    else:
        print(_text(model, whole, options.depth))
        sys.stdout.flush()
        show(model.diagnostics)
    return 0 if model.ok else 1


def _text(model: Model, whole: Part, depth: int) -> str:
    rows = [_row(part, level, whole) for level, part in whole.walk(depth)]
    sees = field_text(whole.field) if whole.field.size != (1, 1) else ""
    figures = [count_text(model.parameters), "", count_text(model.macs), ""]
    rows.append(["total", model.name, _shapes(whole), *figures, sees])
    return table(COLUMNS, rows)


def _row(part: Part, level: int, whole: Part) -> list[str]:
    times = f" x{part.count}" if part.count > 1 else ""
    return [
        "  " * level + part.path,
        f"{part.kind}{times}",
        _shapes(part),
        count_text(part.parameters),
        _percent(_share(part.parameters, whole.parameters)),
        count_text(part.macs),
        _percent(_share(part.macs, whole.macs)),
        field_text(part.field),
    ]


def _shapes(part: Part) -> str:
    shown = list(map(shape_text, part.shapes))
    if len(shown) > MOST_SHAPES:
        return f"{shown[0]} ... {shown[-1]}"
    return ", ".join(shown)


def _share(count: int | None, whole: int | None) -> float | None:
    return None if count is None or not whole else count / whole


def _percent(share: float | None) -> str:
    return f"{100 * share:.1f}" if share else ""


def _report(model: Model, whole: Part, depth: int) -> dict[str, Any]:
    parts = [_plain(part, level, whole) for level, part in whole.walk(depth)]
    found = findings_data(model.diagnostics)
    return head(model) | totals(model) | {"parts": parts, "diagnostics": found}


def _plain(part: Part, level: int, whole: Part) -> dict[str, Any]:
    return {
        "path": part.path,
        "level": level,
        "module": part.kind,
        "count": part.count,
        "shapes": [shape_data(shape) for shape in part.shapes],
        "parameters": part.parameters,
        "parameters_share": _share(part.parameters, whole.parameters),
        "macs": part.macs,
        "macs_share": _share(part.macs, whole.macs),
        "receptive_field": list(part.field.size),
    }
