"""Classes -> source: imports, helpers, classes and the detector's literal, as one file."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from specc.emit.classes import IN_FUNCTION, ClassPlan, Method, Statement, plan_classes
from specc.emit.layout import Table, statement, text
from specc.ir.tensors import leaves
from specc.values.expression import Expression, Literal
from specc.values.traced import formula

if TYPE_CHECKING:
    from specc.emit.classes import Argument
    from specc.ir.graph import Graph
    from specc.passes.pipeline import Facts

__all__ = ["emit_module"]

MEMBER = 4


@dataclass(slots=True)
class _ClassText:
    """A class as the template takes it: lines only."""

    head: str
    doc: list[str]
    fields: list[str] = field(default_factory=list[str])
    methods: list[list[str]] = field(default_factory=list[list[str]])


def emit_module(graph: Graph, facts: Facts, spec_path: str) -> str:
    """Return the source of a model. Two calls for one graph give the same bytes."""
    name = graph.spec.class_name or _class_name(graph.spec.name)
    classes = plan_classes(graph, name)
    root = classes[-1]
    texts = [_class_text(plan) for plan in classes]
    if len(graph.root.outputs) > 1:
        texts.insert(-1, _outputs(graph, root))
    helpers = list({h.name: h for plan in classes for h in plan.helpers}.values())
    constants = _constants(name, facts.detector)
    template = _environment().get_template("module.py.jinja")
    return template.render(
        title=_title(graph),
        about=_about(graph, facts, spec_path),
        imports=_imports(texts, helpers, constants),
        helpers=[helper.source.rstrip() for helper in sorted(helpers, key=lambda h: h.name)],
        classes=texts,
        constants=constants,
    )


@cache
def _environment() -> Environment:
    loader = PackageLoader("specc.emit", "templates")
    return Environment(  # noqa: S701: the output is Python, not HTML
        loader=loader,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )


def _class_name(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _safe(prose: str) -> str:
    """Keep prose of the spec inside a docstring: no escapes, no quotes that could end it."""
    kept = "".join(c for c in prose if c.isprintable()).replace("\\", "/").replace('"', "'")
    return " ".join(kept.split())


def _wrapped(prose: str, width: int, indent: str = "") -> list[str]:
    lines = [indent]
    for word in prose.split(" "):
        if len(lines[-1]) + len(word) + 1 > width and lines[-1].strip():
            lines.append(indent)
        lines[-1] += word if lines[-1] == indent else f" {word}"
    return lines


def _title(graph: Graph) -> str:
    spec = graph.spec
    title = _safe(spec.title)
    return f"{title}." if not title.endswith(".") else title


def _about(graph: Graph, facts: Facts, spec_path: str) -> list[str]:
    spec = graph.spec
    lines: list[str] = []
    if spec.cite:
        lines += [*_wrapped(_safe(spec.cite).rstrip(".") + ".", 96), ""]
    lines += [f"Emitted by specc from {_safe(spec_path)}: change the spec, not this file.", ""]
    inputs = [f"{n} {_full(v)}" for n, v in graph.root.inputs.items()]
    outputs = [f"{n} {_full(v)}" for n, v in graph.root.outputs]
    figures = f"{facts.parameters:,} parameters"
    if facts.macs is not None:
        figures += f", {facts.macs / 1e9:.3f} G multiply-adds"
    if facts.boxes is not None:
        figures += f", {facts.boxes:,} boxes"
    flow = f"{', '.join(inputs)} -> {', '.join(outputs)}"
    return [*lines, *(f"    {line}" for line in _wrapped(flow, 90)), f"    {figures}"]


def _full(value: Any) -> str:
    tensors = list(leaves(value))
    shapes = [f"({', '.join(map(str, t.shape))})" for t in tensors if t.shape is not None]
    return shapes[0] if len(shapes) == 1 else f"[{', '.join(shapes)}]"


def _imports(texts: list[_ClassText], helpers: list[Any], constants: list[str]) -> list[str]:
    """Return the import lines, in the order that `ruff check --select I` wants."""
    lines = [line for t in texts for part in ([t.head], t.fields, *t.methods) for line in part]
    body = "\n".join([*lines, *(helper.source for helper in helpers), *constants])
    standard = [line for line, used in (("import math", "math."),) if used in body]
    if "(NamedTuple)" in body:
        standard.append("from typing import NamedTuple")
    torch = ["import torch"] if "torch." in body else []
    torch.append("from torch import Tensor, nn" if "Tensor" in body else "from torch import nn")
    if "functional." in body:
        torch.append("from torch.nn import functional")
    extra = {line for h in helpers for line in h.imports if "torchvision" in line}
    return [*standard, *([""] if standard else []), *torch, *sorted(extra)]


def _class_text(plan: ClassPlan) -> _ClassText:
    made = _ClassText(f"class {plan.name}({plan.base}):", _docstring(plan.doc))
    made.methods.append(_init(plan))
    made.methods += [_method(method) for method in plan.methods]
    return made


def _docstring(doc: list[str]) -> list[str]:
    indent = " " * MEMBER
    lines = _wrapped(_safe(doc[0]), 92, indent)
    if len(lines) == 1 and len(doc) == 1:
        return [f'{indent}"""{lines[0].strip()}"""']
    return [f'{indent}"""{lines[0].strip()}', *lines[1:], *doc[1:], f'{indent}"""']


def _init(plan: ClassPlan) -> list[str]:
    arguments = [("self", None)] + [(a.name, a) for a in plan.arguments]
    parts = [name if a is None else _argument(a) for name, a in arguments]
    return [*_signature("__init__", parts, "None"), *_rendered(plan.init)]


def _argument(argument: Argument) -> str:
    if argument.required:
        return f"{argument.name}: {argument.kind}"
    default: object = argument.default
    if argument.kind == "float" and isinstance(default, int):
        default = float(default)
    plain = float(default) if argument.kind == "float" else int(default)  # pyright: ignore
    return f"{argument.name}: {argument.kind} = {text(Literal(plain))}"


def _method(method: Method) -> list[str]:
    parts = ["self", *(f"{name}: {kind}" for name, kind in method.inputs)]
    head = _signature(method.name, parts, method.returns)
    doc = [f'{" " * IN_FUNCTION}"""{method.doc}"""'] if method.doc else []
    return [*head, *doc, *_rendered(method.body)]


def _signature(name: str, parts: list[str], returns: str) -> list[str]:
    indent = " " * MEMBER
    line = f"{indent}def {name}({', '.join(parts)}) -> {returns}:"
    if len(line) <= 100:
        return [line]
    joined = f"{indent}    {', '.join(parts)}"
    if len(joined) <= 100:
        return [f"{indent}def {name}(", joined, f"{indent}) -> {returns}:"]
    return [f"{indent}def {name}(", *(f"{indent}    {p}," for p in parts), f"{indent}) -> {returns}:"]


def _rendered(statements: list[Statement]) -> list[str]:
    return [line for s in statements for line in s.rendered()]


def _outputs(graph: Graph, root: ClassPlan) -> _ClassText:
    """Return the named tuple that the root returns."""
    made = _ClassText("class Outputs(NamedTuple):", _docstring([f"What `{root.name}` returns."]))
    made.fields.append("")
    for name, value in graph.root.outputs:
        kind = "list[Tensor]" if isinstance(value, list) else "Tensor"
        remark = "" if isinstance(value, list) else f"  # {_symbolic(value)}"
        made.fields.append(f"{' ' * MEMBER}{name}: {kind}{remark}")
    return made


def _symbolic(value: Any) -> str:
    """Write a shape with the class's arguments in it: ``(N, 8732, num_classes)``."""
    tensor = next(leaves(value))
    sides = [text(formula(s)) if isinstance(s, int) else str(s) for s in tensor.shape or ()]
    return f"({', '.join(sides)})"


def _constants(name: str, detector: dict[str, Any] | None) -> list[str]:
    lines = [f"MODEL = {name}"]
    return lines if detector is None else [*lines, "", *statement("DETECTOR = ", _table(detector), 0)]


def _table(value: Any) -> Expression:
    if isinstance(value, dict):
        items: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
        return Table(tuple((key, _table(item)) for key, item in items.items()))
    return formula(value)

