"""Warn of what a spec says and nothing uses: rows, parameters, constants, modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from specc.documents import plain
from specc.ir.key_patterns import Hole
from specc.ir.tensors import leaves
from specc.values.expression import Call
from specc.values.traced import names_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from specc.documents import Report
    from specc.ir.graph import Graph
    from specc.ir.spec import ModuleSpec, Spec
    from specc.values.expression import Expression

__all__ = ["find_unused", "named_from"]


def find_unused(graph: Graph, report: Report) -> None:
    """Report dead rows, and parameters, constants, modules and files that nothing names.

    While there are errors, what they cut off would look unused too.
    """
    if report.errors:
        return
    _dead_rows(graph, report)
    named = named_from(graph.spec.root, graph.spec)
    _unused_parameters(graph.spec, named, report)
    _unused_modules(graph.spec, named, report)


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


def _unused_parameters(spec: Spec, named: set[str], report: Report) -> None:
    beside = _names(_beside(spec))
    for module in (spec.root, *spec.modules.values()):
        is_root = module is spec.root
        if not is_root and module.name not in named:
            continue
        read = _names(_expressions(module)) | (beside if is_root else set[str]())
        given = [("parameter", name, param.span) for name, param in module.params.items()]
        given += [("constant", name, phrase.span) for name, phrase in module.let.items()]
        for kind, name, span in given:
            if name not in read:
                message = f"{kind} `{name}` of `{module.name}` is not used"
                report.add("W0602", message, span, "unused", help="use it, or take it out")


def _unused_modules(spec: Spec, named: set[str], report: Report) -> None:
    for module in spec.modules.values():
        if module.name not in named:
            message = f"module `{module.name}` is not used"
            report.add("W0603", message, module.span, "unused", help="call it, or take it out")
    for name, (_, span) in spec.use.items():
        if name not in named:
            message = f"file `{name}` is not used"
            report.add("W0603", message, span, "unused", help="call it, or take it out")


def named_from(module: ModuleSpec, spec: Spec) -> set[str]:
    """Return the names that lead from a module, by whatever values the root's parameters take."""
    found: set[str] = set()
    others = [*spec.variants.values(), *spec.expect]
    waiting = _named(module).union(*(_texts(plain(values)) for values in others))
    while waiting:
        name = waiting.pop()
        found.add(name)
        if name in spec.modules:
            waiting |= _named(spec.modules[name]) - found
    return found


def _named(module: ModuleSpec) -> set[str]:
    """Return the names that a module reads or hands on as a parameter's default."""
    defaults = [param.default for param in module.params.values()]
    return _names(_expressions(module)) | set(_texts(defaults))


def _names(expressions: Iterable[Expression]) -> set[str]:
    """Return the names that expressions read, and those of what they call."""
    names: set[str] = set()
    for expression in expressions:
        names |= names_in(expression)
        if isinstance(expression, Call):
            names |= names_in(expression.function)
    return names


def _expressions(module: ModuleSpec) -> Iterator[Expression]:
    """Yield all that a module says, whatever its conditions leave out."""
    phrases = [declared.shape for declared in module.inputs]
    phrases += module.let.values()
    phrases += [value.phrase for declared in module.init for value in declared.values]
    phrases += [phrase for _, phrase in module.outputs or ()]
    for row in module.rows:
        settings = (*row.first, *row.each, *row.init)
        phrases += [row.call, row.expect, row.condition, row.repeat]
        phrases += [setting.phrase for setting in settings]
        yield from row.inputs or ()
        yield from (value for _, value, _ in row.keywords)
    yield from (phrase.expression for phrase in phrases if phrase is not None)


def _beside(spec: Spec) -> Iterator[Expression]:
    """Yield what a file says beside its modules: of the detector, the images and the weights."""
    phrases = [spec.preprocess, *spec.detector.values()]
    for weights in spec.weights.values():
        phrases += [weights.condition, weights.preprocess, *(call for _, call in weights.convert)]
        sides = [side for line in weights.lines for side in line]
        for pattern in (*sides, *weights.new):
            yield from (piece.expression for piece in pattern.pieces if isinstance(piece, Hole))
    yield from (phrase.expression for phrase in phrases if phrase is not None)


def _texts(value: object) -> Iterator[str]:
    """Yield the texts in plain data: a parameter's value may be a module's name."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts(list(cast("dict[str, object]", value).values()))
    elif isinstance(value, (list, tuple)):
        for item in cast("list[object]", value):
            yield from _texts(item)
