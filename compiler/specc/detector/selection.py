"""Which boxes are kept."""

from __future__ import annotations

from specc.detector.base import Component, component
from specc.ops.arguments import integer, number

__all__ = ["NMS", "LevelNMS", "TopNMS"]


def _score(default: float) -> float:
    return number("Smallest score looked at.", minimum=0, maximum=1, default=default)


def _iou(default: float) -> float:
    return number("Overlap above which the weaker box goes.", minimum=0, maximum=1, default=default)


def _keep(default: int) -> int:
    return integer("Boxes of an image that leave.", default=default)


@component
class NMS(Component):
    """Keep the best box of each overlapping group, class by class (SSD, section 3)."""

    slot = "select"

    score: float = _score(0.01)
    per_class: int = integer("Boxes of a class that enter.", default=400)
    iou: float = _iou(0.45)
    keep: int = _keep(200)


@component
class LevelNMS(Component):
    """Take the best scores of each map, then keep the best box of each group, class by class.

    RetinaNet's and FCOS's selection (Lin et al., section 4, Inference).
    """

    slot = "select"

    score: float = _score(0.05)
    per_map: int = integer("Scores of a map that enter.", default=1000)
    iou: float = _iou(0.5)
    keep: int = _keep(300)


@component
class TopNMS(Component):
    """Take the best scores of all maps together, then keep the best box of each group, class by class.

    EfficientDet's selection.
    """

    slot = "select"

    score: float = _score(0.0)
    best: int = integer("Scores of an image that enter.", default=5000)
    iou: float = _iou(0.5)
    keep: int = _keep(100)
