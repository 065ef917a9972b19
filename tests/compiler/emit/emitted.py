"""The emitted files of the repository, and ways to look at them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

torch.set_num_threads(1)

ROOT = Path(__file__).parents[3]
GENERATED = sorted(ROOT.glob("generated/*.py"))
GOLDEN = sorted(ROOT.glob("tests/cases/*/model.py"))


def emitted(name: str) -> ModuleType:
    """Import `generated/<name>.py` by its path."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "generated" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def output_names(module: ModuleType) -> tuple[str, ...]:
    """Return the names of a model's outputs."""
    return module.Outputs._fields


def fill(module: nn.Module, seed: int = 0) -> None:
    """Draw weights that keep signals alive: He's variance, and biases that are not zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            deviation = (2 / max(1, parameter[0].numel())) ** 0.5 if parameter.dim() > 1 else 0.1
            drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            offset = parameter.mean() if parameter.dim() == 1 else 0.0
            parameter.copy_(offset + deviation * drawn)


def run(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of this environment in the repository."""
    tools = Path(sys.executable).parent
    return subprocess.run(
        [str(tools / str(command[0])), *map(str, command[1:])],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def shapes(value: Any) -> list[tuple[int, ...]]:
    """Return the shapes of the tensors of an output."""
    return [tuple(tensor.shape) for tensor in value]
