"""`specc diff`: the rows, shapes, parameters and multiply-adds in which two models differ."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, cast

from specc.cli.figures import count_text, head, shape_data, totals
from specc.cli.output import show
from specc.cli.revision import NoRevision, found
from specc.cli.selection import add_input, add_values, compile_selected
from specc.cli.table import Column, table
from specc.documents import Findings
from specc.passes.difference import compare
from specc.values.dimensions import shape_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from specc.driver import Model
    from specc.passes.difference import Change, Difference, Side

__all__ = ["add_arguments", "run"]

COLUMNS = (
    Column(""),
    Column("row"),
    Column("op"),
    Column("settings"),
    Column("reads"),
    Column("gives"),
    Column("parameters", is_right=True),
    Column("multiply-adds", is_right=True),
)
NAMES = {"parameters": "parameters", "macs": "multiply-adds", "boxes": "boxes"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    which = "SPEC[:VARIANT], or REVISION:SPEC[:VARIANT] of a git repository"
    parser.add_argument("before", metavar="A", help=which)
    parser.add_argument("after", metavar="B", help="the same")
    add_input(parser)
    parser.add_argument("--format", choices=("table", "json"), default="table")
    add_values(parser)


def run(options: argparse.Namespace) -> int:
    """Compare; as `diff` does, return 0 for equal models, 1 for others, 2 where there is trouble."""
    try:
        before, after = (_model(name, options) for name in (options.before, options.after))
    except NoRevision as error:
        print(f"specc diff: {error}", file=sys.stderr)
        return 2
    except Findings as findings:
        show(findings.diagnostics, is_json=options.format == "json")
        return 2
    difference = compare((before.hierarchy, before.facts), (after.hierarchy, after.facts))
    if options.format == "json":
        print(json.dumps(_report(before, after, difference), indent=2))
    else:
        print(_text(before, after, difference))
    return 0 if difference.is_empty else 1


def _model(name: str, options: argparse.Namespace) -> Model:
    """Compile one side; one with errors cannot be compared."""
    with found(name) as spec:
        model = compile_selected(spec, options, options.input)
        if not model.ok:
            raise Findings(model.diagnostics)
    model.path = name
    return model


def _text(before: Model, after: Model, difference: Difference) -> str:
    if difference.is_empty:
        return f"no difference in {difference.same:,} rows"
    blocks = [f"--- {before.path}\n+++ {after.path}"]
    if difference.changes:
        blocks.append(table(COLUMNS, [_row(change) for change in difference.changes]))
    settings = difference.settings.items()
    lines = [f"{name}: {_value(old)} -> {_value(new)}" for name, (old, new) in settings]
    old, new = totals(before), totals(after)
    lines += [
        _total(name, old[key], new[key]) for key, name in NAMES.items() if old[key] or new[key]
    ]
    blocks.append("\n".join([*lines, _counts(difference)]))
    return "\n\n".join(blocks)


def _row(change: Change) -> list[str]:
    """Write a row that is new or gone as it is, and of one that changed what did."""
    sides = [side for side in (change.before, change.after) if side is not None]
    if len(sides) == 1:
        return ["+" if change.before is None else "-", change.path, *_alone(sides[0])]
    old, new = sides
    pairs = zip(_alone(old), _alone(new), strict=True)
    kind, _, _, *figures = (
        was if was == now else f"{was or 'none'} -> {now or 'none'}" for was, now in pairs
    )
    return ["~", change.path, kind, _settings(old, new), _reads(old, new), *figures]


def _alone(side: Side) -> list[str]:
    figures = count_text(side.parameters), count_text(side.macs)
    return [side.kind, "", "", shape_text(side.shape), *figures]


def _reads(old: Side, new: Side) -> str:
    """Write which rows feed a row no longer, and which do now."""
    if old.reads == new.reads:
        return ""
    lost = ", ".join(path for path in old.reads if path not in new.reads)
    gained = ", ".join(path for path in new.reads if path not in old.reads)
    if lost and gained:
        return f"{lost} -> {gained}"
    return f"+ {gained}" if gained else f"- {lost}" if lost else "the same, in another way"


def _settings(old: Side, new: Side) -> str:
    """Write the settings that differ; those of another op are not compared."""
    if old.kind != new.kind:
        return ""
    names = [
        n for n in {**old.settings, **new.settings} if old.settings.get(n) != new.settings.get(n)
    ]
    turns = (f"{n}: {_value(old.settings.get(n))} -> {_value(new.settings.get(n))}" for n in names)
    return ", ".join(turns)


def _value(value: object) -> str:
    """Write a setting; a pair of one number is written once."""
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return ", ".join(f"{name}={_value(item)}" for name, item in items)
    if isinstance(value, (list, tuple)):
        items = cast("Sequence[object]", value)
        is_one = isinstance(value, tuple) and len(items) == 2 and items[0] == items[1]
        return _value(items[0]) if is_one else f"[{', '.join(map(_value, items))}]"
    return "none" if value is None else str(value)


def _total(name: str, old: int | None, new: int | None) -> str:
    was, now = ("none" if count is None else f"{count:,}" for count in (old, new))
    if old == new:
        return f"{name}: {now}"
    by = "" if old is None or new is None else f" ({new - old:+,})"
    return f"{name}: {was} -> {now}{by}"


def _counts(difference: Difference) -> str:
    added = sum(change.before is None for change in difference.changes)
    removed = sum(change.after is None for change in difference.changes)
    changed = len(difference.changes) - added - removed
    counts = {"changed": changed, "added": added, "removed": removed, "the same": difference.same}
    return f"rows: {', '.join(f'{count:,} {what}' for what, count in counts.items() if count)}"


def _report(before: Model, after: Model, difference: Difference) -> dict[str, Any]:
    return {
        "version": 1,
        "equal": difference.is_empty,
        "before": head(before) | totals(before),
        "after": head(after) | totals(after),
        "rows": [
            {"path": change.path, "before": _data(change.before), "after": _data(change.after)}
            for change in difference.changes
        ],
        "settings": {
            name: {"before": old, "after": new} for name, (old, new) in difference.settings.items()
        },
        "same": difference.same,
    }


def _data(side: Side | None) -> dict[str, Any] | None:
    if side is None:
        return None
    return {
        "op": side.kind,
        "settings": side.settings,
        "reads": side.reads,
        "shape": shape_data(side.shape),
        "parameters": side.parameters,
        "macs": side.macs,
    }
