"""Turn a model into a picture, as deep as asked or as stays readable.

The work is linear in the rows, however few boxes are drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.draw.flow import flow
from specc.draw.fold import Pencil
from specc.draw.picture import Line, Picture
from specc.draw.words import large
from specc.values.dimensions import shape_text

if TYPE_CHECKING:
    from specc.driver import Model

__all__ = ["MOST_BOXES", "MOST_ROWS", "draw"]

MOST_BOXES = 80
MOST_ROWS = 200


def draw(model: Model, depth: int | None = None) -> Picture:
    """Return the picture of a model.

    Args:
        model: the compiled spec; of one with errors, the part that resolved is drawn.
        depth: how many levels of modules to open. By default as many as make no more than
            `MOST_BOXES` boxes. In any case the middle of a module of more than `MOST_ROWS` rows
            is one box.
    """
    picture = _draw(model, depth or 0)
    if depth is not None:
        return picture
    if len(picture.boxes) > MOST_BOXES:
        return _draw(model, 0, MOST_BOXES // 2)
    while not picture.is_whole:
        deeper = _draw(model, picture.depth + 1)
        if len(deeper.boxes) > MOST_BOXES:
            break
        picture = deeper
    return picture


def _draw(model: Model, depth: int, most_rows: int = MOST_ROWS) -> Picture:
    picture = Picture(_title(model), depth)
    root = model.hierarchy.root
    pencil = Pencil(model, picture, most_rows)
    for name in root.inputs:
        line = Line(name, shape_text(model.hierarchy[name].shape))
        picture.items.append(picture.add("input", line, name))
    picture.items += pencil.module(root, 0)
    flow(model.hierarchy, picture, pencil.taps)
    return picture


def _title(model: Model) -> Line:
    figures = [model.spec.title] if model.spec.title != model.name else []
    figures.append(f"{large(model.parameters)} parameters")
    if model.macs is not None:
        figures.append(f"{large(model.macs)} multiply-adds")
    if model.boxes is not None:
        figures.append(f"{model.boxes:,} boxes")
    return Line(model.name, " · ".join(figures))
