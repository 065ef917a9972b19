"""What an offset means."""

from __future__ import annotations

from specc.detector.base import Component, component
from specc.ops.arguments import number
from specc.ops.base import argument

__all__ = ["BoxCoder", "BoxLinearCoder", "CellCoder"]


@component
class BoxCoder(Component):
    """Offsets of centre and log-size from a box, times `weights` (Girshick et al., R-CNN, appendix C)."""

    slot = "coder"

    weights: tuple[float, ...] = argument(
        "Factors of x, y, width and height.",
        {
            "type": "array",
            "items": {"type": "number", "exclusiveMinimum": 0},
            "minItems": 4,
            "maxItems": 4,
        },
        default=(1.0, 1.0, 1.0, 1.0),
    )
    clamp: float | None = number("Largest log-size decoded.", above=0, default=None)


@component
class BoxLinearCoder(Component):
    """Distances from a box's centre to the object's left, top, right and bottom, in units of the box's sides (FCOS, section 3.1)."""

    slot = "coder"


@component
class CellCoder(Component):
    """Place of the centre in its cell, by sigmoids, and log-size from a box (YOLO9000, section 2, figure 3)."""

    slot = "coder"
    needs_cells = True
