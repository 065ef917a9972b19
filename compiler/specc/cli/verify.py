"""Compare inferred shapes with those of the emitted module, run by the runtime on fake tensors."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specc.values.dimensions import shape_text

if TYPE_CHECKING:
    from specc.driver import Model

__all__ = ["verify"]


def verify(model: Model) -> int:
    """Run the module in a process of its own and compare each layer's output."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{model.name}.py"
        file.write_text(model.source, encoding="utf-8")
        command = [sys.executable, "-m", "specc_runtime", "verify", str(file), *_size(model)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        print(f"specc check-shapes: the module does not run\n{done.stderr}", file=sys.stderr)
        return 1
    actual: dict[str, Any] = json.loads(done.stdout)
    compared = wrong = 0
    for node in model.hierarchy.nodes():
        if node.path not in actual or node.shape is None:
            continue
        compared += 1
        shape = actual[node.path][0]
        if list(node.shape[1:]) != shape[1:]:
            wrong += 1
            shown = "x".join(map(str, shape[1:]))
            print(
                f"{node.path}: inferred {shape_text(node.shape)}, torch gives {shown}",
                file=sys.stderr,
            )
    print(f"verified: {compared - wrong} of {compared} layers give the inferred shape")
    return 1 if wrong or not compared else 0


def _size(model: Model) -> list[str]:
    """Return the option that says the input's height and width, where they are numbers."""
    shape = next(node.shape for node in model.hierarchy.nodes()) or ()
    sides = [str(side) for side in shape[2:] if isinstance(side, int)]
    return ["--size", *sides] if len(sides) == 2 else []
