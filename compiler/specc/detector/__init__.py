"""The parts of a detector that are not layers: boxes, coder, matching, loss, selection, input.

Each is declared once, like an op, and found by its module being here. The compiler checks its
arguments and writes them into the emitted `DETECTOR` literal; the runtime has the code of the same
name.
"""

import pkgutil
from importlib import import_module

from specc.detector.anchors import AnchorGrid, Anchors
from specc.detector.base import COMPONENTS, Component
from specc.detector.losses import Loss, RPNLoss

__all__ = [
    "COMPONENTS",
    "AnchorGrid",
    "Anchors",
    "Component",
    "Loss",
    "RPNLoss",
]

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
