"""The parts of a detector that are not layers: boxes, coder, matching, loss, selection, input.

Each is declared once, like an op. The compiler checks its arguments and writes them into the
emitted `DETECTOR` literal; the runtime has the code of the same name.
"""

from specc.detector import coders, conversions, matching, preprocess, sampling, selection
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
    "coders",
    "conversions",
    "matching",
    "preprocess",
    "sampling",
    "selection",
]
