"""Execute an emitted module."""

from __future__ import annotations

import importlib.util
import linecache
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from specc.driver import Model

__all__ = ["load_module"]


def load_module(model: Model) -> nn.Module:
    """Build the emitted class, with the lines of its source where tracebacks look for them."""
    name = f"specc_emitted_{model.name}"
    file = f"<emitted from {model.path}>"
    source = model.source
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    spec = importlib.util.spec_from_loader(name, loader=None)
    module: Any = importlib.util.module_from_spec(spec) if spec else ModuleType(name)
    sys.modules[name] = module
    run_source(source, file, module)
    return module.MODEL()


def run_source(source: str, file: str, module: ModuleType) -> None:
    """Run source that this compiler has written, never anything else."""
    code = compile(source, file, "exec")
    exec(code, module.__dict__)  # noqa: S102 - the emitter writes literals and closed names only
