"""A spec from Darknet's `.cfg`, and what of it could not be carried."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from specc.documents import Report, Span, read
from specc.importing.blocks import tabulate
from specc.importing.cfg import read_sections
from specc.importing.heads import read_heads
from specc.importing.layers import HEADS, read_layers
from specc.importing.writing import spec_text

if TYPE_CHECKING:
    import os

    from specc.documents import Source
    from specc.importing.cfg import Section
    from specc.importing.layers import Shape

__all__ = ["Imported", "Note", "import_darknet"]

FIRST = {"net", "network"}
TRAINING = {
    "detection": ("jitter", "max", "random"),
    "region": ("absolute", "jitter", "random"),
    "yolo": ("jitter", "random"),
}
_ODD = re.compile(r"[^A-Za-z0-9]+")


class Note(NamedTuple):
    """A section of which something was left behind, and what and why."""

    line: int
    section: str
    text: str


class Imported(NamedTuple):
    """A spec's name and text, the number of layers behind it, and what was left behind."""

    name: str
    text: str
    layers: int
    notes: list[Note]


def import_darknet(path: str | os.PathLike[str]) -> Imported:
    """Make a spec of a `.cfg` of github.com/pjreddie/darknet.

    Raises:
        Findings: the file cannot be read, or holds what has no counterpart here.
    """
    source, report = read(path), Report()
    sections = read_sections(source, report)
    report.stop()
    image = _image(source, sections, report)
    layers = read_layers(sections[1:], image, report)
    report.stop()
    detector = read_heads(layers, image, report) if image[0] == 3 else None
    report.stop()
    stem = _ODD.sub("_", Path(path).stem).strip("_").lower()
    name = stem if stem[:1].isalpha() else f"darknet_{stem}".rstrip("_")
    title = f"{name[:60]}, from Darknet's cfg"
    text = spec_text(name[:60], title, image, tabulate(layers), detector)
    carried = detector is not None
    notes = [note for section in sections if (note := _note(section, carried=carried))]
    return Imported(name[:60], text, len(layers), notes)


def _image(source: Source, sections: list[Section], report: Report) -> Shape:
    """Return channels, height and width of the image, which the first section holds."""
    if not sections or sections[0].kind not in FIRST:
        span = sections[0].span if sections else Span(source, 0, 0)
        help = "begin with `[net]`, `width=416` and `height=416`"
        report.add("E0801", "the first section is no [net]", span, help=help)
        report.stop()
    if len(sections) == 1:
        help = "add its layers: `[convolutional]` and so on"
        report.add("E0801", "the network has no layers", sections[0].span, help=help)
    net = sections[0]
    for side in ("width", "height"):
        if side not in net.options:
            net.refuse(side, f"`{side}` is missing", f"write the images' {side}: `{side}=416`")
    return net.whole("channels", 3), net.whole("height", 1), net.whole("width", 1)


def _note(section: Section, *, carried: bool) -> Note | None:
    """Return what the spec does not say of a section; `carried` if it has a detector."""
    options = [name for name in section.options if name not in section.read]
    again = f"{', '.join(section.again)} given twice, the first counts" if section.again else ""
    parts = [*section.left, again]
    if section.kind == "cost":
        parts = ["no row; the loss is of training", again]
    elif section.kind in HEADS and not carried:
        parts = ["no row, an output, and no detector", *parts]
    elif options:
        of_training = options if section.kind in FIRST else TRAINING.get(section.kind, ())
        training = [name for name in options if name in of_training]
        other = [name for name in options if name not in training]
        parts = [_what(training, "of training"), _what(other, "no counterpart here"), *parts]
    said = "; ".join(filter(None, parts))
    return Note(section.span.line, section.kind, said) if said else None


def _what(options: list[str], what: str) -> str:
    return f"{', '.join(options)}: {what}" if options else ""
