"""The ops: one class each, found by their module being here."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from specc.ops.base import (
    OPS,
    Argument,
    Declaration,
    Entry,
    Helper,
    Op,
    ShapeError,
    Window,
    known_here,
)
from specc.ops.initializers import INITIALIZERS, Initializer

__all__ = [
    "INITIALIZERS",
    "OPS",
    "Argument",
    "Declaration",
    "Entry",
    "Helper",
    "Initializer",
    "Op",
    "ShapeError",
    "Window",
    "known_here",
]

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
