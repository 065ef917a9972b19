"""The formats that annotations are read and written in: each in a module of its own, and here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from specc_runtime.data import coco, table, voc, yolo
from specc_runtime.data.dataset import Annotation, Limits
from specc_runtime.data.records import Reader, Source, Sources


@dataclass(frozen=True)
class Format:
    """What the rest of the package knows of a format.

    Attributes:
        locate: the sources of a folder in its usual layout, by split; none if it has another.
        reader: reads sources; the names of the classes may be given.
        write: writes a split below a folder, and gives its entry in a `data.yaml`.
        images: where `write` expects the images, below that folder.
    """

    locate: Callable[[Path], dict[str, Source]]
    reader: Callable[[Sources, Limits, tuple[str, ...]], Reader]
    write: Callable[[Path, str, Sequence[str], Sequence[tuple[str, Annotation]]], dict[str, str]]
    images: str


FORMATS = {
    "voc": Format(voc.locate, voc.VocReader, voc.write, "JPEGImages"),
    "coco": Format(coco.locate, coco.CocoReader, coco.write, "images"),
    "yolo": Format(yolo.locate, yolo.YoloReader, yolo.write, "images/{split}"),
    "csv": Format(table.locate, table.TableReader, table.write, "images"),
}
