"""Data sets in CSV, one object a line (RFC 4180, UTF-8, with a line of column names).

    <root>/<split>.csv   the objects
    <root>/images/       `image` is a file name below it

==================================  ================================================================
`image` or `filename`               file of the image
`xmin`, `ymin`, `xmax`, `ymax`      the box's edges in pixels from 0: 0 and the width are the image's
`class` or `label`                  name of the class
`width`, `height`                   optional: size of the image that the box was drawn on
`difficult`                         optional: 1 for an object that scores ignore
other columns                       not read
==================================  ================================================================

An image without objects has one line with these fields empty. Classes are the names in all splits'
files, sorted. A malformed line is an object left out.
"""

import csv
from collections.abc import Sequence
from functools import cache, partial
from io import StringIO
from pathlib import Path

from specc_runtime.data.dataset import Annotation, Limits
from specc_runtime.data.records import (
    BadAnnotation,
    LabelledBox,
    Reader,
    Record,
    Source,
    Sources,
    below,
    whole_file,
)
from specc_runtime.data.report import DataError, Fault, Report

_SIDES = ("xmin", "ymin", "xmax", "ymax")
_OTHER_NAMES = {"filename": "image", "label": "class"}

Row = dict[str, str]


def locate(root: Path) -> dict[str, Source]:
    """The splits of a folder in this layout; none if it is another."""
    return {path.stem: Source(root / "images", path) for path in sorted(root.glob("*.csv"))}


class TableReader(Reader):
    """Reads the format of this module."""

    def __init__(self, sources: Sources, limits: Limits, names: tuple[str, ...] = ()) -> None:
        super().__init__(sources, limits, names)
        self._rows = cache(partial(_rows, max_bytes=limits.max_table_bytes))

    def found_classes(self) -> tuple[str, ...]:
        """The names in all files, sorted."""
        files = {source.annotations for source in self.sources.values()}
        return tuple(sorted({row["class"] for file in files for row in self._rows(file)} - {""}))

    def read(self, split: str, report: Report) -> list[Record]:
        source = self.sources[split]
        file = source.annotations.name
        images: dict[Path, tuple[tuple[float, float] | None, list[LabelledBox]]] = {}
        for number, row in enumerate(self._rows(source.annotations), start=2):
            try:
                image = below(source.images, row["image"])
                found = _objects(row, number)
                images.setdefault(image, (_size(row), []))[1].extend(found)
            except (BadAnnotation, ValueError) as error:
                report.note(Fault.BAD_OBJECT, f"{file}:{number} ({error})")
        return [
            Record(f"{file} {image.name}", image, tuple(objects), size)
            for image, (size, objects) in images.items()
        ]


def write(
    root: Path, split: str, classes: Sequence[str], samples: Sequence[tuple[str, Annotation]]
) -> dict[str, str]:
    """Write a split's table; images are in `images`, under the names given."""
    with (root / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("image", *_SIDES, "class", "width", "height", "difficult"))
        for name, sample in samples:
            size = (sample.width, sample.height)
            rows = zip(sample.boxes.tolist(), sample.labels.tolist(), sample.difficult, strict=True)
            for box, label, difficult in rows:
                writer.writerow((name, *box, classes[label], *size, int(difficult)))
            if len(sample.boxes) == 0:
                writer.writerow((name, "", "", "", "", "", *size, ""))
    return {"images": "images", "annotations": f"{split}.csv"}


def _rows(path: Path, max_bytes: int) -> list[Row]:
    """The lines of a file by column. Raises `DataError`."""
    reader = csv.DictReader(StringIO(whole_file(path, max_bytes), newline=""), restval="")
    try:
        columns = [_OTHER_NAMES.get(name.strip(), name.strip()) for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        if missing := [name for name in ("image", *_SIDES, "class") if name not in columns]:
            raise DataError(f"{path}:1: has no column {', '.join(missing)}")
        return list(reader)
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: {error}") from error


def _objects(row: Row, number: int) -> list[LabelledBox]:
    """The object of a line, if it has one."""
    if not any(row[side] for side in _SIDES) and not row["class"]:
        return []
    x1, y1, x2, y2 = (float(row[side]) for side in _SIDES)
    if not row["class"]:
        raise BadAnnotation("no class")
    difficult = row.get("difficult", "") not in ("", "0")
    return [LabelledBox(row["class"], (x1, y1, x2, y2), f"line {number}", difficult)]


def _size(row: Row) -> tuple[float, float] | None:
    height, width = (float(row.get(name) or 0) for name in ("height", "width"))
    return (height, width) if height > 0 and width > 0 else None
