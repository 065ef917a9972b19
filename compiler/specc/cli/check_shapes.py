"""`specc check-shapes`: a table of rows with shapes and costs, and what does not fit."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from specc.cli.figures import (
    count_text,
    field_text,
    findings_data,
    head,
    shape_data,
    totals,
    unreadable,
)
from specc.cli.output import show, show_sarif
from specc.cli.selection import add_values, compile_selected, size
from specc.cli.table import Column, table
from specc.cli.valid_sizes import is_askable, size_range, sizes_of, sizes_report, sizes_text
from specc.cli.verify import verify
from specc.documents import Findings
from specc.values.dimensions import shape_text

if TYPE_CHECKING:
    import argparse

    from specc.documents import Diagnostic
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
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--input", type=size, metavar="512|512x640", help="another input size")
    which.add_argument(
        "--valid-sizes",
        type=size_range,
        metavar="64..1024[:STEP]",
        help="tell which square inputs it takes, and at which row the others break",
    )
    parser.add_argument(
        "--format",
        choices=("table", "json", "sarif"),
        default="table",
        help="json: an object a line; sarif: the findings of all specs",
    )
    parser.add_argument(
        "--verify", action="store_true", help="run the emitted module on fake tensors and compare"
    )
    add_values(parser)


def run(options: argparse.Namespace) -> int:
    """Check each spec; the part that resolved is shown even where others did not."""
    if options.valid_sizes and (options.verify or options.format == "sarif"):
        message = "--valid-sizes goes with neither --verify nor --format sarif"
        print(f"specc check-shapes: {message}", file=sys.stderr)
        return 2
    if options.format == "sarif":
        return show_sarif(found for path in options.specs for found in _findings(path, options))
    return max(_check(path, options) for path in options.specs)


def _findings(path: str, options: argparse.Namespace) -> list[Diagnostic]:
    try:
        return compile_selected(path, options, options.input).diagnostics
    except Findings as findings:
        return findings.diagnostics


def _check(path: str, options: argparse.Namespace) -> int:
    is_json = options.format == "json"
    try:
        model = compile_selected(path, options, options.input)
    except Findings as findings:
        if is_json:
            print(json.dumps(unreadable(path, findings)))
        else:
            show(findings.diagnostics)
        return 1
    if options.valid_sizes and is_askable(model):
        return _sizes(model, path, options)
    if is_json:
        print(json.dumps(_report(model)))
    else:
        print(_text(model), flush=True)
        show(model.diagnostics)
    if not model.ok:
        return 1
    return verify(model) if options.verify else 0


def _sizes(model: Model, path: str, options: argparse.Namespace) -> int:
    """Answer `--valid-sizes`; a model that takes no size at all is an error."""
    asked = options.valid_sizes
    found = sizes_of(model, path, options)
    if options.format == "json":
        print(json.dumps(sizes_report(model, found, asked)))
    else:
        print(sizes_text(model, found, asked))
    return 0 if found.valid else 1


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
        shown = f" ({'/'.join(sizes)})" if sizes else ""
        lines.append(f"expectations: {len(agreed)} of {total} hold{shown}")
    return "\n".join(lines)


def _row(model: Model, node: Node, wanted: Expectation | None) -> list[str]:
    path = node.path
    costs = model.facts.costs
    expected = "" if wanted is None else shape_text(wanted.expected)
    field = costs.fields.get(path)
    sees = "" if node.op is None or field is None else field_text(field)
    figures = [count_text(costs.parameters.get(path)), count_text(costs.macs.get(path))]
    return [
        path,
        node.name or "",
        node.kind,
        expected,
        shape_text(node.shape),
        *figures,
        sees,
        _mark(model, node, wanted),
    ]


def _mark(model: Model, node: Node, wanted: Expectation | None) -> str:
    is_wrong = node.path in model.faults
    if is_wrong and node.shape is None:
        return "<- failed"
    if wanted is not None and wanted.expected != wanted.actual:
        return "<- not as expected"
    return "<- wrong" if is_wrong else ""


def _report(model: Model) -> dict[str, Any]:
    costs = model.facts.costs
    expected = {e.node: shape_data(e.expected) for e in model.hierarchy.expectations}
    rows = [
        {
            "index": index,
            "path": node.path,
            "name": node.name,
            "op": node.kind,
            "expected": expected.get(node.path),
            "shape": shape_data(node.shape),
            "parameters": costs.parameters.get(node.path, 0),
            "macs": costs.macs.get(node.path),
            "receptive_field": list(costs.fields[node.path].size)
            if node.path in costs.fields
            else None,
            "failed": model.faults.get(node.path),
        }
        for index, node in enumerate(model.hierarchy.nodes())
    ]
    found = findings_data(model.diagnostics)
    return head(model) | totals(model) | {"rows": rows, "diagnostics": found}
