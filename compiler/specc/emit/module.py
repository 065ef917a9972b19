"""Classes -> source: imports, helpers, classes and the detector's literal, as one file."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from jinja2 import Environment, PackageLoader, StrictUndefined

from specc.emit.classes import plan_classes
from specc.emit.layout import WIDTH, Line, statement
from specc.emit.plan import BODY, Argument, ClassPlan
from specc.emit.prose import KEEP, docstring, safe, sentence, wrapped
from specc.emit.structure import kind
from specc.emit.text import Table, text
from specc.ir.names import OUTPUTS
from specc.ir.tensors import leaves
from specc.values.traced import formula, names_in

if TYPE_CHECKING:
    from specc.emit.plan import Method
    from specc.ir.graph import Graph
    from specc.ops import Helper
    from specc.passes.pipeline import Facts
    from specc.values.expression import Expression

__all__ = ["emit_module"]

MEMBER = BODY // 2
_VISION = "from torchvision.ops import "


@dataclass(slots=True)
class _ClassText:
    """A class as the template takes it: lines only."""

    head: str
    doc: list[str]
    fields: list[str] = field(default_factory=list[str])
    methods: list[list[str]] = field(default_factory=list[list[str]])

    def lines(self) -> list[str]:
        return [self.head, *self.fields, *(line for method in self.methods for line in method)]


def emit_module(graph: Graph, facts: Facts, spec_path: str) -> str:
    """Return the source of a model. Two calls for one graph give the same bytes."""
    plans = plan_classes(graph)
    root = plans[-1]
    classes = [_class_text(plan) for plan in plans]
    if len(graph.root.outputs) > 1:
        classes.insert(-1, _outputs(graph, root))
    helpers = _helpers(plans)
    constants = _constants(root, facts.detector)
    return _template().render(
        doc=docstring(graph.spec.title, more=_about(graph, facts, spec_path)),
        imports=_imports(classes, helpers, constants),
        helpers=[helper.source.rstrip() for helper in helpers],
        classes=classes,
        constants=constants,
    )


@cache
def _template() -> Any:
    environment = Environment(  # noqa: S701  # the output is Python, not HTML
        loader=PackageLoader("specc.emit", "templates"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template("module.py.jinja")


# -- the head of the file


def _about(graph: Graph, facts: Facts, spec_path: str) -> list[str]:
    """Return what stands under the title: citation, origin, inputs, outputs and figures."""
    cited = [*wrapped(sentence(graph.spec.cite)), ""] if graph.spec.cite else []
    path = Path(spec_path).resolve()
    origin = f"{path.parent.name}/{path.name}"
    inputs = [_named(name, value) for name, value in graph.root.inputs.items()]
    outputs = [_named(name, value) for name, value in graph.root.outputs]
    figures = f"{facts.parameters:,} parameters"
    if facts.macs is not None:
        figures += f", {facts.macs / 1e9:.3f} G multiply-adds"
    if facts.boxes is not None:
        figures += f", {facts.boxes:,} boxes"
    flow = wrapped(f"{', '.join(inputs)} -> {', '.join(outputs)}", " " * 4)
    emitted = wrapped(f"Emitted by specc from {safe(origin)}: change the spec, not this file.")
    return [*cited, *emitted, "", *flow, f"    {figures}"]


def _named(name: str, value: Any) -> str:
    return f"{safe(name)}{KEEP}{_full(value)}"


def _full(value: Any) -> str:
    tensors = list(leaves(value))
    together = f",{KEEP}"
    shapes = [f"({together.join(map(str, t.shape))})" for t in tensors if t.shape is not None]
    return shapes[0] if len(shapes) == 1 else f"[{', '.join(shapes)}]"


def _helpers(plans: list[ClassPlan]) -> list[Helper]:
    """Return each source once, behind those that it needs, else by name."""
    found = {helper.name: helper for plan in plans for helper in plan.helpers}
    ordered: dict[str, Helper] = {}
    for name in sorted(found):
        ordered |= {needed.name: needed for needed in found[name].needs}
        ordered[name] = found[name]
    return list(ordered.values())


def _imports(classes: list[_ClassText], helpers: list[Helper], constants: list[str]) -> list[str]:
    """Return the import lines, sorted as `ruff` sorts them."""
    body = "\n".join(line for made in classes for line in made.lines())
    body = "\n".join([body, *(helper.source for helper in helpers), *constants])
    typing = [n for n in ("Any", "NamedTuple") if f"({n})" in body or f": {n}" in body]
    standard = ["import math"] if "math." in body else []
    standard += [f"from typing import {', '.join(typing)}"] if typing else []
    torch = ["import torch"] if "torch." in body else []
    torch.append("from torch import Tensor, nn" if "Tensor" in body else "from torch import nn")
    torch += ["from torch.nn import functional"] if "functional." in body else []
    lines = {line for helper in helpers for line in helper.imports}
    vision = sorted(line.removeprefix(_VISION) for line in lines if line.startswith(_VISION))
    torch += [f"{_VISION}{', '.join(vision)}  # pyright: ignore  # has no types"] if vision else []
    return [*standard, *([""] if standard else []), *torch]


# -- classes


def _class_text(plan: ClassPlan) -> _ClassText:
    head = f"class {plan.name}({plan.base}):"
    if len(head) > WIDTH:
        head = f"class {plan.name}(\n    {plan.base}\n):"
    made = _ClassText(head, docstring(plan.doc, " " * MEMBER))
    if plan.init:
        parts = ["self", *map(_argument, plan.arguments)]
        made.methods.append([*_signature("__init__", parts, "None"), *_lines(plan.init)])
    made.methods += map(_method, plan.methods)
    return made


def _argument(argument: Argument) -> str:
    declared = f"{argument.name}: {argument.kind}"
    return declared if argument.default is None else f"{declared} = {text(argument.default)}"


def _method(method: Method) -> list[str]:
    parts = ["self", *(f"{name}: {kind}" for name, kind in method.arguments)]
    return [*_signature(method.name, parts, method.returns), *_lines(method.body)]


def _signature(name: str, parts: list[str], returns: str) -> list[str]:
    indent = " " * MEMBER
    line = f"{indent}def {name}({', '.join(parts)}) -> {returns}:"
    if len(line) <= WIDTH:
        return [line]
    joined = f"{indent}    {', '.join(parts)}"
    inner = [joined] if len(joined) <= WIDTH else [f"{indent}    {part}," for part in parts]
    return [f"{indent}def {name}(", *inner, f"{indent}) -> {returns}:"]


def _lines(lines: tuple[Line, ...]) -> list[str]:
    return [written for line in lines for written in line.lines()]


def _outputs(graph: Graph, root: ClassPlan) -> _ClassText:
    """Return the named tuple that the model returns."""
    made = _ClassText(
        f"class {OUTPUTS}(NamedTuple):", docstring(f"What `{root.name}` returns", " " * MEMBER)
    )
    made.fields.append("")
    for name, value in graph.root.outputs:
        remark = f"  # {_open(value, root)}" if kind(value) == "Tensor" else ""
        made.fields.append(f"{' ' * MEMBER}{name}: {kind(value)}{remark}")
    return made


def _open(value: Any, root: ClassPlan) -> str:
    """Write a shape with the class's arguments in it: ``(N, 8732, num_classes)``."""
    open_names = {argument.name for argument in root.arguments}
    sides = [
        text(formula(side))
        if isinstance(side, int) and names_in(formula(side)) <= open_names
        else str(side)
        for side in next(leaves(value)).shape or ()
    ]
    return f"({', '.join(sides)})"


# -- constants


def _constants(root: ClassPlan, detector: dict[str, Any] | None) -> list[str]:
    lines = [f"MODEL = {root.name}"]
    if detector is not None:
        lines += ["", *statement("DETECTOR = ", _table(_staged(detector, root)), 0)]
    return lines


def _staged(detector: dict[str, Any], root: ClassPlan) -> dict[str, Any]:
    """Add what each stage of the root hands on, by which the runtime exchanges regions."""
    if "regions" not in detector:
        return detector
    stages = {m.name: list(m.hands_on) for m in root.methods if m.hands_on is not None}
    return detector | {"regions": detector["regions"] | {"stages": stages}}


def _table(value: Any) -> Expression:
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return Table(tuple((key, _table(item)) for key, item in items))
    return formula(value)
