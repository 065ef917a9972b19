"""What the compiler says of a spec, against what torch makes of the emitted module."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import specc
from specc.driver import Model, compile_spec
from specc.ir.context import owner_of
from specc.ir.tensors import leaves

torch.set_num_threads(1)

SIDE = 64
"""Height and width of the first input where a spec leaves them open."""


def compiled(path: Path | str, **params: object) -> Model:
    """Compile a spec in which nothing is wrong."""
    model = specc.compile(path, **params)
    assert model.ok, [(d.code, d.message) for d in model.diagnostics]
    return model


def agree(path: Path | str, **params: object) -> nn.Module:
    """Hold the emitted module against the graph: rows, outputs, state dict, open arguments."""
    model = compiled(path, **params)
    with torch.device("meta"):
        module = specc.load(path, **params)
        agree_on_state(module, model)
        agree_on_shapes(module, path, params)
        for name, value in open_numbers(module).items():
            other = {**params, name: value * 2}
            agree_on_state(type(module)(**{name: value * 2}), compiled(path, **other))
    return module


def agree_on_state(module: nn.Module, model: Model) -> None:
    state = [(key, tuple(tensor.shape)) for key, tensor in module.state_dict().items()]
    assert state == [(key, entry.shape) for key, entry in model.facts.costs.state.items()]
    assert sum(p.numel() for p in module.parameters()) == model.parameters


def agree_on_beginnings(path: Path | str) -> None:
    """Compare every tensor that is filled with a constant."""
    model, state = compiled(path), specc.load(path).state_dict()
    rows = [row for instance in model.hierarchy.instances() for row in instance.rows]
    for apply in (apply for row in rows for apply in row.applies):
        for name, made in apply.initial.items():
            value = 0 if type(made).__name__ == "zeros_" else made.settings().get("val")
            if value is not None:
                tensor = state[f"{owner_of(apply.path)}.{name}"]
                assert torch.equal(tensor, torch.full_like(tensor, float(value)))


def agree_on_shapes(module: nn.Module, path: Path | str, params: dict[str, object]) -> None:
    """Run a batch of two and compare every layer, and the outputs, with the graph."""
    model = compile_spec(path, params=params, resize=_size(path, params))
    seen: dict[str, list[tuple[int, ...]]] = {}
    for name, layer in module.named_modules():
        layer.register_forward_hook(_note(seen.setdefault(name, [])))
    inputs = leaves(list(model.hierarchy.root.inputs.values()))
    outputs = module.eval()(*(torch.empty(_sides(tensor.shape)) for tensor in inputs))
    inferred = leaves(list(model.hierarchy.outputs().values()))
    assert list(_shapes(outputs)) == [_sides(tensor.shape) for tensor in inferred]
    for row, shape in model.shapes.items():
        if seen.get(row):
            assert seen[row][0] == _sides(shape), row


def open_numbers(module: nn.Module) -> dict[str, int]:
    """Return the arguments of a class that are whole numbers."""
    arguments = inspect.signature(type(module)).parameters.values()
    return {a.name: a.default for a in arguments if isinstance(a.default, int)}


def _size(path: Path | str, params: dict[str, object]) -> tuple[int, int] | None:
    first = next(iter(specc.compile(path, **params).hierarchy.root.inputs.values()))
    is_open = any(not isinstance(side, int) for side in first.shape[1:])
    return (SIDE, SIDE) if is_open and len(first.shape) == 4 else None


def _note(seen: list[tuple[int, ...]]) -> Any:
    def note(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            seen.append(tuple(output.shape))

    return note


def _sides(shape: Any) -> tuple[int, ...]:
    return tuple(2 if str(side) == "N" else side for side in shape)


def _shapes(value: Any) -> Iterator[tuple[int, ...]]:
    if isinstance(value, Tensor):
        yield tuple(value.shape)
    else:
        for item in value:
            yield from _shapes(item)
