"""What a spec says of the boxes behind a network: rows, modules and the section `detector`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CellBoxes", "Detector", "GridBoxes", "number"]

Sides = tuple[float, float]


@dataclass(frozen=True)
class CellBoxes:
    """Maps whose cells hold numbers for each of their boxes, as `[yolo]` and `[region]` read them.

    `priors` are those of each map, in pixels of the image or in cells of the map (`unit`).
    """

    priors: list[list[Sides]]
    unit: str
    classes: int
    loss: str

    def let(self) -> list[str]:
        """Return the lines of the section `let`."""
        unit = "pixels of the image" if self.unit == "pixels" else "cells of the map"
        lists = [
            ", ".join(f"[{number(width)}, {number(height)}]" for width, height in boxes)
            for boxes in self.priors
        ]
        head = f"  priors:                                  # width and height in {unit}"
        return [head, *(f"    - [{boxes}]" for boxes in lists)]

    def rows(self, maps: Sequence[str]) -> list[str]:
        """Return the rows behind the network: of each box its place, its objectness, its classes."""
        return [
            f"  maps: [{', '.join(maps)}]",
            "  each: {for: {x: maps}, op: PerBox(5 + num_classes)(x)}",
            "  joined: Cat(dim=1)(each)",
            "  loc: Narrow(2, 0, 4)(joined)",
            "  objectness: Narrow(2, 4, 1)(joined)",
            "  conf: Narrow(2, 5, num_classes)(joined)",
        ]

    def modules(self) -> list[str]:
        """Return the modules that those rows call."""
        return []

    def components(self) -> list[str]:
        """Return the lines of the section `detector` that its kind decides."""
        unit = "" if self.unit == "pixels" else ", unit='cells'"
        return [
            "  maps: maps",
            f"  anchors: BoxPriors(sizes=priors{unit})",
            "  coder: CellCoder()",
            "  match: CellMatch()",
            f"  loss: {self.loss}",
            "  select: NMS(score=0.005, per_class=400, iou=0.45, keep=200)",
        ]


@dataclass(frozen=True)
class GridBoxes:
    """A row of numbers for the cells of a grid, as `[detection]` reads it: classes, then boxes.

    `side` is how many cells the grid has each way, `image` height and width of the image.
    """

    side: int
    boxes: int
    classes: int
    image: tuple[int, int]
    loss: str

    @property
    def columns(self) -> str:
        """How many numbers there are, for any number of classes."""
        return f"{self.side**2} * (num_classes + {5 * self.boxes})"

    def let(self) -> list[str]:
        """Return the lines of the section `let`."""
        height, width = self.image
        each = ", ".join([f"[{width}, {height}]"] * self.boxes)
        return [f"  whole: [{each}]   # in its units are the sides of a cell's boxes"]

    def rows(self, maps: Sequence[str]) -> list[str]:
        """Return the rows behind the network: of each box its place, its objectness, its classes."""
        [row], cells = maps, self.side**2
        return [
            "  class_maps:                              # the boxes of a cell share its classes",
            f"    for: {{i: range({self.boxes})}}",
            "    shared: true",
            f"    op: Cells(0, num_classes)({row})",
            "  classes: Cat(dim=1)(class_maps)",
            f"  confidences: Cells({cells} * num_classes, {self.boxes})({row})",
            f"  places: Cells({cells} * (num_classes + {self.boxes}), {4 * self.boxes})({row})",
            "  conf: PerBox(num_classes)(classes)",
            "  objectness: PerBox(1)(confidences)",
            "  loc: PerBox(4)(places)",
        ]

    def modules(self) -> list[str]:
        """Return the module that those rows call."""
        return [
            "",
            "  Cells:",
            '    doc: "`channels` numbers for each cell, from `start` on, as a map."',
            "    params: {start: int, channels: int}",
            "    layers:",
            f"      part: Narrow(1, start, {self.side**2} * channels)",
            f"      cells: Reshape([{self.side}, {self.side}, channels])",
            "      map: Permute([0, 3, 1, 2])",
        ]

    def components(self) -> list[str]:
        """Return the lines of the section `detector` that its kind decides."""
        return [
            "  maps: classes",
            "  anchors: BoxPriors(sizes=[whole])",
            "  coder: RootCoder()",
            "  match: GridMatch()",
            f"  loss: {self.loss}",
            "  select: NMS(score=0.005, per_class=100, iou=0.5, keep=100)",
        ]


Detector = CellBoxes | GridBoxes


def number(value: float) -> str:
    """Return a number as a spec has it, without an exponent."""
    return str(int(value)) if value == int(value) else format(Decimal(repr(value)), "f")
