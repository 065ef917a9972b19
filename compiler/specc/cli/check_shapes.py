"""`specc check-shapes`: a table of rows with shapes and costs, and what does not fit."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from specc.cli.output import show
from specc.cli.selection import add_values, compile_selected, size
from specc.cli.table import Column, table
from specc.cli.verify import verify
from specc.documents import Findings, render_json
from specc.values.dimensions import shape_text

if TYPE_CHECKING:
    import argparse

    from specc.driver import Model
    from specc.ir.graph import Expectation, Node

__all__ = ["add_arguments", "run"]

COLUMNS = (
    Column("row"),
    Column("name"),
    Column("op"),
    Column("expected", is_right=True),
    Column("inferred", is_right=True),
    Column("parameters", is_right=True),
    Column("multiply-adds", is_right=True),
    Column("sees", is_right=True),
    Column(""),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    parser.add_argument("specs", nargs="+", metavar="SPEC[:VARIANT]", help="spec files")
    parser.add_argument("--input", type=size, metavar="512|512x640", help="another input size")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.add_argument(
        "--verify", action="store_true", help="run the emitted module on fake tensors and compare"
    )
    add_values(parser)


def run(options: argparse.Namespace) -> int:
    """Check each spec; the part that resolved is shown even where others did not."""
    return max(_check(path, options) for path in options.specs)


def _check(path: str, options: argparse.Namespace) -> int:
    is_json = options.format == "json"
    try:
        model = compile_selected(path, options, options.input)
    except Findings as findings:
        show(findings.diagnostics, is_json=is_json)
        return 1
    if is_json:
        print(json.dumps(_report(model), indent=2))
    else:
        print(_text(model))
        sys.stdout.flush()
        show(model.diagnostics)
    if not model.ok:
        return 1
    return verify(model) if options.verify else 0


def _text(model: Model) -> str:
    expected = {e.node: e for e in model.hierarchy.expectations}
    rows = [_row(model, node, expected.get(node.path)) for node in model.hierarchy.nodes()]
    lines = [table(COLUMNS, rows), ""]
    figures = [f"{model.parameters:,} parameters"]
    if model.macs is not None:
        figures.append(f"{model.macs:,} multiply-adds")
    lines.append(f"{model.name}: {', '.join(figures)}")
    found = model.facts.found
    if found is not None:
        maps = "  ".join(f"{h}x{w}x{n}={h * w * n:,}" for (h, w), n in found.per_map)
        lines.append(f"boxes: {maps}  total {found.boxes:,}")
    agreed = [e for e in model.hierarchy.expectations if e.expected == e.actual]
    if model.hierarchy.expectations:
        sizes = dict.fromkeys(str(e.actual[-1]) for e in agreed if len(e.actual) == 4)
        total = len(model.hierarchy.expectations)
        lines.append(f"expectations: {len(agreed)} of {total} hold ({'/'.join(sizes)})")
    return "\n".join(lines)


def _row(model: Model, node: Node, wanted: Expectation | None) -> list[str]:
    path = node.path
    costs = model.facts.costs
    expected = "" if wanted is None else shape_text(wanted.expected)
    shape = shape_text(node.shape) if node.shape is not None else "?"
    field = costs.fields.get(path)
    sees = "" if node.op is None or field is None else _pair(field.size)
    mark = ""
    if path in model.hierarchy.failed:
        mark = "<- failed"
    elif wanted is not None and wanted.expected != wanted.actual:
        mark = "<- not as expected"
    parameters, macs = costs.parameters.get(path, 0), costs.macs.get(path, 0)
    figures = [f"{parameters:,}" if parameters else "", f"{macs:,}" if macs else ""]
    return [path, node.name or "", node.kind, expected, shape, *figures, sees, mark]


def _pair(sides: tuple[int, int]) -> str:
    return str(sides[0]) if sides[0] == sides[1] else f"{sides[0]}x{sides[1]}"


def _report(model: Model) -> dict[str, Any]:
    costs = model.facts.costs
    expected = {e.node: [_plain(side) for side in e.expected] for e in model.hierarchy.expectations}
    rows = [
        {
            "index": index,
            "path": node.path,
            "name": node.name,
            "op": node.kind,
            "expected": expected.get(node.path),
            "shape": None if node.shape is None else [_plain(side) for side in node.shape],
            "parameters": costs.parameters.get(node.path, 0),
            "macs": costs.macs.get(node.path),
            "receptive_field": list(costs.fields[node.path].size)
            if node.path in costs.fields
            else None,
            "failed": model.hierarchy.failed.get(node.path),
        }
        for index, node in enumerate(model.hierarchy.nodes())
    ]
    totals = {"parameters": model.parameters, "macs": model.macs, "boxes": model.boxes}
    found = json.loads(render_json(model.diagnostics))["diagnostics"]
    return (
        {"version": 1, "name": model.name, "spec": model.path, "ok": model.ok}
        | totals
        | {
            "rows": rows,
            "diagnostics": found,
        }
    )


def _plain(side: object) -> int | str:
    return int(side) if isinstance(side, int) else str(side)
