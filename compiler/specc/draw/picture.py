"""What is seen of a model: boxes in frames, and arrows between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Arrow", "Box", "Frame", "Line", "Picture", "Place", "Role"]

Role = Literal["input", "output", "weights", "plain", "folded", "tap", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the model: its name, and in small what it does."""

    name: str
    text: str


@dataclass(slots=True, eq=False)
class Box:
    """A node of the drawing.

    Attributes:
        id: its name in the DOT text.
        role: what its colour tells.
        lines: the rows it stands for, in order; a folded part has one line.
        cells: for the rounds of a `for` row, drawn side by side, what each of them does.
        details: a folded part's shapes and size, or what is wrong with a row that failed.
        tooltip: the full path, for whoever points at it.
    """

    id: str
    role: Role
    lines: list[Line]
    cells: list[str] = field(default_factory=list[str])
    details: list[str] = field(default_factory=list[str])
    tooltip: str = ""


@dataclass(slots=True, eq=False)
class Frame:
    """The module at `path`, drawn open."""

    path: str
    line: Line
    items: list[Box | Frame]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an arrow starts or ends: a box, or one of its cells."""

    box: Box
    cell: int | None = None


@dataclass(frozen=True, slots=True)
class Arrow:
    """Tensors that flow: their shapes, each once. `is_tap` marks one that leaves its module."""

    tail: Place
    head: Place
    shapes: list[str]
    is_tap: bool


@dataclass(slots=True)
class Picture:
    """A drawing.

    Attributes:
        depth: how many levels of modules are open.
        items: boxes and frames, as they lie in each other; `boxes` has all boxes in one list.
        places: where each row of the model went, by its path.
        is_whole: whether no module is closed for lying deeper.
        skipped: how many rows in the middle of long modules are not shown.
    """

    title: Line
    depth: int
    items: list[Box | Frame] = field(default_factory=list["Box | Frame"])
    boxes: list[Box] = field(default_factory=list[Box])
    arrows: list[Arrow] = field(default_factory=list[Arrow])
    places: dict[str, Place] = field(default_factory=dict[str, Place])
    is_whole: bool = True
    skipped: int = 0

    def add(self, role: Role, line: Line, *paths: str) -> Box:
        """Add a box that stands for the rows at `paths`."""
        ends = dict.fromkeys((*paths[:1], *paths[-1:]))
        box = Box(f"n{len(self.boxes)}", role, [line], tooltip=" … ".join(ends) or line.name)
        self.boxes.append(box)
        self.places.update(dict.fromkeys(paths, Place(box)))
        return box
