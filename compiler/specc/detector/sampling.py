"""Which regions a second stage learns from."""

from __future__ import annotations

from specc.detector.base import Component, component
from specc.ops.arguments import integer, number

__all__ = ["Sample"]


@component
class Sample(Component):
    """Draw from each image's proposals, and from its objects beside them (Fast R-CNN, section 2.3)."""

    slot = "regions.sample"

    examples: int = integer("Regions of an image that are drawn.", default=512)
    positive: float = number(
        "Largest share of them that have an object.", minimum=0, maximum=1, default=0.25
    )
