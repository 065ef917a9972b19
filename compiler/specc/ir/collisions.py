"""Find names of a spec that would be one name in the emitted file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.documents import Label, suggest
from specc.ir.names import OUTPUTS, class_name
from specc.ops import OPS

if TYPE_CHECKING:
    from specc.documents import Report, Span
    from specc.ir.spec import Spec

__all__ = ["check_collisions", "check_stages"]


def check_collisions(spec: Spec, report: Report) -> None:
    """Report modules that would share a class name: with an op, the root or one another."""
    root = spec.class_name or class_name(spec.name)
    classes: dict[str, tuple[str, Span | None]] = {OUTPUTS: ("the named tuple of outputs", None)}
    classes[root] = ("the root's class", spec.root.span)
    for module in spec.modules.values():
        if module.name in OPS:
            _collide(report, module.name, f"the op `{module.name}`", module.span, None)
            continue
        name = module.name[:1].upper() + module.name[1:]
        if name in classes:
            _collide(report, module.name, classes[name][0], module.span, classes[name][1])
        classes.setdefault(name, (f"module `{module.name}`", module.span))


def check_stages(spec: Spec, report: Report) -> None:
    """Report stages that end with no row, and those named like what the root holds."""
    rows = {row.key: row for row in spec.root.rows}
    for name, last, span in spec.stages:
        if last not in rows:
            near = suggest(last, list(rows))
            help = f"did you mean `{near}`?" if near else "name the row it ends with"
            message = f"the root has no row `{last}` for the stage `{name}` to end with"
            report.add("E0301", message, span, "unknown row", help=help)
        if name in rows:
            _collide(report, name, f"row `{name}`", span, rows[name].name_span)
        elif name in spec.root.params:
            _collide(report, name, f"parameter `{name}`", span, spec.root.params[name].span)


def _collide(report: Report, name: str, other: str, span: Span, place: Span | None) -> None:
    also = [] if place is None else [Label(place, other)]
    message = f"`{name}` and {other} would have one name in the emitted code"
    report.add("E0216", message, span, "same name", help="choose another name", also=also)
