"""What an offset means."""

from __future__ import annotations

from typing import ClassVar

from specc.detector.base import Component, component
from specc.ops.arguments import POSITIVE, number, several
from specc.ops.base import argument

__all__ = ["BoxCoder", "BoxLinearCoder", "CellCoder", "RootCoder"]


@component
class BoxCoder(Component):
    """Offsets of centre and log-size from a box, times `weights` (Girshick et al., R-CNN, appendix C)."""

    slot = "coder"
    for_regions = True

    weights: tuple[float, ...] = argument(
        "Factors of x, y, width and height.",
        several(POSITIVE, 4, 4),
        default=(1.0, 1.0, 1.0, 1.0),
    )
    clamp: float | None = number("Largest log-size decoded.", above=0, default=None)


@component
class BoxLinearCoder(Component):
    """Distances from a box's centre to the object's left, top, right and bottom, in units of the box's sides (FCOS, section 3.1)."""

    slot = "coder"
    for_regions = True


@component
class CellCoder(Component):
    """Place of the centre in its cell, by sigmoids, and log-size from a box (YOLO9000, section 2, figure 3).

    An object whose centre lies elsewhere cannot be reached, and one at the cell's edge only by infinite
    offsets.
    """

    slot = "coder"
    needs_cells = True
    beside: ClassVar = {"match": ("CellMatch",), "loss": ("YOLOLoss", "YOLOv2Loss")}


@component
class RootCoder(Component):
    """Place of the centre in its cell, and the roots of the sides, in units of the anchor's (YOLO, section 2.2)."""

    slot = "coder"
    needs_cells = True
    beside: ClassVar = {"match": ("GridMatch",), "loss": ("YOLOv1Loss",)}
