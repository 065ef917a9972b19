"""The parts of a detector that are not layers: boxes, coder, matching, loss, selection, input.

Each is declared once, like an op. The compiler checks its arguments and writes them into the
emitted `DETECTOR` literal; the runtime has the code of the same name.
"""

from specc.detector import coders, conversions, matching, preprocess, selection
from specc.detector.anchors import Anchors
from specc.detector.base import COMPONENTS, Component
from specc.detector.losses import Loss

__all__ = [
    "COMPONENTS",
    "Anchors",
    "Component",
    "Loss",
    "coders",
    "conversions",
    "matching",
    "preprocess",
    "selection",
]
