"""One VOC annotation file as its author wrote it, before any rule is applied."""

from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from specc_runtime.data.records import BadAnnotation
from specc_runtime.data.safe_xml import read_xml


@dataclass(frozen=True)
class VocObject:
    """An `<object>`: class name, and xmin, ymin, xmax, ymax as written."""

    name: str
    difficult: bool
    corners: tuple[float, float, float, float]


@dataclass(frozen=True)
class VocDocument:
    """An `<annotation>`: (height, width) if it states them, and its objects."""

    size: tuple[float, float] | None
    objects: tuple[VocObject, ...]


def read_document(path: Path, max_bytes: int) -> VocDocument:
    """Read an annotation file.

    Raises:
        BadAnnotation: malformed, another document, a required element missing, or text where a
            number should be.
        OSError: the file cannot be read.
    """
    root = read_xml(path, max_bytes)
    if root.tag != "annotation":
        raise BadAnnotation(f"<{root.tag}> is no <annotation>")
    height, width = _number(root, "size/height", 0), _number(root, "size/width", 0)
    size = (height, width) if height > 0 and width > 0 else None
    return VocDocument(size, tuple(_object(element) for element in root.iterfind("object")))


def _object(element: Element) -> VocObject:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise BadAnnotation("<object> without <name>")
    x1, y1, x2, y2 = (
        _number(element, f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")
    )
    return VocObject(name, _number(element, "difficult", 0) != 0, (x1, y1, x2, y2))


def _number(element: Element, path: str, absent: float | None = None) -> float:
    text = element.findtext(path)
    if text is None and absent is not None:
        return absent
    try:
        return float(text or "")
    except ValueError:
        raise BadAnnotation(f"<{path}> is `{text}`, not a number") from None
