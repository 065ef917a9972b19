"""Which object an anchor is to find."""

from __future__ import annotations

from typing import Any

from specc.detector.base import Component, component
from specc.ops.arguments import flag, number
from specc.ops.base import ShapeError

__all__ = ["CellMatch", "CenterSampling", "GridMatch", "IoUMatch"]


@component
class IoUMatch(Component):
    """Give each anchor the object it overlaps most (SSD, section 2.2; Faster R-CNN, section 3.1.2)."""

    slot = "match"
    for_regions = True

    foreground: float = number(
        "IoU from which an anchor is positive.", minimum=0, maximum=1, default=0.5
    )
    background: float | None = number(
        "IoU below which it is negative; `foreground` if left out.",
        minimum=0,
        maximum=1,
        default=None,
    )
    best_for_each_object: bool = flag(
        "Whether the best anchor of an object is positive whatever its IoU.", default=True
    )
    allow_low_quality_matches: bool = flag(
        "Whether the best anchors of an object keep the object that they overlap most, whatever "
        "the IoU; torchvision's rule for RetinaNet.",
        default=False,
    )

    def check(self) -> None:
        """Refuse an anchor that would be positive and negative at once."""
        if self.background is not None and self.background > self.foreground:
            message = f"background={self.background} is above foreground={self.foreground}"
            help = "anchors between the two are left undecided: give `background` the lower IoU"
            raise ShapeError("E0407", message, argument="background", help=help)

    def settings(self) -> dict[str, Any]:
        """Return the arguments, with `background` as it applies."""
        settings = super().settings()
        return (
            settings if self.background is not None else settings | {"background": self.foreground}
        )


@component
class CenterSampling(Component):
    """Give each cell the smallest object that it lies inside, near the centre, and of its map's scale.

    FCOS (Tian et al., 2019, section 3.2; center sampling: Tian et al., 2020). A cell is a square
    anchor, and lengths are in units of its side.
    """

    slot = "match"

    radius: float = number("How far from the object's centre a cell may lie.", above=0, default=1.5)
    nearest: float = number(
        "Reach from which objects belong to a map, but the finest.", minimum=0, default=4.0
    )
    farthest: float = number(
        "Reach to which objects belong to a map, but the coarsest.", above=0, default=8.0
    )

    def check(self) -> None:
        """Refuse a reach that no object has."""
        if self.nearest >= self.farthest:
            message = f"nearest={self.nearest} is not below farthest={self.farthest}"
            help = "an object's reach lies between the two"
            raise ShapeError("E0407", message, argument="nearest", help=help)


@component
class CellMatch(Component):
    """Give each object the anchor most like it in shape, of all maps' anchors whose cell holds its centre (YOLOv3, section 2.1)."""

    slot = "match"
    needs_cells = True


@component
class GridMatch(Component):
    """Give each object all anchors of the cell that holds its centre, among which the loss chooses (YOLO, section 2)."""

    slot = "match"
    needs_cells = True
