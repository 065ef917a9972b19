"""The boxes that predictions start from."""

from __future__ import annotations

import math
from typing import ClassVar

from specc.detector.base import Component, component
from specc.ops.arguments import POSITIVE, choice, flag, numbers, several
from specc.ops.base import argument

__all__ = ["AnchorGrid", "Anchors", "BoxPriors", "CellAnchors", "DefaultBoxes"]

_SIDES = several(POSITIVE, 2, 2)


class Anchors(Component):
    """A component that lays boxes over the maps.

    `per_map` names the arguments with an item for each map, and how many items they have beyond.
    `with_cells` says that each box comes with the cell that it stands in.
    """

    slot = "anchors"

    per_map: ClassVar[dict[str, int]]
    with_cells: ClassVar[bool] = False

    def per_cell(self) -> list[int]:
        """Return the number of boxes at each cell of each map."""
        raise NotImplementedError

    def sides(self) -> list[float]:
        """Return how large the boxes of each map are; nothing if they go by its cells."""
        return []


@component
class DefaultBoxes(Anchors):
    """SSD's default boxes (Liu et al., section 2.2), with sizes and strides in pixels of the input.

    A cell of map k has a square of side ``sizes[k]``, one of ``sqrt(sizes[k] * sizes[k + 1])``, and
    for each ratio r two of area ``sizes[k]**2``, wide and tall.
    """

    per_map: ClassVar = {"sizes": 1, "ratios": 0, "strides": 0}

    sizes: list[float] = numbers("Side of the square box of each map, and one more.")
    ratios: list[list[float]] = numbers("Aspect ratios of each map, beside 1.", nested=True)
    strides: list[float] = numbers("Distance of the cells of each map.")
    clip: bool = flag("Whether boxes end at the image's edge.", default=False)

    def per_cell(self) -> list[int]:
        """Return ``2 + 2 * len(ratios)`` for each map."""
        return [2 + 2 * len(row) for row in self.ratios]

    def sides(self) -> list[float]:
        """Return the side of the square of each map."""
        return self.sizes[:-1]


@component
class AnchorGrid(Anchors):
    """The anchors of Faster R-CNN and RetinaNet, as torchvision's `AnchorGenerator` lays them.

    A cell has a box of area ``size**2`` for each ratio and each size, ratio by ratio, its sides
    rounded to whole pixels. The stride is the input's size over the map's, rounded down; the boxes
    of the first cell lie around the input's first corner.
    """

    per_map: ClassVar = {"sizes": 0}

    sizes: list[list[float]] = numbers(
        "Sides of the square boxes of each map, in pixels.", nested=True
    )
    ratios: list[float] = numbers("Height over width, the same for all maps.")

    def per_cell(self) -> list[int]:
        """Return ``len(sizes) * len(ratios)`` for each map."""
        return [len(row) * len(self.ratios) for row in self.sizes]

    def sides(self) -> list[float]:
        """Return the largest side of the squares of each map."""
        return [max(row, default=0) for row in self.sizes]


@component
class CellAnchors(Anchors):
    """The anchors of EfficientDet: boxes around the middle of each cell, in units of its side.

    A cell has a box for each scale and each aspect, scale by scale, of width ``scale * width`` and
    height ``scale * height`` of the aspect.
    """

    per_map: ClassVar = {"strides": 0}

    scales: list[float] = numbers("Sides of the boxes of aspect (1, 1), in cells.")
    aspects: list[list[float]] = argument(
        "Width and height of each box at scale 1, in cells.",
        {"type": "array", "items": _SIDES, "minItems": 1},
    )
    strides: list[float] = numbers("Distance of the cells of each map, in pixels of the input.")

    def per_cell(self) -> list[int]:
        """Return ``len(scales) * len(aspects)`` for each map."""
        return [len(self.scales) * len(self.aspects)] * len(self.strides)

    def sides(self) -> list[float]:
        """Return the strides, which the boxes of each map grow with."""
        return self.strides


@component
class BoxPriors(Anchors):
    """YOLO's priors: boxes around the middle of each cell (Redmon and Farhadi, YOLO9000, section 2).

    They come with their cells, which `CellCoder` and `CellMatch` need.
    """

    per_map: ClassVar = {"sizes": 0}
    with_cells = True

    sizes: list[list[list[float]]] = argument(
        "Width and height of each box of each map.",
        {
            "type": "array",
            "items": {"type": "array", "items": _SIDES, "minItems": 1},
            "minItems": 1,
        },
    )
    unit: str = choice(
        "Whether they are pixels of the input or cells of the map.",
        ("pixels", "cells"),
        default="pixels",
    )

    def per_cell(self) -> list[int]:
        """Return ``len(sizes)`` for each map."""
        return [len(row) for row in self.sizes]

    def sides(self) -> list[float]:
        """Return the root of the largest area of each map, if it is one of pixels."""
        if self.unit == "cells":
            return []
        return [max(math.sqrt(width * height) for width, height in row) for row in self.sizes]
