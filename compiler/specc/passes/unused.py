"""Warn of what a spec says and nothing uses: rows, parameters, modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from specc.documents import plain
from specc.ir.tensors import leaves
from specc.values.expression import Call
from specc.values.traced import names_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specc.documents import Report, Span
    from specc.ir.graph import Graph
    from specc.ir.spec import ModuleSpec, Spec

__all__ = ["find_unused"]


def find_unused(graph: Graph, report: Report) -> None:
    """Report dead rows, parameters that no instance reads, modules and files that nothing names.

    While there are errors, what they cut off would look unused too.
    """
    if report.errors:
        return
    _dead_rows(graph, report)
    _unused_parameters(graph, report)
    _unused_modules(graph, report)


def _dead_rows(graph: Graph, report: Report) -> None:
    outputs = {tensor.origin for value in graph.outputs().values() for tensor in leaves(value)}
    alive = set(outputs)
    waiting = list(outputs)
    while waiting:
        for source in graph[waiting.pop()].inputs:
            if source not in alive:
                alive.add(source)
                waiting.append(source)
    spans: set[tuple[int, int]] = set()
    ends = (path for path, readers in graph.readers.items() if not readers)
    for path in ends:
        node = graph[path]
        if path in alive or (node.span.start, node.span.end) in spans:
            continue
        spans.add((node.span.start, node.span.end))
        dead = len(graph.ancestors(path) - alive)
        rows = "row" if dead == 1 else f"{dead} rows"
        behind = f", nor the {rows} before it" if dead else ""
        message = f"nothing uses `{node.path}`{behind}"
        help = "use it, add it to `outputs`, or take the row out"
        report.add("W0601", message, node.span, "dead row", help=help)


def _unused_parameters(graph: Graph, report: Report) -> None:
    used: dict[tuple[int, str], bool] = {}
    spans: dict[tuple[int, str], tuple[str, str, Span]] = {}
    for instance in graph.instances():
        if instance.spec.spec is not graph.spec:
            continue
        for name, param in instance.spec.params.items():
            key = (id(instance.spec), name)
            used[key] = used.get(key, False) or name in instance.used
            spans[key] = (name, instance.spec.name, param.span)
    for key, is_used in used.items():
        name, module, span = spans[key]
        if not is_used:
            message = f"parameter `{name}` of `{module}` is not used"
            report.add("W0602", message, span, "unused", help="use it, or take it out")


def _unused_modules(graph: Graph, report: Report) -> None:
    named = _named_from_root(graph.spec)
    for module in graph.spec.modules.values():
        if module.name not in named:
            message = f"module `{module.name}` is not used"
            report.add("W0603", message, module.span, "unused", help="call it, or take it out")
    for name, (_, span) in graph.spec.use.items():
        if name not in named:
            message = f"file `{name}` is not used"
            report.add("W0603", message, span, "unused", help="call it, or take it out")


def _named_from_root(spec: Spec) -> set[str]:
    """Return the names that lead from the root, by whatever values its parameters take."""
    found: set[str] = set()
    others = [*spec.variants.values(), *spec.expect]
    waiting = _names(spec.root).union(*(_texts(plain(values)) for values in others))
    while waiting:
        name = waiting.pop()
        found.add(name)
        if name in spec.modules:
            waiting |= _names(spec.modules[name]) - found
    return found


def _names(module: ModuleSpec) -> set[str]:
    """Return the names in a module's calls, constants and defaults."""
    names = set(_texts([param.default for param in module.params.values()]))
    phrases = list(module.let.values())
    for row in module.rows:
        phrases += [row.call, *(setting.phrase for setting in row.first)]
    for phrase in phrases:
        names |= names_in(phrase.expression)
        if isinstance(phrase.expression, Call):
            names |= names_in(phrase.expression.function)
    return names


def _texts(value: object) -> Iterator[str]:
    """Yield the texts in plain data: a parameter's value may be a module's name."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts(list(cast("dict[str, object]", value).values()))
    elif isinstance(value, (list, tuple)):
        for item in cast("list[object]", value):
            yield from _texts(item)
