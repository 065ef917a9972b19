"""The registry of annotation formats, each of which has a module of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from specc_runtime.data import coco, table, voc, yolo
from specc_runtime.data.dataset import Annotation, Limits
from specc_runtime.data.records import Reader, Source, Sources


@dataclass(frozen=True)
class Format:
    """The interface of a format.

    Attributes:
        locate: finds the splits of a folder in the format's usual layout; empty if it has another.
        reader: makes a reader of sources, optionally with given class names.
        write: writes a split into a folder, and returns its entry for `data.yaml`.
        images: the subfolder where `write` expects the images.
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
