"""Data sets in the layout of PASCAL VOC (Everingham et al., IJCV 2010; VOC2012 devkit, section 4).

    <root>/ImageSets/Main/<split>.txt   one id a line
    <root>/Annotations/<id>.xml         <annotation> with <size> and <object>s
    <root>/JPEGImages/<id>.jpg          or .jpeg, .png

====================================  ==============================================================
coordinates                           1-based and inclusive: x1 = xmin - 1, x2 = xmax, and y alike
xmax <= xmin or ymax <= ymin          without area (an object one pixel wide counts as a mistake)
`<difficult>1`                        kept, marked difficult
`<part>` and all other elements       not read
XML malformed, too large, or with     sample left out
DOCTYPE; a number that is none
annotation file missing               sample left out
====================================  ==============================================================
"""

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from xml.sax.saxutils import escape

from specc_runtime.data.dataset import Annotation, Limits
from specc_runtime.data.records import (
    BadAnnotation,
    LabelledBox,
    Reader,
    Record,
    Source,
    Sources,
    whole_file,
)
from specc_runtime.data.report import DataError, Fault, Report
from specc_runtime.data.voc_document import VocDocument, VocObject, read_document

_SUFFIXES = (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG")
_LISTS = Path("ImageSets/Main")


def locate(root: Path) -> dict[str, Source]:
    """The splits of a folder in this layout; none if it is another."""
    lists = sorted((root / _LISTS).glob("*.txt"))
    return {path.stem: Source(root / "JPEGImages", root / "Annotations", path) for path in lists}


class VocReader(Reader):
    """Reads the format of this module."""

    def __init__(self, sources: Sources, limits: Limits, names: tuple[str, ...] = ()) -> None:
        super().__init__(sources, limits, names)
        self._document = cache(partial(_read, max_bytes=limits.max_annotation_bytes))

    def found_classes(self) -> tuple[str, ...]:
        """The names found in all annotations, sorted."""
        folders = {source.annotations for source in self.sources.values()}
        documents = [
            self._document(path) for folder in sorted(folders) for path in folder.glob("*.xml")
        ]
        read = [document for document in documents if isinstance(document, VocDocument)]
        return tuple(sorted({item.name for document in read for item in document.objects}))

    def read(self, split: str, report: Report) -> list[Record]:
        source = self.sources[split]
        if source.listing is None:
            raise DataError(f"split `{split}`: VOC needs `list`, a file of the split's ids")
        images = {path.name for path in source.images.glob("*")}
        records: list[Record] = []
        for name in _ids(source.listing, self.limits.max_table_bytes, report):
            document = self._document(source.annotations / f"{name}.xml")
            if document is None:
                report.note(Fault.NO_ANNOTATION, f"{name}.xml")
            elif isinstance(document, BadAnnotation):
                report.note(Fault.BAD_ANNOTATION, f"{name}.xml ({document})")
            else:
                file = next(
                    (name + end for end in _SUFFIXES if name + end in images), f"{name}.jpg"
                )
                objects = tuple(_marked(n, item) for n, item in enumerate(document.objects))
                records.append(Record(f"{name}.xml", source.images / file, objects, document.size))
        return records


def write(
    root: Path, split: str, classes: Sequence[str], samples: Sequence[tuple[str, Annotation]]
) -> dict[str, str]:
    """Write a split's annotations; images are in `JPEGImages`, under the names given."""
    for folder in (root / "Annotations", root / _LISTS):
        folder.mkdir(parents=True, exist_ok=True)
    for name, sample in samples:
        path = root / "Annotations" / f"{Path(name).stem}.xml"
        path.write_text(_xml(name, sample, classes), encoding="utf-8")
    listing = "".join(f"{Path(name).stem}\n" for name, _ in samples)
    (root / _LISTS / f"{split}.txt").write_text(listing, encoding="utf-8")
    return {
        "images": "JPEGImages",
        "annotations": "Annotations",
        "list": f"{_LISTS}/{split}.txt",
    }


def _ids(path: Path, max_bytes: int, report: Report) -> list[str]:
    """The ids of a split, each once; an id is part of a file name, never a path."""
    ids: dict[str, None] = {}
    for number, line in enumerate(whole_file(path, max_bytes).splitlines(), start=1):
        name = line.strip()
        if "/" in name or "\\" in name:
            raise DataError(f"{path}:{number}: `{name}` is a path, not the id of a sample")
        if name in ids:
            report.note(Fault.REPEATED_ID, f"{path.name}:{number} {name}")
        elif name:
            ids[name] = None
    return list(ids)


def _read(path: Path, max_bytes: int) -> VocDocument | BadAnnotation | None:
    """An annotation file; an error if it is bad, None if it is missing."""
    try:
        return read_document(path, max_bytes)
    except FileNotFoundError:
        return None
    except BadAnnotation as error:
        return error
    except OSError as error:
        return BadAnnotation(error.strerror)


def _marked(number: int, item: VocObject) -> LabelledBox:
    xmin, ymin, xmax, ymax = item.corners
    x1 = xmax if xmax <= xmin else xmin - 1
    y1 = ymax if ymax <= ymin else ymin - 1
    return LabelledBox(item.name, (x1, y1, xmax, ymax), f"object {number}", item.difficult)


def _xml(name: str, sample: Annotation, classes: Sequence[str]) -> str:
    rows = zip(sample.boxes.tolist(), sample.labels.tolist(), sample.difficult, strict=True)
    return (
        f"<annotation>\n  <filename>{escape(name)}</filename>\n"
        f"  <size><width>{sample.width}</width><height>{sample.height}</height>"
        "<depth>3</depth></size>\n"
        + "".join(
            f"  <object>\n    <name>{escape(str(classes[label]))}</name>\n"
            f"    <difficult>{int(difficult)}</difficult>\n"
            f"    <bndbox><xmin>{x1 + 1!r}</xmin><ymin>{y1 + 1!r}</ymin>"
            f"<xmax>{x2!r}</xmax><ymax>{y2!r}</ymax></bndbox>\n  </object>\n"
            for (x1, y1, x2, y2), label, difficult in rows
        )
        + "</annotation>\n"
    )
