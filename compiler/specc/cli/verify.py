"""Compare inferred shapes with those of the emitted module, run by the runtime on fake tensors."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from itertools import islice
from pathlib import Path
from string import digits
from typing import TYPE_CHECKING

from specc.emit.returns import find_returns
from specc.ir.context import owner_of
from specc.ir.graph import Instance
from specc.ir.tensors import leaves
from specc.values.dimensions import Size, factor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specc.driver import Model
    from specc.values.dimensions import Dim, Shape

    Shapes = list[list[int | None]]
    """Shapes of some tensors, with `None` for a side that is not known."""

__all__ = ["verify"]


def verify(model: Model) -> int:
    """Run the module in a process of its own and compare what its layers and modules return."""
    inputs = [model.hierarchy[name].shape or () for name in model.hierarchy.root.inputs]
    if any(isinstance(side, Size) for shape in inputs if len(shape) == 4 for side in shape[2:]):
        message = f"--verify needs a height and a width: {model.name} leaves them open"
        print(f"specc check-shapes: {message}; add --input 512", file=sys.stderr)
        return 2
    names = dict.fromkeys(side.name for shape in inputs for side in shape if isinstance(side, Size))
    sizes = {name: number for number, name in enumerate(names, start=2)}
    given = ["x".join(str(_number(side, sizes)) for side in shape) for shape in inputs]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{model.name}.py"
        file.write_text(model.source, encoding="utf-8")
        command = [sys.executable, "-m", "specc_runtime", "verify", str(file), "--inputs", *given]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2].removeprefix("error: ")
        print(f"specc check-shapes: cannot verify {model.name}: {reason}", file=sys.stderr)
        return 1
    return _compare(model, json.loads(done.stdout), sizes)


def _compare(model: Model, returned: dict[str, list[Shapes]], sizes: dict[str, int]) -> int:
    """Print what differs, then what was compared; `returned` has the calls of each path."""
    calls = {path: iter(results) for path, results in returned.items()}
    outputs = iter(returned[""][0])
    compared, right, unseen = Counter[str](), Counter[str](), Counter[str]()
    for kind, path, shapes in _made(model):
        found: Shapes = []
        if kind == "outputs":
            found = list(islice(outputs, len(shapes)))
        elif owner_of(path) in calls:
            found = next(calls[owner_of(path)], found)
        else:
            unseen.update([model.hierarchy[path].kind] if kind == "layers" else [])
            continue
        inferred = [[_number(side, sizes) for side in shape] for shape in shapes]
        is_right = len(inferred) == len(found) and all(map(_agree, inferred, found))
        compared[kind] += 1
        right[kind] += is_right
        if not is_right:
            print(
                f"{path}: inferred {_text(inferred)}, torch gives {_text(found)}", file=sys.stderr
            )
    counts = ", ".join(f"{right[kind]} of {count} {kind}" for kind, count in compared.items())
    print(f"verified: {counts} give the inferred shape")
    if unseen:
        rows = ", ".join(f"{count} {kind}" for kind, count in unseen.items())
        print(f"seen only through what reads them, being no layers of PyTorch: {rows}")
    return 0 if right == compared else 1


def _made(model: Model) -> Iterator[tuple[str, str, list[Shape]]]:
    """Yield layers, modules and outputs, and the shapes of what they give, in the order of calls."""
    graph = model.hierarchy
    for node in graph.nodes():
        if node.op is not None:
            yield "layers", node.path, [node.shape or ()]
    returns = find_returns(graph)
    for path, instance in _modules(graph.root):
        made = leaves(returns[id(instance)])
        yield "modules", path, [graph[tensor.origin].shape or () for tensor in made]
    for name, value in graph.outputs().items():
        yield "outputs", name, [graph[tensor.origin].shape or () for tensor in leaves(value)]


def _modules(instance: Instance) -> Iterator[tuple[str, Instance]]:
    for row in instance.rows:
        for apply in row.applies:
            if isinstance(apply.target, Instance):
                yield apply.path, apply.target
                yield from _modules(apply.target)


def _number(side: Dim, sizes: dict[str, int]) -> int | None:
    """Return a side, where `sizes` are the numbers that stand for names; `None` if it is unclear."""
    if isinstance(side, int):
        return side
    times, name = factor(side) or 1, side.name.lstrip(digits)
    return (sizes[name] * times + side.add) // side.divide if name in sizes else None


def _agree(inferred: list[int | None], found: list[int | None]) -> bool:
    """Whether two shapes are the same as far as both are known."""
    pairs = zip(inferred, found, strict=False)
    return len(inferred) == len(found) and all(a == b or None in (a, b) for a, b in pairs)


def _text(shapes: Shapes) -> str:
    """Write shapes without their batch."""
    texts = ["x".join("?" if side is None else str(side) for side in shape[1:]) for shape in shapes]
    return ", ".join(texts) or "nothing"
