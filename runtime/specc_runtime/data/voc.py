"""Data sets in the layout of PASCAL VOC (Everingham et al., IJCV 2010; VOC2012 devkit, section 4).

    <root>/ImageSets/Main/<split>.txt   one id a line
    <root>/Annotations/<id>.xml         <annotation> with <size> and <object>s
    <root>/JPEGImages/<id>.jpg          or .jpeg, .png

What is done with what is found (each occurrence is counted in the report):

====================================  ==============================================================
coordinates                           1-based and inclusive, as VOC's: x1 = xmin - 1, x2 = xmax,
                                      y1 = ymin - 1, y2 = ymax
xmax <= xmin or ymax <= ymin          box dropped (an object one pixel wide is taken for a slip)
NaN or infinite coordinate            box dropped
box reaches out of the image          clipped; counted if by more than a pixel, since some tools
                                      count from 0; dropped if nothing remains inside
the same object twice in one file     taken once
`<difficult>1`                        kept, marked difficult
`<part>` and all other elements       not read
class name not among given classes    DataError naming the file
XML malformed, too large, or with     sample left out
DOCTYPE; a number that is none
annotation or image file missing      sample left out
image damaged, neither JPEG nor PNG,  sample left out; truncation shows at the first decoding and is
or over the pixel limit               quarantined then
no `<object>`                         kept: background to train on, and to score false alarms on
id listed twice                       taken once
too many samples left out             DataError with the report (`Limits.left_out`)
====================================  ==============================================================

The annotated size decides how the image is turned. `shown` is its size with EXIF orientation
applied, `stored` without:

====================================  ==============================================================
annotated = shown, or none annotated  EXIF applied
annotated = stored, not shown         the boxes were drawn on the unturned pixels: EXIF not applied
annotated = shown with w, h swapped   a slip in `<size>`: EXIF applied, boxes as they are
same shape within 1 %, other scale    EXIF applied, boxes rescaled to the image, counted
any other size                        sample left out
====================================  ==============================================================
"""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from specc_runtime.data.dataset import USUAL_LIMITS, Annotation, Dataset, Limits
from specc_runtime.data.frame import Frame, frame_of
from specc_runtime.data.images import Header, UnreadableImage, read_header
from specc_runtime.data.report import DataError, Fault, Report
from specc_runtime.data.safe_xml import BadXml
from specc_runtime.data.voc_document import VocDocument, VocObject, read_document

_SUFFIXES = (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG")


def open_dataset(
    root: str | os.PathLike[str],
    split: str,
    *,
    classes: tuple[str, ...] | None = None,
    limits: Limits = USUAL_LIMITS,
    cache_bytes: int = 0,
) -> Dataset:
    """Scan one split of a VOC data set; the module's tables say what is accepted.

    Args:
        root: folder with `ImageSets`, `Annotations` and `JPEGImages`.
        split: name of a list in `ImageSets/Main`, such as "train".
        classes: class names in the order of their labels; by default the sorted names found in all
            annotations of the root, so that every split agrees on them.
        limits: how much bad input is borne.
        cache_bytes: keep decoded images in memory up to this many bytes.

    Raises:
        DataError: no such split, an unknown class, or too little that is usable.
    """
    folder = Path(root)
    report = Report(split)
    ids = _ids(folder, split, report)
    annotated = ids if classes is not None else _annotated_ids(folder)
    documents = {name: _read(folder, name, limits) for name in annotated}
    if classes is None:
        classes = _names(documents.values())
    scan = _Scan(folder, {name: label for label, name in enumerate(classes)}, limits, report)
    samples = [scan.sample(name, documents.get(name)) for name in ids]
    return Dataset(classes, [s for s in samples if s is not None], report, limits, cache_bytes)


def _ids(folder: Path, split: str, report: Report) -> list[str]:
    """The ids of a split, each once; an id is part of a file name, never a path."""
    lists = folder / "ImageSets" / "Main"
    path = lists / f"{split}.txt"
    if not path.is_file():
        there = ", ".join(sorted(found.stem for found in lists.glob("*.txt"))) or "none"
        raise DataError(f"{path}: no such split (there: {there})")
    ids: dict[str, None] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        name = line.strip()
        if "/" in name or "\\" in name:
            raise DataError(f"{path}:{number}: `{name}` is a path, not the id of a sample")
        if name in ids:
            report.note(Fault.REPEATED_ID, f"{path.name}:{number} {name}")
        elif name:
            ids[name] = None
    return list(ids)


def _annotated_ids(folder: Path) -> list[str]:
    return sorted(path.stem for path in (folder / "Annotations").glob("*.xml"))


def _read(folder: Path, name: str, limits: Limits) -> VocDocument | BadXml | None:
    """An annotation, or what is wrong with it, or None where there is none."""
    try:
        return read_document(folder / "Annotations" / f"{name}.xml", limits.max_annotation_bytes)
    except FileNotFoundError:
        return None
    except BadXml as error:
        return error


def _names(documents: Iterable[VocDocument | BadXml | None]) -> tuple[str, ...]:
    read = (document for document in documents if isinstance(document, VocDocument))
    return tuple(sorted({item.name for document in read for item in document.objects}))


class _Scan:
    """Applies the rules of the module to one sample after another."""

    def __init__(
        self, folder: Path, labels: dict[str, int], limits: Limits, report: Report
    ) -> None:
        self.folder = folder
        self.labels = labels
        self.limits = limits
        self.report = report
        self.images = {path.name for path in (folder / "JPEGImages").glob("*")}

    def sample(self, name: str, document: VocDocument | BadXml | None) -> Annotation | None:
        """The sample as it will be used; None if it is left out."""
        if document is None:
            return self._leave_out(Fault.NO_ANNOTATION, f"{name}.xml")
        if isinstance(document, BadXml):
            return self._leave_out(Fault.BAD_ANNOTATION, f"{name}.xml ({document})")
        file = next((name + end for end in _SUFFIXES if name + end in self.images), None)
        if file is None:
            return self._leave_out(Fault.NO_IMAGE, f"{name}.jpg")
        path = self.folder / "JPEGImages" / file
        try:
            header = read_header(path, self.limits.max_pixels)
        except UnreadableImage as error:
            return self._leave_out(Fault.BAD_IMAGE, f"{file} ({error})")
        frame = frame_of(document.size, header)
        if frame is None:
            return self._leave_out(Fault.OTHER_SHAPE, f"{file} ({_sizes(document, header)})")
        if frame.rescales:
            self.report.note(Fault.OTHER_SIZE, f"{file} ({_sizes(document, header)})")
        objects = self._objects(f"{name}.xml", document.objects, frame)
        boxes = [box for box, _ in objects]
        return Annotation(
            path,
            frame.height,
            frame.width,
            frame.apply_exif,
            boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
            labels=np.array([self.labels[item.name] for _, item in objects], dtype=np.int64),
            difficult=np.array([item.difficult for _, item in objects], dtype=bool),
        )

    def _objects(
        self, file: str, objects: tuple[VocObject, ...], frame: Frame
    ) -> list[tuple[tuple[float, ...], VocObject]]:
        """The objects that are kept, each with its box in pixels of the image."""
        kept: list[tuple[tuple[float, ...], VocObject]] = []
        seen: set[VocObject] = set()
        for number, item in enumerate(objects):
            where = f"{file} object {number} ({item.name})"
            if item.name not in self.labels:
                known = ", ".join(self.labels)
                raise DataError(f"{self.folder / 'Annotations' / where}: not one of {known}")
            fault, box = frame.place(item.corners)
            if item in seen:
                fault, box = Fault.REPEATED_BOX, None
            seen.add(item)
            if fault is not None:
                self.report.note(fault, where)
            if box is not None:
                kept.append((box, item))
        return kept

    def _leave_out(self, fault: Fault, where: str) -> None:
        self.report.note(fault, where)


def _sizes(document: VocDocument, header: Header) -> str:
    height, width = document.size or (0, 0)
    return f"{width:g}x{height:g} annotated, {header.shown[1]}x{header.shown[0]} found"
