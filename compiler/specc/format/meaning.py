"""Where the expressions of a spec stand, and whether two texts say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from specc.documents import Mapping, Scalar, Sequence
from specc.format.calls import tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specc.documents import Node

__all__ = ["expressions", "modules", "rows", "says_the_same"]

_IN_MODULE = ("inputs", "let", "init", "layers", "outputs")
_IN_ROOT = ("preprocess", "detector")
_IN_WEIGHTS = ("if", "convert", "preprocess")


def modules(root: Mapping) -> Iterator[Mapping]:
    """Yield the mappings that are modules: those under `modules`, and the file."""
    held = root.get("modules")
    if isinstance(held, Mapping):
        yield from (node for _, node in held.entries if isinstance(node, Mapping))
    yield root


def expressions(root: Mapping) -> Iterator[Scalar]:
    """Yield the texts that are expressions or rows."""
    for module in modules(root):
        for key in (*_IN_MODULE, *(_IN_ROOT if module is root else ())):
            yield from _texts(module.get(key))
    weights = root.get("weights")
    for _, checkpoint in weights.entries if isinstance(weights, Mapping) else []:
        for key in _IN_WEIGHTS if isinstance(checkpoint, Mapping) else ():
            yield from _texts(cast("Mapping", checkpoint).get(key))


def rows(root: Mapping) -> Iterator[Scalar]:
    """Yield the calls of rows."""
    for module in modules(root):
        layers = module.get("layers")
        listed = layers.items if isinstance(layers, Sequence) else []
        named = layers.entries if isinstance(layers, Mapping) else []
        for item in listed:
            alone = isinstance(item, Mapping) and len(item.entries) == 1
            named = [*named, *item.entries] if isinstance(item, Mapping) and alone else named
        for node in (*listed, *(value for _, value in named)):
            call = node.get("op") if isinstance(node, Mapping) else node
            if isinstance(call, Scalar) and isinstance(call.value, str):
                yield call


def says_the_same(one: Mapping, other: Mapping) -> bool:
    """Whether two documents are the same but for the layout of calls and the order of sections."""
    return _said(one) == _said(other)


def _said(root: Mapping) -> object:
    layouts = {id(text): tuple(tokens(text.text)) for text in expressions(root)}
    for row in rows(root):
        *most, last = layouts[id(row)] or ("",)
        layouts[id(row)] = (*most,) if last == "," else (*most, last)
    in_order = {id(module) for module in modules(root)}

    def said(node: Node) -> object:
        if isinstance(node, Scalar):
            return layouts.get(id(node), repr(node.value))
        if isinstance(node, Sequence):
            return [said(item) for item in node.items]
        entries = [(key.name, said(value)) for key, value in node.entries]
        return dict(entries) if id(node) in in_order else entries

    return said(root)


def _texts(node: Node | None) -> Iterator[Scalar]:
    if isinstance(node, Scalar):
        if isinstance(node.value, str):
            yield node
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _texts(item)
    elif isinstance(node, Mapping):
        for _, value in node.entries:
            yield from _texts(value)
