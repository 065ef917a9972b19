"""Find names of a spec that would be one name in the emitted file."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

from specc.documents import Label, did_you_mean
from specc.ir.names import class_name, has_meaning
from specc.ops import OPS
from specc.values.expression import Name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specc.documents import Report, Span
    from specc.ir.spec import ModuleSpec, Spec

__all__ = ["check_collisions", "check_stages", "sizes"]

Classes = dict[str, tuple[str, "Span"]]


def check_collisions(spec: Spec, report: Report) -> None:
    """Report modules that would share a class name, and names that a module gives twice."""
    root = spec.class_name or class_name(spec.name)
    classes: Classes = {root: ("the root's class", spec.root.span)}
    if spec.class_name is None and has_meaning(root):
        _report_collision(report, root, spec.root.span, "a name that emitted files import")
    for module in spec.modules.values():
        name = class_name(module.name)
        if module.name in OPS:
            _report_collision(report, module.name, module.span, f"the op `{module.name}`")
        elif has_meaning(name):
            _report_collision(report, module.name, module.span, f"`{name}` of torch or Python")
        elif name in classes:
            _report_collision(report, module.name, module.span, *classes[name])
        else:
            classes[name] = (f"module `{module.name}`", module.span)
    for alias, (_, span) in spec.use.items():
        if alias in spec.modules:
            _report_twice(report, alias, span, spec.modules[alias].span)
    _check_outputs(spec.root, report)
    for module in (spec.root, *spec.modules.values()):
        _check_arguments(module, classes, report)
        _check_names(module, report)


def _check_outputs(root: ModuleSpec, report: Report) -> None:
    """Report outputs of the named tuple that would hide what every tuple has."""
    outputs = root.outputs or []
    for name, phrase in outputs if len(outputs) > 1 else []:
        if name in ("count", "index"):
            _report_collision(report, name, phrase.span, f"`tuple.{name}`")


def _check_arguments(module: ModuleSpec, classes: Classes, report: Report) -> None:
    """Report parameters and sizes that would hide a class, and names that channels would hide."""
    channels = [f"{declared.name}_channels" for declared in module.inputs]
    for name, span in (*_params(module), *sizes(module)):
        if name in classes:
            _report_collision(report, name, span, *classes[name])
    for name, span in (*_params(module), *sizes(module), *_rows(module)):
        if name in channels:
            taken = f"the channels of the input `{name.removesuffix('_channels')}`"
            _report_collision(report, name, span, taken)


def _check_names(module: ModuleSpec, report: Report) -> None:
    """Report inputs, sizes and names of loops that are taken already."""
    given = dict(_params(module))
    for declared in module.inputs:
        _report_twice(report, declared.name, declared.span, given.get(declared.name))
        given.setdefault(declared.name, declared.span)
    for name, span in dict(reversed(list(sizes(module)))).items():
        if name not in module.params:
            _report_twice(report, name, span, given.get(name))
    given |= {name: phrase.span for name, phrase in module.let.items()}
    for row in module.rows:
        if row.name is not None:
            given[row.name] = row.name_span
        for setting in row.each:
            _report_twice(report, setting.name, setting.span, given.get(setting.name))


def _params(module: ModuleSpec) -> Iterator[tuple[str, Span]]:
    for param in module.params.values():
        yield param.name, param.span


def _rows(module: ModuleSpec) -> Iterator[tuple[str, Span]]:
    for row in module.rows:
        if row.name is not None:
            yield row.name, row.name_span


def sizes(module: ModuleSpec) -> Iterator[tuple[str, Span]]:
    """Yield the names that a module gives to the sizes of its inputs."""
    for declared in module.inputs:
        if declared.shape is not None:
            for item in cast("Any", declared.shape.expression).items:
                if isinstance(item, Name):
                    yield item.id, declared.shape.at(item.at)


def check_stages(spec: Spec, report: Report) -> None:
    """Report stages that do not divide the rows, and those named like what the root holds."""
    rows = {row.key: row for row in spec.root.rows}
    _check_order(spec, list(rows), report)
    for name, last, span in spec.stages:
        if last not in rows:
            help = did_you_mean(last, rows, "name the row it ends with")
            message = f"the root has no row `{last}` for the stage `{name}` to end with"
            report.add("E0301", message, span, "unknown row", help=help)
        if name in rows:
            _report_collision(report, name, span, f"row `{name}`", rows[name].name_span)
        elif name in spec.root.params:
            _report_collision(
                report, name, span, f"parameter `{name}`", spec.root.params[name].span
            )


def _check_order(spec: Spec, keys: list[str], report: Report) -> None:
    """Report a stage that ends before it begins, and rows behind the last."""
    ends = [(name, last, span) for name, last, span in spec.stages if last in keys]
    for (before, end, _), (name, last, span) in pairwise(ends):
        if keys.index(last) <= keys.index(end):
            message = (
                f"the stage `{name}` ends with `{last}`, and `{before}` before it with `{end}`"
            )
            help = "list the stages in the order of the rows, each with rows of its own"
            report.add("E0315", message, span, "no row is left for it", help=help)
            return
    if ends and len(ends) == len(spec.stages) and ends[-1][1] != keys[-1]:
        name, last, span = ends[-1]
        message = f"the last stage, `{name}`, ends with `{last}`, and the rows with `{keys[-1]}`"
        help = f"end it with `{keys[-1]}`, or add a stage"
        report.add("E0315", message, span, "not the last row", help=help)


def _report_twice(report: Report, name: str, span: Span, first: Span | None) -> None:
    if first is not None:
        also = [Label(first, "first use")]
        help = "choose another name"
        report.add("E0302", f"`{name}` is named twice", span, "second use", help=help, also=also)


def _report_collision(
    report: Report, name: str, span: Span, other: str, place: Span | None = None
) -> None:
    also = [] if place is None else [Label(place, other)]
    message = f"`{name}` and {other} would have one name in the emitted code"
    report.add("E0216", message, span, "same name", help="choose another name", also=also)
