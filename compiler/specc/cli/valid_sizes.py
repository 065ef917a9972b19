"""`specc check-shapes --valid-sizes`: the input sizes that a model takes, and where others break."""

from __future__ import annotations

import argparse
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from specc.cli.figures import head
from specc.cli.selection import compile_selected
from specc.cli.table import Column, table
from specc.passes.sizes import find_sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specc.driver import Model
    from specc.passes.sizes import Sizes

__all__ = ["is_askable", "size_range", "sizes_of", "sizes_report", "sizes_text"]

COLUMNS = (
    Column("breaks at"),
    Column("op"),
    Column("line", is_right=True),
    Column("sizes"),
    Column("at the first of them"),
)
RANGE = re.compile(r"(\d{1,7})\.\.(\d{1,7})(?::(\d{1,7}))?", re.ASCII)
LARGEST = 2**20
MOST_RUNS = 4
SHAPE_REFUSALS = ("E0402", "E0403", "E0404", "E0405", "E0406", "E0407", "E0408", "E0410", "E0411")


def size_range(text: str) -> range:
    """Read `64..1024` or `64..1024:32` as sizes, the last one included."""
    found = RANGE.fullmatch(text)
    first, last, step = (int(part or 1) for part in found.groups()) if found else (0, 0, 0)
    sizes = range(first, last + 1, step) if first and step and last < LARGEST else range(0)
    if not sizes:
        message = f"{text!r} is no range of sizes such as 64..1024 or 64..1024:32"
        raise argparse.ArgumentTypeError(message)
    return sizes


def is_askable(model: Model) -> bool:
    """Whether a model has no errors but those that another size might not have."""
    return all(
        found.severity != "error" or found.code in SHAPE_REFUSALS for found in model.diagnostics
    )


def sizes_of(model: Model, path: str, options: argparse.Namespace) -> Sizes:
    """Try every size that the options ask for."""
    return find_sizes(
        model.hierarchy,
        lambda side: compile_selected(path, options, (side, side)).hierarchy,
        options.valid_sizes,
    )


def sizes_text(model: Model, found: Sizes, asked: range) -> str:
    """Say which sizes are valid, and list the rows at which the others break."""
    valid = f"{len(found.valid):,} of {len(asked):,} sizes from {asked[0]} to {asked[-1]} are valid"
    rows = [
        [
            stop.node.path,
            stop.node.kind,
            str(stop.node.span.line),
            _words(stop.sizes, asked),
            stop.message,
        ]
        for stop in found.breaks
    ]
    lines = [f"{model.name}: {valid}: {_words(found.valid, asked)}"]
    return "\n".join([*lines, "", table(COLUMNS, rows)] if rows else lines)


def sizes_report(model: Model, found: Sizes, asked: range) -> dict[str, Any]:
    """Return the same for programs, with every size."""
    return head(model) | {
        "asked": {"first": asked[0], "last": asked[-1], "step": asked.step},
        "valid": found.valid,
        "breaks": [
            {
                "path": stop.node.path,
                "op": stop.node.kind,
                "file": stop.node.span.source.path,
                "line": stop.node.span.line,
                "message": stop.message,
                "sizes": stop.sizes,
            }
            for stop in found.breaks
        ],
    }


def _words(found: Sequence[int], asked: range) -> str:
    """Write sizes as people do: `multiples of 32`, `from 268 up`, `61-64, 93-96, ... (every 32)`."""
    if len(found) in (0, len(asked)):
        return "all" if found else "none"
    runs = _runs(found, asked.step)
    if len(runs) == 1 and found[-1] == asked[-1]:
        return f"from {found[0]} up"
    steps = {after - before for before, after in pairwise(found)}
    if len(found) > 2 and len(steps) == 1 and len(runs) == len(found):
        (step,) = steps
        if not found[0] % step:
            return _multiples(found, step, asked)
    shown = [_run(run) for run in runs]
    if len(runs) > MOST_RUNS:
        shown[MOST_RUNS - 1 : -1] = ["..."]
    return ", ".join(shown) + _regularity(runs, found, asked)


def _multiples(found: Sequence[int], step: int, asked: range) -> str:
    from_ = f" from {found[0]}" if found[0] - step >= asked[0] else ""
    to = f" to {found[-1]}" if found[-1] + step <= asked[-1] else ""
    return f"multiples of {step}{from_}{to}"


def _runs(found: Sequence[int], step: int) -> list[tuple[int, int]]:
    """Return first and last of each run of neighbouring sizes."""
    runs: list[tuple[int, int]] = []
    for side in found:
        if runs and side - runs[-1][1] == step:
            runs[-1] = (runs[-1][0], side)
        else:
            runs.append((side, side))
    return runs


def _run(run: tuple[int, int]) -> str:
    return str(run[0]) if run[0] == run[1] else f"{run[0]}-{run[1]}"


def _regularity(runs: list[tuple[int, int]], found: Sequence[int], asked: range) -> str:
    """Return ` (every 32)` for runs that come back, and whether multiples are among them."""
    period = _period(runs)
    if period is None:
        return ""
    is_safe = set(found).issuperset(side for side in asked if side % period == 0)
    return f" (every {period}, with all multiples of {period})" if is_safe else f" (every {period})"


def _period(runs: list[tuple[int, int]]) -> int | None:
    """Return the distance of runs of one length and distance; the outer two may be cut short."""
    inner = runs[1:-1]
    if len(inner) < 2 or len({last - first for first, last in inner}) > 1:
        return None
    periods = {after[0] - before[0] for before, after in pairwise(inner)}
    periods |= {inner[0][1] - runs[0][1], runs[-1][0] - inner[-1][0]}
    return periods.pop() if len(periods) == 1 else None
