"""Write a picture as DOT: colours, fonts and layout are decided here and nowhere else.

Every text of a spec passes through `_text`, so that no name can end its label.
"""

from __future__ import annotations

import re
import textwrap
from html import escape
from typing import TYPE_CHECKING

from specc.draw.picture import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from specc.draw.picture import Arrow, Box, Line, Picture, Place, Role

__all__ = ["write"]

FILL_AND_BORDER: dict[Role, tuple[str, str]] = {
    "input": ("#dcf2e3", "#3f9c63"),
    "output": ("#fbe2d5", "#d4703a"),
    "weights": ("#e7effc", "#7fa1dc"),
    "plain": ("#f4f4f2", "#b4b4ae"),
    "folded": ("#eee8f8", "#9a80cb"),
    "tap": ("#fff0bf", "#dca200"),
    "failed": ("#fddcdc", "#cf2a2a"),
    "unknown": ("#ffffff", "#c4c4c4"),
}
LAYOUT = "bgcolor=white, labelloc=t, labeljust=l, nodesep=0.2, ranksep=0.16, pad=0.15"
FONT = '"Helvetica,Arial,sans-serif"'
QUIET, GRAY, TAP = "#5f6368", "#8a8f98", FILL_AND_BORDER["tap"][1]
FRAMES = ("#fafbfd", "#f2f4f8")
WIDEST_NOTE = 42
CELL, HEADING = 46, 74
NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(picture: Picture) -> str:
    """Return the DOT text; the same picture always gives the same text."""
    return "\n".join(
        (
            "digraph {",
            f"  graph [{LAYOUT}, fontname={FONT}, fontsize=11, label={_title(picture.title)}]",
            f"  node [shape=plain, fontname={FONT}, fontsize=10]",
            f'  edge [color="{GRAY}", fontcolor="{QUIET}", fontname={FONT}, fontsize=8, arrowsize=0.5]',
            *_items(picture.items, 1),
            *_arrows(picture.arrows),
            "}",
            "",
        )
    )


def _items(items: Sequence[Box | Frame], level: int) -> Iterator[str]:
    indent = "  " * level
    for item in items:
        if isinstance(item, Frame):
            fill = FRAMES[level % 2]
            yield f'{indent}subgraph "cluster_{_text(item.path)}" {{'
            yield f'{indent}  style="rounded,filled"; color="#c9ced8"; fillcolor="{fill}"'
            yield f"{indent}  label={_heading(item.line)}"
            yield from _items(item.items, level + 1)
            yield f"{indent}}}"
        else:
            tooltip = _text(item.tooltip)
            yield f'{indent}{item.id} [tooltip="{tooltip}", label={_box(item)}]'


def _box(box: Box) -> str:
    """Return a table: a line for each row of the model, then cells, then details."""
    fill, border = FILL_AND_BORDER[box.role]
    style = "ROUNDED,DASHED" if box.role == "unknown" else "ROUNDED"
    width = 2 if box.role in ("folded", "failed", "tap") else 1
    rows = _table(box, border)
    body = "".join(f"<TR>{row}</TR>" for row in rows)
    return (
        f'<<TABLE BORDER="{width}" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2"'
        f' STYLE="{style}" BGCOLOR="{fill}" COLOR="{border}">{body}</TABLE>>'
    )


def _table(box: Box, border: str) -> Iterator[str]:
    details = [
        _small(part) for detail in box.details for part in textwrap.wrap(detail, WIDEST_NOTE)
    ]
    if box.cells:
        (line,) = box.lines
        heading = _stack(f"<B>{_text(line.name)}</B>", _small(line.text), *details)
        cells = (_cell(index, text, border) for index, text in enumerate(box.cells))
        yield f'<TD WIDTH="{HEADING}" BALIGN="LEFT">{heading}</TD>{"".join(cells)}'
        return
    for line in box.lines:
        name, text = _name(line.name), _small(line.text)
        is_alone = len(box.lines) == 1
        yield f"<TD>{name}  {text}</TD>" if is_alone else f"{_left(name)}{_left(text)}"
    yield from (f'<TD CELLPADDING="3">{detail}</TD>' for detail in details)


def _cell(index: int, text: str, border: str) -> str:
    box = f'WIDTH="{CELL}" CELLPADDING="3" BORDER="1" SIDES="L" COLOR="{border}"'
    return f'<TD PORT="c{index}" {box}>{_small(text)}</TD>'


def _name(name: str) -> str:
    """Make a name stand out from a mere position in a list."""
    return _small(name) if name.isdigit() else f"<B>{_text(name)}</B>"


def _heading(line: Line) -> str:
    """Head a frame in short lines, so that what flows in passes beside them."""
    lines = map(_small, line.text.split(" · "))
    return _lines(f"<B>{_text(line.name)}</B>", *lines, padding=1)


def _title(line: Line) -> str:
    name = f'<FONT POINT-SIZE="15"><B>{_text(line.name)}</B></FONT>'
    return _lines(name, _small(line.text), padding=2)


def _lines(*lines: str, padding: int) -> str:
    """Put lines of different sizes below each other: a line break knows the last size alone."""
    rows = "".join(f"<TR>{_left(line)}</TR>" for line in lines)
    return f'<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="{padding}">{rows}</TABLE>>'


def _left(content: str) -> str:
    return f'<TD ALIGN="LEFT">{content}</TD>'


def _stack(*lines: str) -> str:
    return "".join(f'{line}<BR ALIGN="LEFT"/>' for line in lines)


def _small(text: str) -> str:
    return f'<FONT POINT-SIZE="9" COLOR="{QUIET}">{_text(text)}</FONT>'


def _arrows(arrows: Sequence[Arrow]) -> Iterator[str]:
    """Keep the first way out of each place straight: it is the chain that people read along."""
    begun: set[Place] = set()
    for arrow in arrows:
        settings = [] if arrow.tail in begun else ["weight=8"]
        begun.add(arrow.tail)
        if arrow.shapes:
            settings.append(f'label=" {_text(", ".join(arrow.shapes))}"')
        if arrow.is_tap:
            settings.append(f'color="{TAP}", penwidth=1.4')
        yield f"  {_end(arrow.tail, 's')} -> {_end(arrow.head, 'n')} [{', '.join(settings)}]"


def _end(place: Place, side: str) -> str:
    return place.box.id if place.cell is None else f"{place.box.id}:c{place.cell}:{side}"


def _text(text: str) -> str:
    """Escape a text for a label, an HTML-like one too, in which an empty text is an error."""
    return escape(_clean(text)) or " "


def _clean(text: str) -> str:
    r"""Put a text on one line, without what XML does not have.

    Graphviz puts the node's name for `\N`, even in an HTML-like label and even behind another
    backslash: a look-alike stands for it.
    """
    return NOT_XML.sub("\ufffd", " ".join(text.split())).replace("\\", "\u2216")
